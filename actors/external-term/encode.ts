import { types } from 'node:util';
import { ErlangError } from '../errors.js';
import { Pid, Port, Reference } from '../identifiers.js';
import { findRuntime } from '../runtime.js';
import { Float, isList, List } from '../term.js';
import { ByteWriter } from './byte-writer.js';
import { type Entry, KeyOrder } from './key-order.js';
import { describe, NoTerm } from './no-term.js';
import * as tag from './tags.js';

/**
 * The bytes of a term, as OTP 25's own term_to_binary writes them. The Buffer is the caller's: nothing else holds on
 * to its bytes.
 *
 * Raises ErlangError `badarg` for what is no term, saying on which path it is: undefined, null, plain objects,
 * symbols, NaN and infinities, funs, lone surrogates in an atom, a map with two keys that Erlang takes for one,
 * and terms nested deeper than 512 levels (cyclic ones, that is). `system_limit` for atoms longer than 255
 * characters, tuples larger than 16777215 and whatever else fits no field (Erlang manual, erlang:term_to_binary/1).
 */
export function term_to_binary(term: unknown): Buffer {
  // A getter or a proxy inside the term may come back here: it then finds no encoder, and makes one.
  const encoder = idle ?? new Encoder();
  idle = undefined;
  try {
    return encoder.encode(term);
  } catch (error) {
    if (!(error instanceof NoTerm)) throw error;
    throw new ErlangError(error.reason, `term_to_binary: ${placeOf(error.path.reverse())} is ${error.why}`);
  } finally {
    encoder.reset();
    idle = encoder;
  }
}

let idle: Encoder | undefined;

/** So many steps into a term are told. */
const MOST_STEPS = 16;

function placeOf(path: readonly string[]): string {
  if (path.length === 0) return 'the term';
  return `the term's ${path.slice(0, MOST_STEPS).join('')}${path.length > MOST_STEPS ? '...' : ''}`;
}

const MAX_STRING = 0xffff;

class Encoder extends ByteWriter {
  private order: KeyOrder | undefined;

  encode(term: unknown): Buffer {
    this.uint8(tag.VERSION);
    this.term(term, 0);
    return this.result();
  }

  /** Ready for another term, whatever became of the last one. */
  override reset(): void {
    super.reset();
    this.order = undefined;
  }

  private term(term: unknown, depth: number): void {
    switch (typeof term) {
      case 'string':
        this.atom(term);
        break;
      case 'number':
        this.number(term);
        break;
      case 'boolean':
        this.atom(term ? 'true' : 'false');
        break;
      case 'bigint':
        this.bigint(term);
        break;
      case 'object':
        this.object(term, depth);
        break;
      default:
        throw new NoTerm(describe(term));
    }
  }

  private object(term: object | null, depth: number): void {
    if (Array.isArray(term)) {
      // The empty list holds nothing, as an atom.
      if (isList(term)) this.list(term, term.length === 0 ? depth : deeper(depth));
      else this.tuple(term, deeper(depth));
    } else if (term instanceof Uint8Array && ArrayBuffer.isView(term)) this.binary(term);
    else if (term instanceof Pid) this.pid(term);
    else if (term instanceof Map && types.isMap(term)) this.map(term, deeper(depth));
    else if (term instanceof Float) this.float(term.value);
    else if (term instanceof Reference) this.reference(term);
    else if (term instanceof Port) this.port(term);
    else throw new NoTerm(describe(term));
  }

  private atom(text: string): void {
    if (!this.latin1Atom(text)) this.wideAtom(text);
  }

