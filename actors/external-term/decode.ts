import { types } from 'node:util';
import type { Pid, Port, Reference } from '../identifiers.js';
import { Float, toList } from '../term.js';
import { readAtom } from './atoms.js';
import { ByteReader, malformed } from './byte-reader.js';
import * as identify from './identify.js';
import { inflate } from './inflate.js';
import { KeyOrder } from './key-order.js';
import { NoTerm } from './no-term.js';
import * as tag from './tags.js';

/**
 * The term of some bytes that term_to_binary wrote, here or in any Erlang since R6. Nothing of the result shares
 * memory with `binary`, which may be reused at once.
 *
 * The bytes may be anybody's. ErlangError `badarg`, saying what is wrong and at which byte, is all they can cause
 * otherwise: when they are cut short, malformed, followed by more bytes (which Erlang ignores), nested deeper than 512
 * levels, or hold what no value stands for (funs; bitstrings of other than whole bytes). Time and memory are in
 * proportion to their number; compressed terms may inflate to 16 MiB (Erlang manual, erlang:binary_to_term/1).
 */
export function binary_to_term(binary: Uint8Array): unknown {
  if (!types.isUint8Array(binary)) throw malformed('not a binary', 0);
  const bytes = Buffer.isBuffer(binary) ? binary : viewOf(binary);
  if (bytes[0] !== tag.VERSION) throw malformed(`does not begin with ${tag.VERSION}`, 0);
  if (bytes[1] === tag.COMPRESSED) return new Decoder(inflate(bytes), 0).whole();
  return new Decoder(bytes, 1).whole();
}

/** Bytes of an integer that JavaScript can still hold as a bigint (2^30 bits). */
const MAX_BIGINT_BYTES = 2 ** 27 - 1;

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

class Decoder extends ByteReader {
  private depth = 0;

  whole(): unknown {
    const term = this.term();
    if (this.at !== this.bytes.length) throw malformed('more bytes after the term', this.at);
    return term;
  }

  private term(): unknown {
    const start = this.at;
    const tagByte = this.uint8();
    switch (tagByte) {
      case tag.SMALL_INTEGER_EXT:
        return this.uint8();
      case tag.INTEGER_EXT:
        return this.int32();
      case tag.ATOM_EXT:
      case tag.SMALL_ATOM_EXT:
      case tag.ATOM_UTF8_EXT:
      case tag.SMALL_ATOM_UTF8_EXT: {
        const text = this.atom(tagByte);
        return text === 'true' ? true : text === 'false' ? false : text;
      }
      case tag.SMALL_TUPLE_EXT:
        return this.tuple(this.uint8());
      case tag.LARGE_TUPLE_EXT:
        return this.tuple(this.uint32());
      case tag.NIL_EXT:
        return toList([]);
      case tag.STRING_EXT:
        return toList(this.string([]));
      case tag.LIST_EXT:
        return this.list();
      case tag.BINARY_EXT:
        return this.binary(this.uint32());
      case tag.MAP_EXT:
        return this.map();
      case tag.NEW_FLOAT_EXT:
        return this.float();
      case tag.FLOAT_EXT:
        return this.textFloat();
      case tag.SMALL_BIG_EXT:
        return this.big(this.uint8());
      case tag.LARGE_BIG_EXT:
        return this.big(this.uint32());
      case tag.NEW_PID_EXT:
      case tag.PID_EXT:
        return this.pid(tagByte === tag.PID_EXT);
      case tag.NEW_PORT_EXT:
      case tag.V4_PORT_EXT:
      case tag.PORT_EXT:
        return this.port(tagByte);
      case tag.NEWER_REFERENCE_EXT:
        return this.reference(this.uint16(), false);
      case tag.NEW_REFERENCE_EXT:
        return this.reference(this.uint16(), true);
      case tag.REFERENCE_EXT:
        return this.oldReference();
      case tag.BIT_BINARY_EXT:
        return this.bitBinary();
      default:
        return this.fail(tag.UNREADABLE.get(tagByte) ?? `tag ${tagByte}, which no term has`, start);
    }
  }

