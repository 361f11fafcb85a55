import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  allocatePages,
  BROKEN,
  closeFd,
  createDoorbell,
  MAX_PACKET,
  mapPages,
  readGrefs,
  TUBE_PAGES,
  TubeEnd,
  WRITTEN_LAST,
  writeGrefs,
} from '#native';
import { JoinedTube, packet, take, text } from '../support/joined-tube';
import { changesSince, descriptorsOf, holdings } from '../support/residue';

// The layout that ring_layout.h draws.
const TX = 0;
const RX = 264;
const HEAD = 0;
const TAIL = 4;
const lengthOf = (slot: number): number => 8 + slot * 8;

let before: ReturnType<typeof holdings>;
let tube: JoinedTube;

beforeEach(() => {
  before = holdings();
  tube = new JoinedTube();
});
afterEach(() => {
  tube.close();
  expect(changesSince(before)).toEqual([]);
});

const SIZES = [1, 2, 63, 64, 65, 4000, 4095, 4096];
/** What writing that packet of an empty ring answers. */
const written = (i: number): number => (i < 30 ? 1 : i === 30 ? WRITTEN_LAST : 0);
const COUNTS = [0, 1, 2, 30, 31, 32, 33, 62];

describe.each(['opener', 'acceptor'] as const)('from the %s', (side) => {
  const ends = (): [TubeEnd, TubeEnd] =>
    side === 'opener' ? [tube.opener, tube.acceptor] : [tube.acceptor, tube.opener];

  test.each(SIZES.flatMap((size) => COUNTS.map((count) => [count, size])))(
    '%i packets of %i bytes: 31 arrive, the others are drops, and again after wrapping round',
    (count, size) => {
      const [from, to] = ends();
      const fit = Math.min(count, 31);
      for (let round = 0; round < 3; round++) {
        const packets = Array.from({ length: count }, (_, i) => packet(size, round * 100 + i));
        expect(packets.map((each) => from.write(each))).toEqual(packets.map((_, i) => written(i)));
        expect(from.freeSlots()).toBe(31 - fit);
        from.flush();
        expect(take(to)).toEqual(packets.slice(0, fit).map(text));
        expect(from.freeSlots()).toBe(31);
      }
      expect(from.counters()).toMatchObject({
        sentPackets: 3 * fit,
        sentBytes: 3 * fit * size,
        droppedPackets: 3 * (count - fit),
      });
      expect(to.counters()).toMatchObject({ receivedPackets: 3 * fit, receivedBytes: 3 * fit * size });
    },
  );

  test.each([0, 4097, 10_000])('a packet of %i bytes is refused', (size) => {
    expect(() => ends()[0].write(Buffer.alloc(size))).toThrow('a packet has 1 to 4096 bytes');
    expect(ends()[0].counters()).toMatchObject({ sentPackets: 0, droppedPackets: 0 });
  });

  test('reading stops at the bound of packets and where the next might not fit', () => {
    const [from, to] = ends();
    for (let i = 0; i < 10; i++) from.write(packet(100, i));
    expect(take(to, 3)).toHaveLength(3);
    const places = new Uint32Array(2 * 31);
    expect(to.read(new Uint8Array(MAX_PACKET - 1), 0, places)).toBe(0);
    expect(to.read(new Uint8Array(MAX_PACKET + 150), 0, places)).toBe(2);
    expect(() => to.read(new Uint8Array(10), 11, places)).toThrow('beyond the slab');
    expect(take(to)).toHaveLength(5);
  });

  const NONSENSE = [-1, 32, 33, 4096, 0x7fffffff, -0x80000000];

  test.each(NONSENSE)('a peer that writes %i as an index breaks the tube, not the process', (value) => {
    const [from, to] = ends();
    const ring = side === 'opener' ? TX : RX;
    tube.poke(ring + HEAD, value);
    expect([from.freeSlots(), from.write(packet(1, 1)), from.armRoom(1)]).toEqual([BROKEN, BROKEN, BROKEN]);
    tube.poke(ring + TAIL, value);
    expect([take(to), to.armPackets()]).toEqual([BROKEN, BROKEN]);
  });

  test.each([0, 4097, 0x7fffffff, -1])(
    'a length of %i breaks the tube once what was before it is read',
    (value) => {
      const [from, to] = ends();
      const ring = side === 'opener' ? TX : RX;
      for (let i = 0; i < 5; i++) from.write(packet(10, i));
      tube.poke(ring + lengthOf(3), value);
      expect(take(to)).toEqual([0, 1, 2].map((i) => text(packet(10, i))));
      expect(take(to)).toBe(BROKEN);
    },
  );

  test('an overwritten own index is not believed', () => {
    const [from, to] = ends();
    const ring = side === 'opener' ? TX : RX;
    from.write(packet(10, 1));
    tube.poke(ring + TAIL, 17);
    from.write(packet(10, 2));
    expect(take(to)).toEqual([text(packet(10, 1)), text(packet(10, 2))]);
    tube.poke(ring + HEAD, 5);
    from.write(packet(10, 3));
    expect(take(to)).toEqual([text(packet(10, 3))]);
  });

  test('a packet wakes whoever armed and looked, once; after that nothing, until armed again', async () => {
    const [from, to] = ends();
    expect(tube.reactor.attach()).toBe(true);
    from.write(packet(1, 1));
    from.flush();
    await turns();
    expect(tube.ready).toEqual([]);
    expect(to.armPackets()).toBe(1);
    take(to);
    expect(to.armPackets()).toBe(0);
    for (let i = 0; i < 3; i++) {
      from.write(packet(1, i));
      from.flush();
      await turns();
    }
    expect(tube.ready.splice(0)).toEqual([to.packetsToken]);
  });

  test('without flush() a packet is announced when half the ring is not, or nothing more fits', async () => {
    const [from, to] = ends();
    tube.reactor.attach();
    to.armPackets();
    for (let i = 0; i < 15; i++) from.write(packet(1, i));
    await turns();
    expect(tube.ready).toEqual([]);
    from.write(packet(1, 16));
    await turns();
    expect(tube.ready.splice(0)).toEqual([to.packetsToken]);
    to.armPackets();
    for (let i = 0; i < 16; i++) from.write(packet(1, i));
    await turns();
    expect(tube.ready).toEqual([to.packetsToken]);
  });

  test('room wakes a full writer', async () => {
    const [from, to] = ends();
    tube.reactor.attach();
    for (let i = 0; i < 31; i++) from.write(packet(1, i));
    expect(from.armRoom(1)).toBe(0);
    take(to, 1);
    await turns();
    expect(tube.ready).toEqual([from.roomToken]);
    expect(from.armRoom(1)).toBe(1);
  });
});