  /** False when the text is not Latin-1 or too long, and nothing is written. */
  private latin1Atom(text: string): boolean {
    const { length } = text;
    if (length > tag.MAX_ATOM_CHARACTERS) return false;
    const start = this.reserve(3 + length);
    const { bytes } = this;
    bytes[start] = tag.ATOM_EXT;
    bytes[start + 1] = 0;
    bytes[start + 2] = length;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0xff) {
        this.at = start;
        return false;
      }
      bytes[start + 3 + i] = unit;
    }
    return true;
  }

  private wideAtom(text: string): void {
    // Two units make one character at most, so a longer one need not be counted.
    const tooLong = text.length > 2 * tag.MAX_ATOM_CHARACTERS || [...text].length > tag.MAX_ATOM_CHARACTERS;
    if (tooLong) {
      throw new NoTerm(`an atom of more than ${tag.MAX_ATOM_CHARACTERS} characters`, 'system_limit');
    }
    if (LONE_SURROGATE.test(text)) throw new NoTerm('an atom with half a surrogate pair');
    const length = Buffer.byteLength(text);
    if (length <= 0xff) this.tagged8(tag.SMALL_ATOM_UTF8_EXT, length);
    else this.tagged16(tag.ATOM_UTF8_EXT, length);
    const at = this.reserve(length);
    this.bytes.write(text, at, length, 'utf8');
  }

  private number(value: number): void {
    if ((value & 0xff) === value) this.tagged8(tag.SMALL_INTEGER_EXT, value);
    else if ((value | 0) === value) this.tagged32(tag.INTEGER_EXT, value);
    else if (Number.isInteger(value)) this.bigInteger(BigInt(value));
    else this.float(value);
  }

  private bigint(value: bigint): void {
    if (-0x8000_0000n <= value && value <= 0x7fff_ffffn) this.number(Number(value));
    else this.bigInteger(value);
  }

  private bigInteger(value: bigint): void {
    const hex = (value < 0n ? -value : value).toString(16);
    const size = (hex.length + 1) >>> 1;
    if (size <= 0xff) this.tagged8(tag.SMALL_BIG_EXT, size);
    else this.tagged32(tag.LARGE_BIG_EXT, size);
    this.uint8(value < 0n ? 1 : 0);
    const at = this.reserve(size);
    this.bytes.write(hex.padStart(size * 2, '0'), at, size, 'hex');
    this.bytes.subarray(at, at + size).reverse();
  }

  private float(value: number): void {
    if (!Number.isFinite(value)) throw new NoTerm(`${value}, which no Erlang float can be`);
    const at = this.reserve(9);
    this.bytes[at] = tag.NEW_FLOAT_EXT;
    this.bytes.writeDoubleBE(value, at + 1);
  }

  private tuple(items: readonly unknown[], depth: number): void {
    const { length } = items;
    if (length > tag.MAX_ARITY) throw new NoTerm(`a tuple of more than ${tag.MAX_ARITY}`, 'system_limit');
    if (length <= 0xff) this.tagged8(tag.SMALL_TUPLE_EXT, length);
    else this.tagged32(tag.LARGE_TUPLE_EXT, length);
    this.items(items, depth);
  }

  private items(items: readonly unknown[], depth: number): void {
    let i = 0;
    try {
      for (; i < items.length; i++) this.term(items[i], depth);
    } catch (error) {
      throw on(`[${i}]`, error);
    }
  }

  private list(list: List, depth: number): void {
    if (list.tail !== undefined) this.listWithTail(list, depth);
    else if (list.length === 0) this.uint8(tag.NIL_EXT);
    else if (!this.string(list)) this.properList(list, depth);
  }

  private properList(list: List, depth: number): void {
    this.tagged32(tag.LIST_EXT, list.length);
    this.items(list, depth);
    this.uint8(tag.NIL_EXT);
  }

  /** A list of bytes, short enough, has a form of its own; false when this is not one, and nothing is written. */
  private string(list: List): boolean {
    const { length } = list;
    if (length > MAX_STRING || !isByte(list[0])) return false;
    const start = this.reserve(3 + length);
    const { bytes } = this;
    bytes[start] = tag.STRING_EXT;
    bytes[start + 1] = length >>> 8;
    bytes[start + 2] = length;
    for (let i = 0; i < length; i++) {
      const item = list[i];
      if (!isByte(item)) {
        this.at = start;
        return false;
      }
      bytes[start + 3 + i] = Number(item);
    }
    return true;
  }

  /** `[a | Tail]`; a tail that is a list makes one long list with it, as in Erlang. */
  private listWithTail(list: List, depth: number): void {
    const seen = new Set<List>();
    const items = new List<unknown>();
    let rest: unknown = list;
    for (; isList(rest); rest = rest.tail) {
      if (seen.has(rest)) throw new NoTerm('a list that is its own tail');
      if (rest.length === 0 && rest.tail !== undefined)
        throw new NoTerm('a tail without an element before it');
      seen.add(rest);
      for (const item of rest) items.push(item);
    }
    if (rest === undefined) {
      this.list(items, depth);
      return;
    }
    this.tagged32(tag.LIST_EXT, items.length);
    this.items(items, depth);
    try {
      this.term(rest, depth);
    } catch (error) {
      throw on('.tail', error);
    }
  }

  private binary(data: Uint8Array): void {
    const { length } = data;
    this.tagged32(tag.BINARY_EXT, length);
    const at = this.reserve(length);
    this.bytes.set(data, at);
  }

  private map(map: ReadonlyMap<unknown, unknown>, depth: number): void {
    this.tagged32(tag.MAP_EXT, map.size);
    for (const [key, value] of this.entries(map)) {
      try {
        this.term(key, depth);
      } catch (error) {
        throw on(' key', error);
      }
      try {
        this.term(value, depth);
      } catch (error) {
        throw on(`.get(${nameOf(key)})`, error);
      }
    }
  }

  private entries(map: ReadonlyMap<unknown, unknown>): Iterable<Entry> {
    if (map.size < 2) return map;
    this.order ??= new KeyOrder();
    return this.order.entries(map);
  }

  private pid(pid: Pid): void {
    const { origin } = pid;
    this.uint8(tag.NEW_PID_EXT);
    this.atom(origin.node);
    const at = this.reserve(12);
    this.put32(at, pid.id);
    this.put32(at + 4, pid.serial);
    this.put32(at + 8, origin.creation);
  }

  private port(port: Port): void {
    const isLong = port.id >= tag.FIRST_V4_PORT;
    this.uint8(isLong ? tag.V4_PORT_EXT : tag.NEW_PORT_EXT);
    this.atom(port.origin.node);
    if (isLong) this.uint32(Math.floor(port.id / 2 ** 32));
    this.uint32(port.id);
    this.uint32(port.origin.creation);
  }

  private reference(reference: Reference): void {
    const { origin, words } = reference;
    findRuntime(origin.node, origin.creation)?.remember(reference);
    this.tagged16(tag.NEWER_REFERENCE_EXT, words.length);
    this.atom(origin.node);
    this.uint32(origin.creation);
    for (const word of words) this.uint32(word);
  }
}

/** A code unit of a pair that stands alone; with the flag `u`, whole pairs do not match. */
const LONE_SURROGATE = /\p{Surrogate}/u;

function isByte(item: unknown): boolean {
  if (typeof item === 'number') return (item & 0xff) === item;
  return typeof item === 'bigint' && 0n <= item && item <= 0xffn;
}

function nameOf(key: unknown): string {
  if (typeof key === 'string') return `'${key}'`;
  return typeof key === 'object' ? '...' : String(key);
}

/** The level of what a term of that level holds. */
function deeper(depth: number): number {
  if (depth === tag.MAX_DEPTH) throw new NoTerm(`nested deeper than ${tag.MAX_DEPTH} levels`);
  return depth + 1;
}

/** Adds a step to the path on which something that is no term was found. */
function on(step: string, error: unknown): unknown {
  if (error instanceof NoTerm) error.path.push(step);
  return error;
}
