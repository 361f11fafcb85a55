/**
 * Messages of any size as packets of a tube. The first byte of a packet says whether more of its message follows:
 *
 *     | 0   | up to 4000 bytes |   | 0   | up to 4000 bytes |   | 255 | the last bytes |
 */
const MORE = 0;
const LAST = 255;
const LARGEST_CHUNK = 4000;

/** A peer has not kept to the protocol. */
export class ProtocolError extends Error {
  readonly code = 'ERR_NAVEL_PROTOCOL';
}

/** How many packets a message of so many bytes takes; even an empty one takes one. */
export function packetCount(length: number): number {
  return Math.max(1, Math.ceil(length / LARGEST_CHUNK));
}

/** Packet `index` of a message, from 0. */
export function packetAt(message: Uint8Array, index: number): Buffer {
  const start = index * LARGEST_CHUNK;
  const chunk = message.subarray(start, start + LARGEST_CHUNK);
  const packet = Buffer.allocUnsafe(1 + chunk.length);
  packet[0] = start + chunk.length < message.length ? MORE : LAST;
  packet.set(chunk, 1);
  return packet;
}

/**
 * Puts messages together again. What it holds is at most twice `limit` bytes, however finely a peer cuts: chunks are
 * copied together as they come.
 */
export class Assembler {
  #bytes = Buffer.alloc(0);
  #length = 0;

  constructor(
    /** The longest message, in bytes. */
    readonly limit: number,
  ) {}

  /**
   * The message that this packet completes, as bytes of its own; undefined when more of it follows.
   * @throws ProtocolError for a first byte that is neither 0 nor 255, and for a message beyond the limit
   */
  add(packet: Uint8Array): Buffer | undefined {
    const [flag] = packet;
    if (flag !== MORE && flag !== LAST) {
      throw new ProtocolError(`expected a packet that begins with 0 or 255, found ${flag}`);
    }
    const length = this.#length + packet.length - 1;
    if (length > this.limit)
      throw new ProtocolError(`expected a message of at most ${this.limit} bytes, found more`);
    if (length > this.#bytes.length) this.#grow(length);
    this.#bytes.set(packet.subarray(1), this.#length);
    this.#length = length;
    return flag === LAST ? this.#take() : undefined;
  }

  #grow(length: number): void {
    const bytes = Buffer.allocUnsafe(Math.min(this.limit, Math.max(length, 2 * this.#bytes.length)));
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
  }

  #take(): Buffer {
    const message = this.#bytes.subarray(0, this.#length);
    this.#bytes = Buffer.alloc(0);
    this.#length = 0;
    return message;
  }
}
