// By its name: the global is looked up each time, which takes as long as to send a packet.
import { Buffer } from 'node:buffer';
import { types } from 'node:util';
import { badarg } from '../actors/errors.js';
import { formatShort } from '../actors/format.js';
import { isList } from '../actors/term.js';

/**
 * Bytes, text (as UTF-8), or tuples and lists of these and of single bytes, however nested. An improper list may end
 * in anything but a single byte.
 */
export type IoData = Uint8Array | string | readonly IoListItem[];
type IoListItem = IoData | number;

/** The bytes of iodata, in one piece: of a Uint8Array itself, else a copy. Raises badarg for anything else. */
export function toBytes(data: unknown): Uint8Array {
  if (isUint8Array(data)) return data;
  if (typeof data === 'string') return Buffer.from(data);
  if (!Array.isArray(data)) throw noData(data);
  const pieces: Uint8Array[] = [];
  collect(data, pieces);
  return Buffer.concat(pieces);
}

/** As {@link toBytes}, in the pieces that the data come in. */
export function toPieces(data: unknown): Uint8Array[] {
  if (!Array.isArray(data) || isUint8Array(data)) return [toBytes(data)];
  if (!isList(data) && data.every(isUint8Array)) return data.slice();
  const pieces: Uint8Array[] = [];
  collect(data, pieces);
  return pieces;
}

function collect(data: readonly unknown[], pieces: Uint8Array[]): void {
  const path = new Path(data);
  let bytes: number[] = [];
  const endOfBytes = (): void => {
    if (bytes.length > 0) pieces.push(Buffer.from(bytes));
    bytes = [];
  };
  for (let top = path.top; top; top = path.top) {
    let item: unknown;
    if (top.next < top.items.length) {
      item = top.items[top.next++];
      if (isByte(item)) {
        bytes.push(item);
        continue;
      }
    } else if (top.next++ === top.items.length && isList(top.items) && top.items.tail !== undefined) {
      item = top.items.tail;
    } else {
      path.leave();
      continue;
    }
    endOfBytes();
    if (isUint8Array(item)) pieces.push(item);
    else if (typeof item === 'string') pieces.push(Buffer.from(item));
    else if (Array.isArray(item)) path.enter(item);
    else throw noData(item);
  }
  endOfBytes();
}

// What `instanceof` takes for bytes may be anything, and the native core wants real ones.
const { isUint8Array } = types;

/** From here on it is worth looking whether an array contains itself. */
const DEEP = 1000;

/** The arrays that one is in, outermost first: by hand, as data may be nested deeper than the call stack. */
class Path {
  readonly #stack: { readonly items: readonly unknown[]; next: number }[] = [];
  #entered: Set<readonly unknown[]> | undefined = undefined;

  constructor(outermost: readonly unknown[]) {
    this.enter(outermost);
  }

  get top() {
    return this.#stack.at(-1);
  }

  /** Raises badarg for an array that contains itself. */
  enter(items: readonly unknown[]): void {
    if (this.#stack.length >= DEEP) {
      this.#entered ??= new Set(this.#stack.map((step) => step.items));
      if (this.#entered.has(items)) throw badarg('the data contain themselves');
      this.#entered.add(items);
    }
    this.#stack.push({ items, next: 0 });
  }

  leave(): void {
    const left = this.#stack.pop();
    if (left) this.#entered?.delete(left.items);
  }
}

function noData(item: unknown): Error {
  return badarg(`data are bytes, text, or lists of these and of bytes as numbers, not ${formatShort(item)}`);
}

function isByte(item: unknown): item is number {
  return Number.isInteger(item) && (item as number) >= 0 && (item as number) <= 255;
}
