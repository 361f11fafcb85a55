import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { LEAST_RING } from '#native';
import { LARGEST_BATCH, PacketReader } from '#native/packet-reader';
import { Watcher } from '#native/watcher';
import { JoinedTube, packet, text } from '../support/joined-tube';
import { changesSince, eventually, holdings } from '../support/residue';

let before: ReturnType<typeof holdings>;
let tube: JoinedTube;

beforeEach(() => {
  before = holdings();
  tube = new JoinedTube(LEAST_RING);
});
afterEach(() => {
  tube.close();
  expect(changesSince(before)).toEqual([]);
});

const READS = 3000;
/** Of a record, in bytes. */
const HEADER = 4;
/** From one packet to a whole batch, in no order that fits into slabs. */
const wanted = (i: number): number => 1 + ((i * 37) % LARGEST_BATCH);

/**
 * Writes a ring of packets, as far as there is room, which leaves more there than a read takes; and not much more than a ring,
 * where another thread makes room all the time. How many those were.
 */
function refill(bytes: Uint8Array): number {
  const most = LEAST_RING / (bytes.length + HEADER);
  for (let count = 0; ; count++) if (count > most || tube.opener.write(bytes) < 1) return count;
}

/** Of reads that could have taken many packets, those that took but a few. */
class Reads {
  readonly #reader = new PacketReader();
  readonly #few: boolean[] = [];

  read(most: number, waiting: number): number {
    const count = this.#reader.read(tube.acceptor, () => {}, most);
    // None while the other thread has its turn, which is as long as that is kept from going on.
    if (count !== 0) this.#few.push(count < Math.min(most, waiting, 5));
    return count;
  }

  /** Two may come together where what one thread has taken ends. */
  get threeInTurn(): number {
    return this.#few.filter((few, i) => few && this.#few[i - 1] && this.#few[i - 2]).length;
  }
}

// Of these a slab has room for more than a few, and a copy is made of a few.
describe.each([1, 12, 64, 100, 252, 500, 512, 600, 1000])('of packets of %i bytes', (size) => {
  test('no three reads in turn take but a few, however much of a slab was in use', () => {
    const reads = new Reads();
    for (let i = 0; i < READS; i++) {
      refill(packet(size, i));
      reads.read(i % 2 === 0 ? wanted(i) : LARGEST_BATCH, LARGEST_BATCH);
    }
    expect(reads.threeInTurn).toBe(0);
  });

  test('no three reads in turn take but a few of what another thread has taken ahead', async () => {
    tube.close();
    const watcher = Watcher.onLoop();
    await watcher.startRelief();
    tube = new JoinedTube(LEAST_RING, watcher.reactor);
    tube.acceptor.setTakesAhead(true);
    const reads = new Reads();
    for (let round = 0; round < 20; round++) {
      const waiting = refill(packet(size, round));
      // What is half full is left so, which is one slot less than half of them: one is kept free.
      await eventually(() => tube.opener.freeSlots() >= tube.opener.slots / 2 - 1, true);
      for (let left = waiting, i = 0; left > 0; i++) left -= reads.read(wanted(round + i), left);
    }
    expect(reads.threeInTurn).toBe(0);
    tube.close();
    await watcher.close();
  });
});

test.each([1, 64, 255, 256, 257, 511, 512, 1500, 4096])(
  'packets of %i bytes that are kept stay what they were, whatever is read after them',
  (size) => {
    const reader = new PacketReader();
    const kept: Buffer[] = [];
    const sent: string[] = [];
    for (let i = 0; kept.length < 2000; i++) {
      for (let k = 0; k < 1 + (i % 9); k++) {
        const one = packet(size, sent.length);
        if (tube.opener.write(one) > 0) sent.push(text(one));
      }
      while (reader.read(tube.acceptor, (each) => kept.push(each), wanted(i)) > 0);
    }
    expect(kept.map(text)).toEqual(sent);
  },
);

test('packets that are garbage are collected by scavenges, of which few are of everything', async () => {
  const collections: number[] = [];
  const observer = new PerformanceObserver((list) => {
    const entries = list.getEntries() as unknown as { detail: { kind: number } }[];
    for (const { detail } of entries) collections.push(detail.kind);
  });
  observer.observe({ entryTypes: ['gc'] });
  // What survives makes the young generation as large as it gets.
  for (let i = 0; i < 40; i++) Array.from({ length: 100_000 }, () => [i]);
  await sleep(0);
  collections.length = 0;
  const reader = new PacketReader();
  let last: Buffer | undefined;
  for (let i = 0; i < 20_000; i++) {
    refill(packet(4096, i));
    reader.read(tube.acceptor, (each) => {
      last = each;
    });
    if (i % 1000 === 0) await sleep(0);
  }
  await sleep(0);
  observer.disconnect();
  expect(last).toHaveLength(4096);
  const scavenges = collections.filter((kind) => kind === constants.NODE_PERFORMANCE_GC_MINOR).length;
  expect(scavenges).toBeGreaterThan(20);
  expect(collections.length - scavenges).toBeLessThan(scavenges / 2);
});
