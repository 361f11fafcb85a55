/** Bytes of the length, big-endian, in front of each packet; 0: no packets but a stream. */
export type HeaderSize = 0 | 1 | 2 | 4;

/** The length of a packet as its header; undefined for one that is too long. */
export function packetHeader(size: HeaderSize, length: number): Buffer | undefined {
  if (size > 0 && length >= 2 ** (8 * size)) return undefined;
  const header = Buffer.allocUnsafe(size);
  if (size > 0) header.writeUIntBE(length, 0, size);
  return header;
}

/**
 * Bytes taken apart into packets, as `{packet, N}` of open_port does it, however they arrive.
 *
 * Of a packet that is not complete what has come is kept, not what its header announces: a program that lies does not
 * take memory.
 */
export class PacketReader {
  readonly #header: Buffer;
  #headerBytes = 0;
  /** Of the packet whose header is complete: what is missing, and what there is. */
  #missing = 0;
  #pieces: Buffer[] = [];

  constructor(private readonly headerSize: Exclude<HeaderSize, 0>) {
    this.#header = Buffer.alloc(headerSize);
  }

  /** The packets that more bytes have completed, in order: views on the bytes where they lie in one piece. */
  push(bytes: Buffer): Buffer[] {
    const packets: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      if (this.#headerBytes < this.headerSize) {
        this.#header[this.#headerBytes++] = bytes[at++] as number;
        if (this.#headerBytes < this.headerSize) continue;
        this.#missing = this.#header.readUIntBE(0, this.headerSize);
      }
      const piece = bytes.subarray(at, at + this.#missing);
      at += piece.length;
      this.#missing -= piece.length;
      if (this.#missing === 0) packets.push(this.#complete(piece));
      else if (piece.length > 0) this.#pieces.push(piece);
    }
    return packets;
  }

  #complete(last: Buffer): Buffer {
    const packet = this.#pieces.length === 0 ? last : Buffer.concat([...this.#pieces, last]);
    this.#pieces = [];
    this.#headerBytes = 0;
    return packet;
  }
}
