/** Changes to an input: few at a time, so that most of what it has reached is reached again, and a little more. */
import type { Random } from './random';

export interface Aids {
  readonly random: Random;
  /** What inputs of this kind often have in them. */
  readonly dictionary: readonly Uint8Array[];
  /** The longest that an input may be. */
  readonly mostBytes: number;
}

/** `input` with some changes, one of them maybe that it gets a part of `other`. */
export function mutate(input: Buffer, other: Buffer, aids: Aids): Buffer {
  const { random } = aids;
  let mutant = input;
  for (let changes = 1 << random.below(4); changes > 0; changes--) {
    // There is nothing to change in an empty one.
    const change = mutant.length === 0 ? insertNoise : random.of(CHANGES);
    mutant = change(mutant, aids, other);
  }
  return mutant.subarray(0, aids.mostBytes);
}

type Change = (bytes: Buffer, aids: Aids, other: Buffer) => Buffer;

const CHANGES: readonly Change[] = [
  flipBit,
  setByte,
  setNumber,
  addToNumber,
  insertNoise,
  remove,
  remove,
  repeat,
  overwriteBySelf,
  insertToken,
  overwriteByToken,
  insertFromOther,
  overwriteByOther,
  crossOver,
];

function flipBit(bytes: Buffer, { random }: Aids): Buffer {
  const at = random.below(bytes.length);
  return overwrite(bytes, at, [bytes[at]! ^ (1 << random.below(8))]);
}

function setByte(bytes: Buffer, { random }: Aids): Buffer {
  return overwrite(bytes, random.below(bytes.length), [random.below(256)]);
}

/** Where numbers of 8, 16 and 32 bits change their sign, or how much memory somebody sets aside for them. */
const EDGES = [0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0xfff, 0x1000, 0x1001, 0x7fff, 0x8000, 0xffff].concat([
  0x10000, 0xff_ffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff,
]);

function setNumber(bytes: Buffer, { random }: Aids): Buffer {
  const number = random.below(4) === 0 ? bytes.length - random.below(8) : random.of(EDGES);
  return overwrite(bytes, random.below(bytes.length), bytesOf(number, random));
}

function addToNumber(bytes: Buffer, { random }: Aids): Buffer {
  const at = random.below(bytes.length);
  const size = Math.min(random.of([1, 2, 4]), bytes.length - at);
  const more = random.below(33) - 16;
  const limit = 2 ** (8 * size);
  const sum = Buffer.alloc(size);
  const isLittle = random.below(2) === 0;
  const number = isLittle ? bytes.readUIntLE(at, size) : bytes.readUIntBE(at, size);
  const result = (number + more + limit) % limit;
  if (isLittle) sum.writeUIntLE(result, 0, size);
  else sum.writeUIntBE(result, 0, size);
  return overwrite(bytes, at, sum);
}

function bytesOf(number: number, random: Random): Buffer {
  const size = random.of([1, 2, 4]);
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(number | 0);
  const little = bytes.subarray(0, size);
  return random.below(2) === 0 ? little : little.reverse();
}

function insertNoise(bytes: Buffer, { random }: Aids): Buffer {
  const noise = Buffer.from(Array.from({ length: 1 + random.below(8) }, () => random.below(256)));
  return insert(bytes, random.below(bytes.length + 1), noise);
}

function remove(bytes: Buffer, { random }: Aids): Buffer {
  const [start, end] = range(bytes, random);
  return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
}

function repeat(bytes: Buffer, { random }: Aids): Buffer {
  const part = bytes.subarray(...range(bytes, random));
  const copies = Array.from({ length: 1 + random.below(random.below(8) === 0 ? 64 : 3) }, () => part);
  return insert(bytes, random.below(bytes.length + 1), Buffer.concat(copies));
}

function overwriteBySelf(bytes: Buffer, aids: Aids): Buffer {
  return overwriteByOther(bytes, aids, bytes);
}

function insertToken(bytes: Buffer, { random, dictionary }: Aids): Buffer {
  return insert(bytes, random.below(bytes.length + 1), random.of(dictionary));
}

function overwriteByToken(bytes: Buffer, { random, dictionary }: Aids): Buffer {
  return overwrite(bytes, random.below(bytes.length), random.of(dictionary));
}

function insertFromOther(bytes: Buffer, { random }: Aids, other: Buffer): Buffer {
  return insert(bytes, random.below(bytes.length + 1), other.subarray(...range(other, random)));
}

function overwriteByOther(bytes: Buffer, { random }: Aids, other: Buffer): Buffer {
  return overwrite(bytes, random.below(bytes.length), other.subarray(...range(other, random)));
}

function crossOver(bytes: Buffer, { random }: Aids, other: Buffer): Buffer {
  const head = bytes.subarray(0, random.below(bytes.length + 1));
  return Buffer.concat([head, other.subarray(random.below(other.length + 1))]);
}

/** The beginning and end of some of the bytes, mostly few; none of none. */
function range({ length }: Buffer, random: Random): [start: number, end: number] {
  if (length === 0) return [0, 0];
  const start = random.below(length);
  return [start, start + 1 + random.below(Math.min(length - start, 1 << random.below(10)))];
}

function insert(bytes: Buffer, at: number, more: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
}

function overwrite(bytes: Buffer, at: number, by: ArrayLike<number>): Buffer {
  const result = Buffer.concat([bytes], Math.max(bytes.length, at + by.length));
  result.set(by, at);
  return result;
}
