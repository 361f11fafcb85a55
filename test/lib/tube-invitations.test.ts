import { Invitations, MOST_ANSWERED, MOST_WAITING } from '#lib/tube-invitations';

/** Of peers 1 and 2. */
const PEERS = [1, 2];
let invitations: Invitations<string>;

beforeEach(() => {
  invitations = new Invitations();
});

function beginAll(peer: number, count: number): boolean[] {
  return Array.from({ length: count }, (_, tid) => invitations.begin(peer, tid));
}

test.each([1, MOST_ANSWERED - 1, MOST_ANSWERED, MOST_ANSWERED + 1, 2 * MOST_ANSWERED])(
  'of %i of each peer so many as may be are answered at once',
  (count) => {
    for (const peer of PEERS)
      expect(beginAll(peer, count)).toEqual(Array.from({ length: count }, (_, tid) => tid < MOST_ANSWERED));
  },
);

test('each that is over makes room for the next one of the same peer, in their order', () => {
  for (const peer of PEERS) beginAll(peer, MOST_ANSWERED + 3);
  const last = MOST_ANSWERED - 1;
  expect([last, 0, 1].map((tid) => invitations.end(1, tid))).toEqual([0, 1, 2].map((n) => MOST_ANSWERED + n));
  // As who is told of them does.
  for (let n = 0; n < 3; n++) invitations.begin(1, MOST_ANSWERED + n);
  expect(invitations.end(1, 2)).toBeUndefined();
  expect(invitations.begin(1, 500)).toBe(true);
  expect(invitations.begin(1, 501)).toBe(false);
});

test('what is over twice, or never began, makes no room', () => {
  beginAll(1, MOST_ANSWERED + 2);
  expect(invitations.end(1, 0)).toBe(MOST_ANSWERED);
  for (const [peer, tid] of [
    [1, 0],
    [1, MOST_ANSWERED + 1],
    [2, 0],
  ] as const)
    expect(invitations.end(peer, tid)).toBeUndefined();
});

test('what comes above those that may wait is not heard', () => {
  beginAll(1, MOST_ANSWERED + MOST_WAITING + 5);
  const begun: number[] = [];
  for (let tid = 0; ; tid = begun.at(-1) as number) {
    const next = invitations.end(1, tid);
    if (next === undefined) break;
    invitations.begin(1, next);
    begun.push(next);
  }
  expect(begun).toHaveLength(MOST_WAITING);
  expect(begun.at(-1)).toBe(MOST_ANSWERED + MOST_WAITING - 1);
});

test('peers are accepted in turn, and what each has in its order', () => {
  for (const peer of PEERS) beginAll(peer, 3);
  for (const n of [0, 1, 2]) invitations.addPending(1, `1/${n}`);
  invitations.addPending(2, '2/0');
  expect(invitations.takePending()).toBe('1/0');
  expect(invitations.takePending()).toBe('2/0');
  invitations.addPending(2, '2/1');
  invitations.addPending(2, '2/2');
  invitations.removePending(1, '1/1');
  invitations.removePending(1, '2/1');
  const rest = Array.from({ length: 4 }, () => invitations.takePending());
  expect(rest).toEqual(['1/2', '2/1', '2/2', undefined]);
});
