/**
 * Packets that can be checked to the last byte, as all of a packet follows from its number:
 *
 *     0            6      8
 *     | number     | size | bytes of a block of noise, from a place in it that is the number's
 *
 * So who gets one makes it again, and compares. Of two packets no byte is likely to be the same, and of one in two parts of
 * others something cannot fit.
 */
import { MAX_PACKET } from '../../native/index.js';
import { mix, Random } from './random.js';

export const HEADER = 8;
/** Most are no larger than this. */
const SMALL = 64;
/** Up to so many bytes a loop is faster than a call of C++. */
const FEW = 128;
const PLACES = 2 ** 16;

const noise = new Random(0);
const NOISE = Buffer.from(Array.from({ length: PLACES + MAX_PACKET }, () => noise.below(256)));

/** Makes room for a packet of that size. */
export type Room = (size: number) => Buffer;

/** Room for one packet at a time: all of them in the same memory, as a view costs as much as a packet. */
export function roomForOne(): Room {
  const memory = Buffer.alloc(MAX_PACKET);
  const views = new Array<Buffer | undefined>(MAX_PACKET + 1);
  return (size) => {
    const view = views[size] ?? memory.subarray(0, size);
    views[size] = view;
    return view;
  };
}

export class Packets {
  readonly #salt: number;
  readonly #large: number;

  /** Other ones for each salt; so many in a hundred have any size at all, the others are small. */
  constructor(salt: number, large: number) {
    this.#salt = salt;
    this.#large = Math.round((large / 100) * 1024);
  }

  /** The packet of that number. */
  make(number: number, room: Room): Buffer {
    const bits = this.#bits(number);
    const size = this.#size(bits);
    const packet = room(size);
    packet.writeUInt32LE(number >>> 0, 0);
    packet.writeUInt16LE(Math.floor(number / 2 ** 32), 4);
    packet.writeUInt16LE(size, 6);
    const from = placeOf(bits);
    if (size > FEW) NOISE.copy(packet, HEADER, from, from + size - HEADER);
    else for (let i = HEADER; i < size; i++) packet[i] = NOISE[from + i - HEADER] as number;
    return packet;
  }

  /** What is wrong with a packet that is to be the one of that number; undefined when all of it is right. */
  faultOf(packet: Buffer, number: number): string | undefined {
    const bits = this.#bits(number);
    const size = this.#size(bits);
    if (packet.length !== size) return `has ${packet.length} bytes instead of ${size}`;
    if (numberOf(packet) !== number) return `has the number ${numberOf(packet)}`;
    if (packet.readUInt16LE(6) !== size) return `says that it has ${packet.readUInt16LE(6)} bytes`;
    return isNoise(packet, placeOf(bits)) ? undefined : 'is torn';
  }

  #bits(number: number): number {
    return mix(number ^ Math.floor(number / 2 ** 32) ^ this.#salt);
  }

  #size(bits: number): number {
    const isLarge = (bits & 1023) < this.#large;
    return HEADER + ((bits >>> 10) % ((isLarge ? MAX_PACKET : SMALL) - HEADER + 1));
  }
}

/** What number a packet says that it has; -1 for one that has no room for it. */
export function numberOf(packet: Buffer): number {
  return packet.length < HEADER ? -1 : packet.readUInt32LE(0) + packet.readUInt16LE(4) * 2 ** 32;
}

/** Of other bits than the size. */
function placeOf(bits: number): number {
  return Math.imul(bits, 0x9e3779b1) >>> 16;
}

function isNoise(packet: Buffer, from: number): boolean {
  const size = packet.length;
  if (size > FEW) return NOISE.compare(packet, HEADER, size, from, from + size - HEADER) === 0;
  for (let i = HEADER; i < size; i++) if (packet[i] !== NOISE[from + i - HEADER]) return false;
  return true;
}
