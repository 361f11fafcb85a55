/** The driver queue: whatever is done to it, what it holds is what a plain string of bytes would be. */
import { PortQueue } from '#ports/port-queue';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const textOf = (pieces: readonly Uint8Array[]): string => Buffer.concat(pieces).toString('latin1');

/** The same numbers from the same seed. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state >>> 8;
  }
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])('as a string of bytes, through any changes: %i', (seed) => {
  const random = numbers(seed);
  const below = (limit: number): number => random.next().value % limit;
  const queue = new PortQueue();
  let model = '';
  for (let step = 0; step < 3000; step++) {
    const texts = Array.from({ length: below(5) }, () =>
      String.fromCharCode(97 + below(26)).repeat(below(4)),
    );
    const skip = below(4);
    const given = texts.join('').slice(skip);
    // More comes than goes at first, then less.
    const what = below(step < 1500 ? 4 : 7);
    if (what === 0) {
      queue.prepend(texts.map(bytes), skip);
      model = given + model;
    } else if (what < 3) {
      queue.append(texts.map(bytes), skip);
      model += given;
    } else {
      const size = below(12);
      expect(queue.drop(size)).toBe(size <= model.length);
      if (size <= model.length) model = model.slice(size);
    }
    expect(queue.size).toBe(model.length);
    const count = below(6);
    const first = queue.peek(count);
    expect(first.length).toBeLessThanOrEqual(count);
    expect(model.startsWith(textOf(first))).toBe(true);
    if (step % 10 === 0) {
      const all = queue.peek();
      expect(textOf(all)).toBe(model);
      expect(all.every(({ length }) => length > 0)).toBe(true);
      expect(queue.peek(count)).toEqual(all.slice(0, count));
    }
  }
});

test('pieces are kept as they came: not copied, and let go of when they are taken off', () => {
  const queue = new PortQueue();
  const pieces = ['ab', 'cd', 'ef'].map(bytes);
  queue.append(pieces);
  queue.prepend([bytes('x')]);
  expect(queue.peek()[1]).toBe(pieces[0]);
  queue.drop(4);
  expect(queue.peek(1)[0]?.buffer).toBe(pieces[1]?.buffer);
  queue.clear();
  expect([queue.size, queue.peek(), queue.drop(1), queue.drop(0)]).toEqual([0, [], false, true]);
});

test.each([-1, 0.5, 4, Number.NaN, Number.POSITIVE_INFINITY])('%p bytes of 3 cannot be taken', (size) => {
  const queue = new PortQueue();
  queue.append([bytes('abc')]);
  expect(queue.drop(size)).toBe(false);
  expect([queue.size, textOf(queue.peek())]).toEqual([3, 'abc']);
});

describe('of a hundred thousand pieces, each is moved a few times only', () => {
  const COUNT = 100_000;
  const piece = bytes('0123456789abcdef');

  function full(): PortQueue {
    const queue = new PortQueue();
    for (let i = 0; i < COUNT; i++) queue.append([piece]);
    return queue;
  }

  // Where each moved all the others, one of these took longer than a test may.
  test.each<[string, (queue: PortQueue) => void]>([
    ['deq', (queue) => queue.drop(16)],
    ['peekq of what writev takes, and deq', (queue) => queue.drop(queue.peek(1024)[0]?.length ?? 0)],
    ['pushq', (queue) => queue.prepend([piece])],
    [
      'deq and pushq',
      (queue) => {
        queue.drop(16);
        queue.prepend([piece]);
      },
    ],
    ['deq of half a piece', (queue) => queue.drop(8)],
  ])('%s', (_, change) => {
    const queue = full();
    for (let i = 0; i < COUNT; i++) change(queue);
    expect(queue.size % 16).toBe(0);
  });
});