  private enter(): void {
    this.depth++;
    if (this.depth > tag.MAX_DEPTH) this.fail(`nested deeper than ${tag.MAX_DEPTH} levels`);
  }

  private atom(tagByte: number): string {
    const isShort = tagByte === tag.SMALL_ATOM_EXT || tagByte === tag.SMALL_ATOM_UTF8_EXT;
    const isUtf8 = tagByte === tag.ATOM_UTF8_EXT || tagByte === tag.SMALL_ATOM_UTF8_EXT;
    const length = isShort ? this.uint8() : this.uint16();
    const start = this.take(length);
    return (
      readAtom(this.bytes, start, length, isUtf8) ?? this.fail('an atom that is malformed or too long', start)
    );
  }

  private tuple(arity: number): unknown[] {
    if (arity > tag.MAX_ARITY) this.fail(`a tuple of ${arity}`);
    this.count(arity);
    this.enter();
    const tuple = this.items(arity);
    this.depth--;
    return tuple;
  }

  private items(count: number): unknown[] {
    // The usual sizes as literals: exactly as large as they need be, and without holes.
    switch (count) {
      case 0:
        return [];
      case 1:
        return [this.term()];
      case 2:
        return [this.term(), this.term()];
      case 3:
        return [this.term(), this.term(), this.term()];
      case 4:
        return [this.term(), this.term(), this.term(), this.term()];
    }
    const items: unknown[] = [];
    for (let i = 0; i < count; i++) items.push(this.term());
    return items;
  }

  private string(items: unknown[]): unknown[] {
    const length = this.uint16();
    const start = this.take(length);
    for (let i = start; i < start + length; i++) items.push(this.bytes[i]!);
    return items;
  }

  /** A list whose tail is a list again is one long list, so tails are followed here and do not nest. */
  private list(): unknown {
    this.enter();
    const items = this.items(this.count(this.uint32()));
    let tagByte = this.uint8();
    while (tagByte === tag.LIST_EXT) {
      for (let left = this.count(this.uint32()); left > 0; left--) items.push(this.term());
      tagByte = this.uint8();
    }
    if (tagByte === tag.NIL_EXT || tagByte === tag.STRING_EXT) {
      if (tagByte === tag.STRING_EXT) this.string(items);
      this.depth--;
      return toList(items);
    }
    this.at--;
    const tail = this.term();
    this.depth--;
    // No elements at all before the tail: to Erlang, too, this is the tail.
    if (items.length === 0) return tail;
    const list = toList(items);
    list.tail = tail;
    return list;
  }

  private binary(length: number): Buffer {
    const start = this.take(length);
    const copy = Buffer.allocUnsafe(length);
    this.bytes.copy(copy, 0, start, start + length);
    return copy;
  }

  private bitBinary(): Buffer {
    const length = this.uint32();
    const bits = this.uint8();
    const isWhole = length === 0 ? bits === 0 : bits === 8;
    if (!isWhole) this.fail('a bitstring of other than whole bytes (BIT_BINARY_EXT)');
    return this.binary(length);
  }

  private map(): Map<unknown, unknown> {
    const start = this.at;
    const size = this.uint32();
    this.count(size * 2);
    this.enter();
    const map = new Map<unknown, unknown>();
    let compound: unknown[] | undefined;
    for (let i = 0; i < size; i++) {
      const key = this.term();
      if (typeof key === 'object') {
        compound ??= [];
        compound.push(key);
      }
      map.set(key, this.term());
    }
    this.depth--;
    if (map.size !== size) this.fail('a map with the same key twice', start);
    if (compound !== undefined && compound.length > 1) this.assertDistinct(compound, start);
    return map;
  }

