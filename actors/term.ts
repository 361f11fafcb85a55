/**
 * Erlang terms as TypeScript values. Every layer above speaks these.
 *
 * | Erlang                  | TypeScript                                                       |
 * |-------------------------|------------------------------------------------------------------|
 * | atom `ok`               | the string `'ok'`; `true` and `false` are booleans               |
 * | tuple `{a, 1}`          | a plain array `['a', 1]`                                         |
 * | list `[1, 2]`           | a {@link List}: `list(1, 2)`; an improper one has a `tail`       |
 * | binary                  | a `Buffer` or `Uint8Array`                                       |
 * | integer                 | a number without a fraction, or a bigint                         |
 * | float                   | a number with a fraction; one without is a {@link Float}         |
 * | map                     | a `Map`                                                          |
 * | pid, port, reference    | {@link Pid}, {@link Port}, {@link Reference}                     |
 * | fun                     | a JavaScript function                                            |
 */
import type { Pid, Port, Reference } from './identifiers.js';

// biome-ignore lint/suspicious/noExplicitAny: a fun takes and returns whatever it likes
type Fun = (...args: any[]) => unknown;

export type Term =
  | string
  | number
  | bigint
  | boolean
  | Float
  | Uint8Array
  | Pid
  | Port
  | Reference
  | Fun
  | readonly Term[]
  | List
  | ReadonlyMap<Term, Term>;

/** An Erlang list. A plain array is a tuple; this subclass is what tells the two apart. */
export class List<T = unknown> extends Array<T> {
  /** What stands behind the bar of an improper list `[a | tail]`; absent on a proper one. */
  declare tail?: unknown;

  /** What tells it from a tuple, faster than `instanceof` does: selective receives ask it of every message. */
  declare readonly isList: true;

  /** Methods that make a new array of a list (map, filter, slice ...) make a list. */
  static override get [Symbol.species](): ArrayConstructor {
    return List as unknown as ArrayConstructor;
  }
}

Object.defineProperty(List.prototype, 'isList', { value: true });

/** `list(1, 2, 3)` is Erlang's `[1, 2, 3]`. */
export function list<T>(...items: T[]): List<T> {
  if (items.length > FEW) return toList(items);
  const made = new List<T>();
  for (let i = 0; i < items.length; i++) made[i] = items[i] as T;
  return made;
}

/** So many items are filled into a new list faster than their array is made into one; not by push. */
const FEW = 8;

/**
 * Makes a list of an array, which is that list from then on. Not `new List(...items)`: with one number as its
 * argument that would be a length, and V8 fills instances of a subclass of Array ten times slower than arrays.
 */
export function toList<T>(items: T[]): List<T> {
  return Object.setPrototypeOf(items, List.prototype) as List<T>;
}

export function isList(term: unknown): term is List {
  return Array.isArray(term) && (term as List).isList;
}

export function isTuple(term: unknown): term is unknown[] {
  return Array.isArray(term) && !(term as List).isList;
}

/** A float whose value happens to be integral (`1.0`), which a JavaScript number cannot tell from `1`. */
export class Float {
  /** Raises a TypeError for what is no number. */
  constructor(readonly value: number) {
    if (typeof value !== 'number')
      throw new TypeError(`the value of a Float has to be a number, not a ${typeof value}`);
  }

  valueOf(): number {
    return this.value;
  }
}