test('a closed end says so, gives back what it had, and can be closed again', () => {
  const open = descriptorsOf('self').length;
  tube.opener.close();
  tube.opener.close();
  tube.opener.flush();
  expect(descriptorsOf('self').length).toBe(open - 2);
  expect(() => tube.opener.write(packet(1, 1))).toThrow('closed');
  expect(() => tube.opener.read(new Uint8Array(5000), 0, new Uint32Array(1))).toThrow('closed');
});

test('the memory is laid out as LING lays it out', () => {
  tube.opener.write(packet(5, 1));
  tube.opener.write(packet(6, 2));
  tube.acceptor.write(packet(7, 3));
  expect([HEAD, TAIL, lengthOf(0), lengthOf(1)].map((at) => tube.peek(TX + at).readInt32LE())).toEqual([
    0, 2, 5, 6,
  ]);
  expect([HEAD, TAIL, lengthOf(0)].map((at) => tube.peek(RX + at).readInt32LE())).toEqual([0, 1, 7]);
  expect(tube.peek(2 * 4096, 6)).toEqual(packet(6, 2));
  expect(tube.peek(33 * 4096, 7)).toEqual(packet(7, 3));
});

test('a doorbell that nobody silences keeps nobody waiting', () => {
  for (let i = 0; i < 1000; i++) {
    tube.opener.write(packet(10, i));
    expect(take(tube.acceptor)).toHaveLength(1);
  }
  const rings = fs.readSync(tube.roomBell, Buffer.alloc(4096));
  expect(rings).toBeGreaterThan(64);
  expect(rings).toBeLessThan(1000);
});

