import {
  allocatePages,
  BROKEN,
  closeFd,
  createDoorbell,
  LEAST_RING,
  MAX_PACKET,
  MOST_RING,
  TubeEnd,
  WRITTEN_LAST,
} from '#native';
import { JoinedTube, packet, take, text } from '../support/joined-tube';
import { changesSince, descriptorsOf, holdings } from '../support/residue';

// The layout that packed_layout.h draws.
const TX = 0;
const RX = 512;
const TAIL = 0;
const HEAD = 128;
const RECORDS = 4096;
const recordOf = (length: number): number => Math.ceil((length + 4) / 8) * 8;

let before: ReturnType<typeof holdings>;
let tube: JoinedTube;

beforeEach(() => {
  before = holdings();
});
afterEach(() => {
  tube.close();
  expect(changesSince(before)).toEqual([]);
});

const SIZES = [1, 3, 4, 5, 63, 64, 65, 4091, 4092, 4093, 4095, 4096];
const RINGS = [LEAST_RING, 2 * LEAST_RING, MOST_RING];
/** Not the millions of small packets that a large ring holds. */
const FILLED = RINGS.flatMap((size) => SIZES.map((length) => [size, length] as const)).filter(
  ([size, length]) => size / length < 20_000,
);

/** Writes the packet until there is no room; how often it could be. */
function fill(end: TubeEnd, bytes: Uint8Array): number {
  for (let count = 0; ; count++) if (end.write(bytes) < 1) return count;
}

/** All that waits. */
function takeAll(end: TubeEnd): string[] {
  const taken: string[] = [];
  for (let some = take(end, 512) as string[]; some.length > 0; some = take(end, 512) as string[])
    taken.push(...some);
  return taken;
}

describe.each(['opener', 'acceptor'] as const)('from the %s', (side) => {
  const ends = (): [TubeEnd, TubeEnd] =>
    side === 'opener' ? [tube.opener, tube.acceptor] : [tube.acceptor, tube.opener];
  const ring = side === 'opener' ? TX : RX;
  const records = side === 'opener' ? RECORDS : RECORDS + LEAST_RING;

  test.each(FILLED)(
    'a ring of %i bytes is full of packets of %i bytes when no other fits, and all of them arrive, thrice',
    (size, length) => {
      tube = new JoinedTube(size);
      const [from, to] = ends();
      const one = packet(length, 7);
      for (let round = 1; round <= 3; round++) {
        const count = fill(from, one);
        // The first time from its beginning on; later what is left at its end may be too little.
        expect(Math.floor(size / recordOf(length)) - count).toBeLessThanOrEqual(round === 1 ? 0 : 1);
        expect(from.freeSlots()).toBe(0);
        const taken = takeAll(to);
        expect(taken.length).toBe(count);
        expect(new Set(taken)).toEqual(new Set([text(one)]));
        expect(from.counters().droppedPackets).toBe(round);
      }
    },
  );

  test('packets of all sizes stay in order, wherever the ring ends', () => {
    tube = new JoinedTube(LEAST_RING);
    const [from, to] = ends();
    for (let round = 0; round < 200; round++) {
      const sizes = Array.from(
        { length: 1 + (round % 40) },
        (_, i) => SIZES[(round * 7 + i * 5) % SIZES.length]!,
      );
      const packets = sizes.map((size, i) => packet(size, round + i));
      expect(packets.map((each) => from.write(each)).every((written) => written > 0)).toBe(true);
      expect(take(to, 64)).toEqual(packets.map(text));
    }
  });

  test('the last packet that surely fits says so', () => {
    tube = new JoinedTube(LEAST_RING);
    const [from] = ends();
    const slots = from.freeSlots();
    expect(slots).toBe(from.slots);
    const written = Array.from({ length: slots }, (_, i) => from.write(packet(MAX_PACKET, i)));
    expect(written.slice(0, -1)).toEqual(written.slice(0, -1).map(() => 1));
    expect(written.at(-1)).toBe(WRITTEN_LAST);
  });

  const NONSENSE = [1, 4, 7, LEAST_RING + 8, 0x7fffffff, -8, -1];

  test.each(NONSENSE)('a peer that writes %i as an index breaks the tube, not the process', (value) => {
    tube = new JoinedTube(LEAST_RING);
    const [from, to] = ends();
    tube.poke(ring + TAIL, value);
    expect([take(to), to.armPackets()]).toEqual([BROKEN, BROKEN]);
    // Behind what has been written; what has not been read may be anywhere before it.
    tube.poke(ring + HEAD, value === -8 ? 8 : value);
    expect([from.freeSlots(), from.armRoom(1)]).toEqual([BROKEN, BROKEN]);
    expect(from.write(packet(1, 1))).toBe(BROKEN);
  });

  test.each([0, 4097, 0x7fffffff, -2, 4096])(
    'a length of %i where there is none breaks the tube once what was before it is read',
    (value) => {
      tube = new JoinedTube(LEAST_RING);
      const [from, to] = ends();
      for (let i = 0; i < 5; i++) from.write(packet(10, i));
      tube.poke(records + 3 * recordOf(10), value);
      expect(take(to)).toEqual([0, 1, 2].map((i) => text(packet(10, i))));
      expect(take(to)).toBe(BROKEN);
    },
  );

  test('an overwritten own index is not believed', () => {
    tube = new JoinedTube(LEAST_RING);
    const [from, to] = ends();
    from.write(packet(10, 1));
    tube.poke(ring + TAIL, 800);
    from.write(packet(10, 2));
    expect(take(to)).toEqual([text(packet(10, 1)), text(packet(10, 2))]);
    tube.poke(ring + HEAD, 0);
    from.write(packet(10, 3));
    expect(take(to)).toEqual([text(packet(10, 3))]);
  });

  test('a sleeping reader is rung for once, a busy one never', async () => {
    tube = new JoinedTube(LEAST_RING);
    const [from, to] = ends();
    tube.reactor.attach();
    const send = async (): Promise<void> => {
      from.write(packet(1, 1));
      from.flush();
      await turns();
    };
    await send();
    expect(tube.ready).toEqual([]);
    // It looks, and does not sleep.
    expect(to.armPackets()).toBeGreaterThan(0);
    await send();
    expect(tube.ready).toEqual([]);
    take(to);
    expect(to.armPackets()).toBe(0);
    for (let i = 0; i < 3; i++) await send();
    expect(tube.ready).toEqual([to.packetsToken]);
  });

  test('a sleeping reader is rung for before the flush when much waits', async () => {
    tube = new JoinedTube(LEAST_RING);
    const [from, to] = ends();
    tube.reactor.attach();
    to.armPackets();
    for (let i = 0; i < 3; i++) from.write(packet(MAX_PACKET, i));
    await turns();
    expect(tube.ready).toEqual([]);
    from.write(packet(MAX_PACKET, 3));
    await turns();
    expect(tube.ready).toEqual([to.packetsToken]);
  });

  test('a writer that waits is rung for when there is as much room as it wants, once', async () => {
    tube = new JoinedTube(LEAST_RING);
    const [from, to] = ends();
    tube.reactor.attach();
    fill(from, packet(MAX_PACKET, 1));
    expect(from.armRoom(15)).toBe(0);
    take(to, 14);
    await turns();
    expect(tube.ready).toEqual([]);
    take(to, 3);
    await turns();
    take(to);
    await turns();
    expect(tube.ready).toEqual([from.roomToken]);
  });

  test('after the peer has gone nothing is read that it writes later', () => {
    tube = new JoinedTube(LEAST_RING);
    const [from, to] = ends();
    from.write(packet(5, 1));
    to.hangUp();
    from.write(packet(5, 2));
    expect(take(to)).toEqual([text(packet(5, 1))]);
    expect(take(to)).toEqual([]);
  });
});

