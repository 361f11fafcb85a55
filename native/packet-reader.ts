import { Buffer } from 'node:buffer';
import { LARGEST_RECORD, newSlab, type TubeEnd } from './index.js';

/** So many packets are handed out at once, at most. */
export const LARGEST_BATCH = 256;

/** So few packets, of so few bytes in all, are not worth keeping a slab for whoever keeps them. */
const FEW = 4;
const LITTLE = 1024;

/**
 * With less of a slab left than this it is done with. A read that ends there must not have been of little: that would be
 * copied, and the slab left as it was, for the next one to end there as well.
 */
const LEAST_ROOM = LARGEST_RECORD + 2 * LITTLE;

/** What Buffers are made by: Buffer.from and subarray come to the same, but take twice as long. */
const FastBuffer = (Buffer as unknown as { [Symbol.species]: typeof Uint8Array })[
  Symbol.species
] as unknown as new (
  memory: ArrayBuffer,
  offset: number,
  length: number,
) => Buffer;

/**
 * Takes packets out of rings in batches, on slabs that are used for many: making memory known to JavaScript costs
 * more than a packet. A packet is a view on its slab, which is free again when all of its packets are garbage; a few small
 * ones are copied into memory of Node's pool.
 */
export class PacketReader {
  /** None while packets are being handed out: whoever takes one may end up reading another ring. */
  #spare: Uint32Array | undefined = new Uint32Array(2 * LARGEST_BATCH);
  #slab = Buffer.from(newSlab());
  #offset = 0;

  /** Hands out waiting packets, oldest first, at most {@link LARGEST_BATCH} or `most`. Returns how many there were, or BROKEN. */
  read(end: TubeEnd, take: (packet: Buffer) => void, most = LARGEST_BATCH): number {
    if (this.#slab.length - this.#offset < LEAST_ROOM) {
      this.#slab = Buffer.from(newSlab());
      this.#offset = 0;
    }
    const places = this.#spare ?? new Uint32Array(2 * LARGEST_BATCH);
    this.#spare = undefined;
    const memory = this.#slab.buffer as ArrayBuffer;
    const start = this.#offset;
    const count = end.read(this.#slab, start, most < LARGEST_BATCH ? places.subarray(0, 2 * most) : places);
    const last = 2 * count - 2;
    const bytes = count > 0 ? (places[last] as number) + (places[last + 1] as number) : 0;
    const isLittle = count <= FEW && bytes <= LITTLE;
    // At a multiple of 8 again, as packets have them in the ring.
    const next = (start + bytes + 7) & ~7;
    this.#offset = next;
    for (let i = 0; i <= last; i += 2) {
      const packet = new FastBuffer(memory, start + (places[i] as number), places[i + 1] as number);
      take(isLittle ? copyOf(packet) : packet);
    }
    // Unless whoever took one has read more.
    if (isLittle && this.#slab.buffer === memory && this.#offset === next) this.#offset = start;
    this.#spare = places;
    return count;
  }
}

function copyOf(packet: Buffer): Buffer {
  const copy = Buffer.allocUnsafe(packet.length);
  copy.set(packet);
  return copy;
}
