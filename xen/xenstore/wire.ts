/**
 * Xenstore's wire format (Xen's public/io/xs_wire.h): a 16-byte header of four little-endian u32, then the payload.
 *
 *      0        4         8        12        16              16 + length
 *     +--------+---------+--------+---------+-------- ... ---+
 *     |  type  |  reqId  |  txId  | length  |    payload     |      length <= 4096
 *     +--------+---------+--------+---------+-------- ... ---+
 */
import { XenstoreError } from './errors.js';

export const XS_CONTROL = 0;
export const XS_DIRECTORY = 1;
export const XS_READ = 2;
export const XS_GET_PERMS = 3;
export const XS_WATCH = 4;
export const XS_UNWATCH = 5;
export const XS_TRANSACTION_START = 6;
export const XS_TRANSACTION_END = 7;
export const XS_INTRODUCE = 8;
export const XS_RELEASE = 9;
export const XS_GET_DOMAIN_PATH = 10;
export const XS_WRITE = 11;
export const XS_MKDIR = 12;
export const XS_RM = 13;
export const XS_SET_PERMS = 14;
export const XS_WATCH_EVENT = 15;
export const XS_ERROR = 16;
export const XS_IS_DOMAIN_INTRODUCED = 17;
export const XS_RESUME = 18;
export const XS_SET_TARGET = 19;
export const XS_RESET_WATCHES = 21;
export const XS_DIRECTORY_PART = 22;

/** Requests that change nodes: at once, or in a transaction when that ends. */
export const CHANGES: ReadonlySet<number> = new Set([XS_WRITE, XS_MKDIR, XS_RM, XS_SET_PERMS]);

/** Types from here on are not Xenstore's: a hypervisor of our own numbers its calls from here. */
export const FIRST_HYPERCALL = 0x100;

export const HEADER_SIZE = 16;
/** The longest payload, in both directions, in bytes. */
export const PAYLOAD_MAX = 4096;

export interface Packet {
  readonly type: number;
  /** Chosen by the client, any u32; its answer carries the same. Zero in watch events. */
  readonly reqId: number;
  /** The transaction the request belongs to; zero for none. */
  readonly txId: number;
  readonly payload: Buffer;
}

/** The bytes of a packet; `E2BIG` when the payload is longer than 4096. */
export function encodePacket(packet: Packet): Buffer {
  const { length } = packet.payload;
  if (length > PAYLOAD_MAX) throw new XenstoreError('E2BIG', `E2BIG: a payload of ${length} bytes`);
  const bytes = Buffer.allocUnsafe(HEADER_SIZE + length);
  bytes.writeUInt32LE(packet.type, 0);
  bytes.writeUInt32LE(packet.reqId, 4);
  bytes.writeUInt32LE(packet.txId, 8);
  bytes.writeUInt32LE(length, 12);
  packet.payload.copy(bytes, HEADER_SIZE);
  return bytes;
}

/** The byte stream stopped making sense: its connection must be closed. */
export class XenstoreProtocolError extends XenstoreError {
  override readonly name = 'XenstoreProtocolError';

  constructor(
    message: string,
    /** The packets that were complete before the senseless one, out of the same chunk. */
    readonly packets: readonly Packet[] = [],
  ) {
    super('EPROTO', message);
  }
}

/** Packets out of a byte stream, however it was cut. */
export class PacketDecoder {
  readonly #bytes = Buffer.allocUnsafe(HEADER_SIZE + PAYLOAD_MAX);
  #filled = 0;

  /**
   * Takes the next bytes, returns the packets they completed. Payloads are copies, so `chunk` may be reused.
   * Throws {@link XenstoreProtocolError} as soon as a header announces more than 4096 bytes, as xenstored closes
   * the connection then without waiting for them. Such a decoder is of no further use.
   */
  push(chunk: Uint8Array): Packet[] {
    const packets: Packet[] = [];
    let offset = 0;
    while (offset < chunk.length) {
      const piece = chunk.subarray(offset, offset + this.#missing());
      this.#bytes.set(piece, this.#filled);
      this.#filled += piece.length;
      offset += piece.length;
      if (this.#filled < HEADER_SIZE) break;
      if (this.#length() > PAYLOAD_MAX) {
        throw new XenstoreProtocolError(`a payload of ${this.#length()} bytes was announced`, packets);
      }
      if (this.#missing() === 0) packets.push(this.#take());
    }
    return packets;
  }

  /** Whether a packet has begun and not ended: a stream that stops here was cut off. */
  get partial(): boolean {
    return this.#filled > 0;
  }

  #length(): number {
    return this.#bytes.readUInt32LE(12);
  }

  /** Bytes up to the end of what can be told to be one piece: of the header, or of the packet. */
  #missing(): number {
    const end = this.#filled < HEADER_SIZE ? HEADER_SIZE : HEADER_SIZE + this.#length();
    return end - this.#filled;
  }

  #take(): Packet {
    const packet = {
      type: this.#bytes.readUInt32LE(0),
      reqId: this.#bytes.readUInt32LE(4),
      txId: this.#bytes.readUInt32LE(8),
      payload: Buffer.from(this.#bytes.subarray(HEADER_SIZE, this.#filled)),
    };
    this.#filled = 0;
    return packet;
  }
}

/**
 * The NUL-terminated strings of a payload; bytes after the last NUL are left out. Bytes become characters one by
 * one (latin1), so that any token survives the way there and back.
 */
export function splitStrings(payload: Buffer): string[] {
  const strings = payload.toString('latin1').split('\0');
  strings.pop();
  return strings;
}

/** The string of a payload that has exactly one NUL, at its end; undefined for any other payload. */
export function onlyString(payload: Buffer): string | undefined {
  if (payload.length === 0 || payload.indexOf(0) !== payload.length - 1) return undefined;
  return payload.toString('latin1', 0, payload.length - 1);
}

/** The number in the answer to TRANSACTION_START; undefined for any other payload. */
export function transactionId(payload: Buffer): number | undefined {
  const id = Number(/^\d{1,10}$/.exec(onlyString(payload) ?? ''));
  return id > 0 && id <= 0xffff_ffff ? id : undefined;
}

/** A payload of NUL-terminated strings, of which {@link splitStrings} is the reverse. */
export function joinStrings(strings: readonly string[]): Buffer {
  return Buffer.from(strings.map((string) => `${string}\0`).join(''), 'latin1');
}
