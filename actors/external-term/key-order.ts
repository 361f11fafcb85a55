import { type Origin, Pid, Port, Reference } from '../identifiers.js';
import { Float, isList, type List, list } from '../term.js';
import { describe, NoTerm } from './no-term.js';
import { MAX_DEPTH } from './tags.js';

export type Entry = [key: unknown, value: unknown];

/**
 * The order of a map's keys: Erlang's term order (manual, "Expressions", Term Comparisons), where any integer comes
 * before any float. Made for one call of the codec, in which no map changes: it keeps the sorted entries of maps
 * that are keys themselves, as sorting those anew for every comparison would be quadratic and worse.
 */
export class KeyOrder {
  private sorted: Map<ReadonlyMap<unknown, unknown>, Entry[]> | undefined;

  /** A map's entries in the order of their keys; {@link NoTerm} when two are the same key to Erlang. */
  entries(map: ReadonlyMap<unknown, unknown>, depth = 0): Entry[] {
    const known = this.sorted?.get(map);
    if (known !== undefined) return known;
    const entries: Entry[] = [...map];
    if (!this.areSorted(entries, depth)) this.sort(entries, (entry) => entry[0], depth);
    if (depth === 0) return entries;
    this.sorted ??= new Map();
    this.sorted.set(map, entries);
    return entries;
  }

  /** Raises {@link NoTerm} when two of the keys are the same to Erlang. Sorts the array. */
  assertDistinct(keys: unknown[]): void {
    this.sort(keys, (key) => key, 0);
  }

  /** Whether the entries are in order already, as are those of maps that came from Erlang. */
  private areSorted(entries: Entry[], depth: number): boolean {
    for (let i = 1; i < entries.length; i++) {
      if (this.compare(entries[i - 1]![0], entries[i]![0], depth) >= 0) return false;
    }
    return true;
  }

  private sort<T>(items: T[], keyOf: (item: T) => unknown, depth: number): void {
    let duplicate = false;
    // Neighbours in the sorted order have been compared with each other, whatever the algorithm.
    items.sort((a, b) => {
      const difference = this.compare(keyOf(a), keyOf(b), depth);
      duplicate ||= difference === 0;
      return difference;
    });
    if (duplicate) throw new NoTerm('a map with the same key twice');
  }

  private compare(a: unknown, b: unknown, depth: number): number {
    if (typeof a === 'string' && typeof b === 'string') return compareAtoms(a, b);
    const rank = rankOf(a);
    const difference = rank - rankOf(b);
    if (difference !== 0) return difference;
    if (depth > MAX_DEPTH) throw new NoTerm(`nested deeper than ${MAX_DEPTH} levels`);
    return this.compareAlike(rank, a as never, b as never, depth + 1);
  }

  /** Compares two terms of one rank. */
  private compareAlike(rank: number, a: never, b: never, depth: number): number {
    switch (rank) {
      case INTEGER:
        return compareNumbers(a, b);
      case FLOAT:
        return compareNumbers(Number(a), Number(b));
      case ATOM:
        return compareAtoms(String(a), String(b));
      case REFERENCE:
        return compareReferences(a, b);
      case PORT:
        return comparePorts(a, b);
      case PID:
        return comparePids(a, b);
      case TUPLE:
        return this.compareTuples(a, b, depth);
      case MAP:
        return this.compareMaps(a, b, depth);
      case LIST:
        return this.compareLists(a, b, depth);
      case BINARY:
        return Buffer.compare(a, b);
      default:
        return 0;
    }
  }

  private compareTuples(a: unknown[], b: unknown[], depth: number): number {
    return a.length - b.length || this.compareItems(a, b, depth);
  }

  private compareItems(a: unknown[], b: unknown[], depth: number): number {
    const common = Math.min(a.length, b.length);
    for (let i = 0; i < common; i++) {
      const difference = this.compare(a[i], b[i], depth);
      if (difference !== 0) return difference;
    }
    return 0;
  }

  private compareLists(a: List, b: List, depth: number): number {
    const items = this.compareItems(a, b, depth);
    if (items !== 0) return items;
    const common = Math.min(a.length, b.length);
    const left = behind(a, common);
    const right = behind(b, common);
    return left === right ? 0 : this.compare(left, right, depth);
  }

  /** By size, then all keys, then all values in the order of their keys. */
  private compareMaps(
    a: ReadonlyMap<unknown, unknown>,
    b: ReadonlyMap<unknown, unknown>,
    depth: number,
  ): number {
    if (a.size !== b.size) return a.size - b.size;
    const left = this.entries(a, depth);
    const right = this.entries(b, depth);
    for (const side of [0, 1] as const) {
      for (let i = 0; i < left.length; i++) {
        const difference = this.compare(left[i]![side], right[i]![side], depth);
        if (difference !== 0) return difference;
      }
    }
    return 0;
  }
}

const INTEGER = 0;
const FLOAT = 1;
const ATOM = 2;
const REFERENCE = 3;
const PORT = 4;
const PID = 5;
const TUPLE = 6;
const MAP = 7;
const NIL = 8;
const LIST = 9;
const BINARY = 10;

function rankOf(term: unknown): number {
  switch (typeof term) {
    case 'number':
      return Number.isInteger(term) ? INTEGER : FLOAT;
    case 'bigint':
      return INTEGER;
    case 'string':
    case 'boolean':
      return ATOM;
  }
  if (Array.isArray(term)) {
    if (!isList(term)) return TUPLE;
    return term.length === 0 ? NIL : LIST;
  }
  if (term instanceof Uint8Array) return BINARY;
  if (term instanceof Float) return FLOAT;
  if (term instanceof Map) return MAP;
  if (term instanceof Reference) return REFERENCE;
  if (term instanceof Port) return PORT;
  if (term instanceof Pid) return PID;
  throw new NoTerm(describe(term), 'badarg', [' key']);
}

function compareNumbers(a: number | bigint, b: number | bigint): number {
  if (a < b) return -1;
  return a > b ? 1 : 0;
}

/** By code points, which is not the order of UTF-16 code units: surrogates belong above U+FFFF. */
function compareAtoms(a: string, b: string): number {
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return x >= 0xd800 && y >= 0xd800 ? aboveOthers(x) - aboveOthers(y) : x - y;
  }
  return a.length - b.length;
}

function aboveOthers(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

function compareOrigins(a: Origin, b: Origin): number {
  return compareAtoms(a.node, b.node) || a.creation - b.creation;
}

function comparePids(a: Pid, b: Pid): number {
  return a.serial - b.serial || a.id - b.id || compareOrigins(a.origin, b.origin);
}

function comparePorts(a: Port, b: Port): number {
  return compareOrigins(a.origin, b.origin) || a.id - b.id;
}

/** The words count from the last one, and zeros there do not count at all. */
function compareReferences(a: Reference, b: Reference): number {
  let difference = compareOrigins(a.origin, b.origin);
  for (let i = Math.max(a.words.length, b.words.length) - 1; i >= 0 && difference === 0; i--) {
    difference = (a.words[i] ?? 0) - (b.words[i] ?? 0);
  }
  return difference;
}

const EMPTY = list();

/** What a list is after so many of its elements: a list again, or the tail. */
function behind(whole: List, count: number): unknown {
  if (count === whole.length) return whole.tail ?? EMPTY;
  const rest = whole.slice(count) as List;
  if (whole.tail !== undefined) rest.tail = whole.tail;
  return rest;
}