test('nor does one whose other end is gone', () => {
  tube.opener.close();
  for (let i = 0; i < 10; i++) {
    tube.acceptor.write(packet(10, i));
    tube.acceptor.flush();
    expect(tube.acceptor.armPackets()).toBe(0);
  }
  expect(tube.acceptor.counters()).toMatchObject({ sentPackets: 10 });
});

describe('pages', () => {
  test('grant references are written and read, 64 of them', () => {
    const [pages, fd] = allocatePages(TUBE_PAGES);
    const grefs = Array.from({ length: 64 }, (_, i) => 0xffff_ff00 + i);
    writeGrefs(pages, grefs);
    const other = mapPages([fd, 0]);
    expect(readGrefs(other)).toEqual(grefs);
    expect(() => writeGrefs(pages, grefs.slice(1))).toThrow('64');
    expect(() => writeGrefs(other, grefs)).toThrow('65 pages');
    for (const each of [pages, other]) each.close();
    expect(() => readGrefs(pages)).toThrow('closed');
    closeFd(fd);
  });

  test('pages of several memories are mapped in the order given, and only those that are there', () => {
    const memories = [allocatePages(2), allocatePages(3)];
    const [[, first], [, second]] = memories as [[unknown, number], [unknown, number]];
    fs.writeSync(second, Buffer.from([1, 2, 3, 4]), 0, 4, 2 * 4096 + 12);
    const mapped = mapPages([second, 2, first, 1, first, 0, second, 0]);
    expect(readGrefs(mapped)[0]).toBe(0x04030201);
    for (const past of [2, 3, 0x7fffffff, 0xffffffff]) {
      expect(() => mapPages([first, 0, first, past])).toThrow('beyond the end');
    }
    expect(() => mapPages([])).toThrow('no pages');
    mapped.close();
    for (const [pages, fd] of memories) {
      pages.close();
      closeFd(fd);
    }
  });

  test('memory that somebody could take away is refused', () => {
    const file = path.join(os.tmpdir(), `lt-pages-${process.pid}`);
    const fds = [fs.openSync(file, 'w+'), fs.openSync('/dev/zero', 'r+'), unsealedMemfd()];
    fs.unlinkSync(file);
    fs.ftruncateSync(fds[0] as number, 8192);
    for (const fd of [...fds, -1, 9999]) expect(() => mapPages([fd, 0])).toThrow('not sealed');
    fds.forEach(closeFd);
  });

  test('a tube of any other number of pages is refused, its pages and descriptors given back', () => {
    const held = holdings();
    for (const count of [1, 64, 66]) {
      const [pages, fd] = allocatePages(count);
      closeFd(fd);
      const doorbells = createDoorbell();
      expect(() => new TubeEnd(tube.reactor, 'opener', pages, doorbells, 0)).toThrow('65 pages');
    }
    expect(changesSince(held)).toEqual([]);
  });
});

/** Memory as a memfd has it that can still be shrunk: Node cannot make one, but tmpfs files are the same thing. */
function unsealedMemfd(): number {
  const file = `/dev/shm/lt-unsealed-${process.pid}`;
  const fd = fs.openSync(file, 'w+');
  fs.unlinkSync(file);
  fs.ftruncateSync(fd, 8192);
  return fd;
}

async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise(setImmediate);
}
