import fs from 'node:fs';
import {
  allocatePages,
  closeFd,
  createDoorbell,
  dupFd,
  MAX_PACKET,
  mapPages,
  Reactor,
  TUBE_PAGES,
  TubeEnd,
} from '#native';

/** Both ends of a tube, joined in this OS process, and its memory as a hostile peer sees it. */
export class JoinedTube {
  readonly reactor: Reactor;
  readonly ready: number[] = [];
  readonly acceptor: TubeEnd;
  readonly opener: TubeEnd;
  /** What the acceptor rings when it has taken packets, as LING has it. */
  readonly roomBell: number;
  readonly #memory: number;

  /** With packed rings of that size, or as LING has it; on somebody's reactor, or one that says what is `ready`. */
  constructor(ringSize = 0, reactor?: Reactor) {
    this.reactor = reactor ?? new Reactor((tokens) => this.ready.push(...tokens));
    const count = ringSize === 0 ? TUBE_PAGES : 1 + (2 * ringSize) / 4096;
    const [pages, memory] = allocatePages(count);
    const all = Array.from({ length: count }, (_, page) => [memory, page]).flat();
    const mapped = mapPages(all);
    const [first, second] = [createDoorbell(), createDoorbell()];
    this.roomBell = dupFd(second[1]);
    // LING has a doorbell for each ring, we for each thread.
    const theirs = ringSize === 0 ? ([second[1], first[1]] as const) : ([first[1], second[1]] as const);
    this.acceptor = new TubeEnd(this.reactor, 'acceptor', pages, [first[0], second[0]], ringSize);
    this.opener = new TubeEnd(this.reactor, 'opener', mapped, theirs, ringSize);
    this.#memory = memory;
  }

  poke(offset: number, value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value >>> 0);
    fs.writeSync(this.#memory, bytes, 0, 4, offset);
  }

  peek(offset: number, length = 4): Buffer {
    const bytes = Buffer.alloc(length);
    fs.readSync(this.#memory, bytes, 0, length, offset);
    return bytes;
  }

  close(): void {
    this.acceptor.close();
    this.opener.close();
    closeFd(this.roomBell);
    this.reactor.stop();
    closeFd(this.#memory);
  }
}

/** What packets are made of. */
const PATTERN = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * i * 31 + i * 7) & 255));

export function packet(length: number, seed: number): Buffer {
  return PATTERN.subarray(seed % 251, (seed % 251) + length);
}

/** Packets as strings: expect compares these in no time. */
export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

/** What waits, or BROKEN. */
export function take(end: TubeEnd, most = 31): string[] | number {
  const slab = new Uint8Array(32 * MAX_PACKET);
  const places = new Uint32Array(2 * most);
  const count = end.read(slab, 0, places);
  if (count < 0) return count;
  return Array.from({ length: count }, (_, i) => {
    const [offset, length] = places.subarray(2 * i, 2 * i + 2) as unknown as [number, number];
    return text(slab.subarray(offset, offset + length));
  });
}
