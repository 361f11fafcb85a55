import { newSlab, type TubeEnd } from './index.js';

const LARGEST_BATCH = 31;
const LARGEST_PACKET = 4096;

/**
 * Takes packets out of rings in batches, on slabs that are used for many: making memory known to JavaScript costs
 * more than a packet. A packet is a view on its slab, which is free again when all of its packets are garbage.
 */
export class PacketReader {
  /** None while packets are being handed out: whoever takes one may end up reading another ring. */
  #spare: Uint32Array | undefined = new Uint32Array(LARGEST_BATCH);
  #slab = Buffer.from(newSlab());
  #offset = 0;

  /** Hands out waiting packets, oldest first, at most 31 or `most`. Returns how many there were, or BROKEN. */
  read(end: TubeEnd, take: (packet: Buffer) => void, most = LARGEST_BATCH): number {
    if (this.#slab.length - this.#offset < LARGEST_PACKET) {
      this.#slab = Buffer.from(newSlab());
      this.#offset = 0;
    }
    const lengths = this.#spare ?? new Uint32Array(LARGEST_BATCH);
    this.#spare = undefined;
    const slab = this.#slab;
    let start = this.#offset;
    const count = end.read(slab, start, most < LARGEST_BATCH ? lengths.subarray(0, most) : lengths);
    for (let i = 0; i < count; i++) this.#offset += lengths[i] as number;
    for (let i = 0; i < count; i++) {
      const next = start + (lengths[i] as number);
      take(slab.subarray(start, next));
      start = next;
    }
    this.#spare = lengths;
    return count;
  }
}
