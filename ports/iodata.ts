import { badarg } from '../actors/errors.js';

/** Bytes, text (as UTF-8), or tuples and lists of these and of single bytes, however nested. */
export type IoData = Uint8Array | string | readonly IoListItem[];
type IoListItem = IoData | number;

/** Deeper nesting is taken for an array that contains itself. */
const MOST_NESTED = 10_000;

/** The bytes of iodata, in one piece: of a Uint8Array itself, else a copy. Raises badarg for anything else. */
export function toBytes(data: unknown): Uint8Array {
  if (data instanceof Uint8Array) return data;
  if (typeof data === 'string') return Buffer.from(data);
  if (!Array.isArray(data)) throw badarg();
  const pieces: Uint8Array[] = [];
  collect(data, pieces);
  return Buffer.concat(pieces);
}

function collect(data: readonly unknown[], pieces: Uint8Array[]): void {
  // By hand: the call stack is no deeper for hostile data than for any other.
  const stack = [{ items: data, next: 0 }];
  let bytes: number[] = [];
  const endOfBytes = (): void => {
    if (bytes.length > 0) pieces.push(Buffer.from(bytes));
    bytes = [];
  };
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    if (top.next === top.items.length) {
      stack.pop();
      continue;
    }
    const item = top.items[top.next++];
    if (isByte(item)) {
      bytes.push(item);
      continue;
    }
    endOfBytes();
    if (item instanceof Uint8Array) pieces.push(item);
    else if (typeof item === 'string') pieces.push(Buffer.from(item));
    else if (Array.isArray(item) && stack.length < MOST_NESTED) stack.push({ items: item, next: 0 });
    else throw badarg();
  }
  endOfBytes();
}

function isByte(item: unknown): item is number {
  return Number.isInteger(item) && (item as number) >= 0 && (item as number) <= 255;
}