  private assertDistinct(keys: unknown[], start: number): void {
    try {
      new KeyOrder().assertDistinct(keys);
    } catch (error) {
      if (error instanceof NoTerm) this.fail(error.why, start);
      throw error;
    }
  }

  private float(): number | Float {
    const start = this.take(8);
    return this.asFloat(this.bytes.readDoubleBE(start), start);
  }

  /** The form of before R11B: 31 characters, as `~.20e` prints them, filled up with NUL. */
  private textFloat(): number | Float {
    const start = this.take(31);
    const [text = ''] = this.bytes.toString('latin1', start, start + 31).split('\0', 1);
    if (!/^[-+]?\d+\.\d+(e[-+]?\d+)?$/i.test(text)) this.fail('a malformed float', start);
    return this.asFloat(Number(text), start);
  }

  private asFloat(value: number, at: number): number | Float {
    if (!Number.isFinite(value)) this.fail('a float that is no number', at);
    return Number.isInteger(value) ? new Float(value) : value;
  }

  private big(length: number): number | bigint {
    const isNegative = this.uint8() !== 0;
    const start = this.take(length);
    let size = length;
    while (size > 0 && this.bytes[start + size - 1] === 0) size--;
    if (size <= 6) {
      const magnitude = size === 0 ? 0 : this.bytes.readUIntLE(start, size);
      return isNegative && magnitude !== 0 ? -magnitude : magnitude;
    }
    if (size > MAX_BIGINT_BYTES) this.fail(`an integer of ${size} bytes`, start);
    const bigEndian = Buffer.from(this.bytes.subarray(start, start + size)).reverse();
    const magnitude = BigInt(`0x${bigEndian.toString('hex')}`);
    const value = isNegative ? -magnitude : magnitude;
    return size === 7 && magnitude <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
  }

  private node(): string {
    const start = this.at;
    const tagByte = this.uint8();
    switch (tagByte) {
      case tag.ATOM_EXT:
      case tag.SMALL_ATOM_EXT:
      case tag.ATOM_UTF8_EXT:
      case tag.SMALL_ATOM_UTF8_EXT:
        return this.atom(tagByte);
    }
    return this.fail('an identifier whose node is no atom', start);
  }

  private creation(isOld: boolean): number {
    if (!isOld) return this.uint32();
    const creation = this.uint8();
    if (creation > 3) this.fail(`creation ${creation} in one byte`, this.at - 1);
    return creation;
  }

  private pid(isOld: boolean): Pid {
    const node = this.node();
    const id = this.uint32();
    const serial = this.uint32();
    return identify.pid(node, this.creation(isOld), id, serial);
  }

  private port(tagByte: number): Port {
    const node = this.node();
    const high = tagByte === tag.V4_PORT_EXT ? this.uint32() : 0;
    const id = high * 2 ** 32 + this.uint32();
    if (!Number.isSafeInteger(id)) this.fail('a port whose id is beyond 2^53', this.at - 8);
    return identify.port(node, this.creation(tagByte === tag.PORT_EXT), id);
  }

  private reference(words: number, isOld: boolean): Reference {
    // Of an old one Erlang reads the first word anyway, which here is something else's.
    if (words > tag.MAX_REFERENCE_WORDS || (isOld && words === 0)) this.fail(`a reference of ${words} words`);
    const node = this.node();
    const creation = this.creation(isOld);
    const id: number[] = [];
    for (let i = 0; i < words; i++) id.push(this.uint32());
    if (isOld) this.checkOldReference(id);
    return identify.reference(node, creation, id);
  }

  private oldReference(): Reference {
    const node = this.node();
    const id = [this.uint32()];
    const creation = this.creation(true);
    this.checkOldReference(id);
    return identify.reference(node, creation, id);
  }

  private checkOldReference(id: number[]): void {
    if (id[0]! >= tag.FIRST_OLD_WORD) this.fail('a reference whose first word has more than 18 bits');
  }
}