test('the memory is laid out as documented', () => {
  tube = new JoinedTube(LEAST_RING);
  tube.opener.write(packet(5, 1));
  tube.opener.write(packet(13, 2));
  tube.acceptor.write(packet(7, 3));
  expect([TX + TAIL, TX + HEAD, RX + TAIL].map((at) => tube.peek(at).readUInt32LE())).toEqual([40, 0, 16]);
  expect(tube.peek(RECORDS).readUInt32LE()).toBe(5);
  expect(tube.peek(RECORDS + 16 + 4, 13)).toEqual(packet(13, 2));
  expect(tube.peek(RECORDS + LEAST_RING + 4, 7)).toEqual(packet(7, 3));
});

test('a closed end says so, gives back what it had, and can be closed again', () => {
  tube = new JoinedTube(LEAST_RING);
  const open = descriptorsOf('self').length;
  tube.opener.close();
  tube.opener.close();
  expect(descriptorsOf('self').length).toBe(open - 2);
  expect(() => tube.opener.write(packet(1, 1))).toThrow('closed');
});

test.each([1, 4096, LEAST_RING - 1, LEAST_RING + 1, 3 * LEAST_RING, 2 * LEAST_RING, 2 * MOST_RING])(
  'rings of %i bytes in the pages of the smallest are refused, and all is given back',
  (size) => {
    tube = new JoinedTube(LEAST_RING);
    const held = holdings();
    const [pages, fd] = allocatePages(65);
    closeFd(fd);
    const doorbells = createDoorbell();
    expect(() => new TubeEnd(tube.reactor, 'opener', pages, doorbells, size)).toThrow(
      /no size of a ring|129 pages/,
    );
    expect(changesSince(held)).toEqual([]);
  },
);

/** Lets the event loop look at what has happened. */
async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}
