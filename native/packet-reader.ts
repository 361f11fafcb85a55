import { newSlab, type TubeEnd } from './index.js';

const LARGEST_BATCH = 31;
const LARGEST_PACKET = 4096;

/**
 * Takes packets out of rings in batches, on slabs that are used for many: making memory known to JavaScript costs
 * more than a packet. A packet is a view on its slab, which is free again when all of its packets are garbage.
 */
export class PacketReader {
  readonly #lengths = new Uint32Array(LARGEST_BATCH);
  #slab = new Uint8Array(newSlab());
  #offset = 0;

  /** Hands out up to 31 waiting packets, oldest first. Returns how many there were, or BROKEN. */
  read(end: TubeEnd, take: (packet: Buffer) => void): number {
    if (this.#slab.length - this.#offset < LARGEST_PACKET) {
      this.#slab = new Uint8Array(newSlab());
      this.#offset = 0;
    }
    const count = end.read(this.#slab, this.#offset, this.#lengths);
    // All views first: whoever takes a packet may end up reading another ring into the same slab.
    const { buffer } = this.#slab;
    const packets: Buffer[] = [];
    for (let i = 0; i < count; i++) {
      const length = this.#lengths[i] as number;
      packets.push(Buffer.from(buffer, this.#offset, length));
      this.#offset += length;
    }
    for (const packet of packets) take(packet);
    return count;
  }
}
