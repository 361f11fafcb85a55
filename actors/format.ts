/** Terms as people read them. */
import { inspect, types } from 'node:util';
import { isOfProgram, toPath } from './places.js';
import { isList, isTuple, type List, toList } from './term.js';

/**
 * A reason, or any other term, in one line: an atom as it is, binaries that are text as Erlang has them
 * (`<<"boom">>`), a stack trace as the first place of it that is the program's (`<at /srv/app.js:12>`), all else as
 * `util.inspect` does. Never raises.
 */
export function formatReason(reason: unknown): string {
  if (typeof reason === 'string') return reason;
  return shown(reason, ITEMS);
}

/** A term as in a program, an atom in quotes, and of what is long only the beginning. */
export function formatShort(term: unknown): string {
  const text = shown(term, FEW_ITEMS);
  return text.length <= SHORT ? text : `${text.slice(0, SHORT)}...`;
}

const ITEMS = 100;
const FEW_ITEMS = 10;
const DEPTH = 5;
const SHORT = 500;

function shown(term: unknown, items: number): string {
  try {
    return inspect(new Abridger(items).abridge(term, DEPTH), {
      depth: DEPTH,
      compact: true,
      breakLength: Number.POSITIVE_INFINITY,
      maxArrayLength: null,
    });
  } catch {
    // Its own properties raise errors.
    return 'what cannot be shown';
  }
}

/**
 * Makes what is to be inspected instead of a term. A reason may hold the state of a server, and every process that it
 * ends tells it: so of all that is in it only a part is looked at, whatever its shape.
 */
class Abridger {
  /** How many parts may still be looked at, of whatever they are part. */
  private left: number;

  /** `items` of a tuple, list, map or object, and several times as many in all. */
  constructor(private readonly items: number) {
    this.left = TOTAL * items;
  }

  abridge(term: unknown, depth: number): unknown {
    if (types.isUint8Array(term)) return new Text(binary(term));
    if (depth < 0 || typeof term !== 'object' || term === null) return term;
    if (types.isMap(term)) return this.map(term, depth - 1);
    if (!Array.isArray(term)) return this.object(term, depth - 1);
    const place = isList(term) ? placeOf(term) : undefined;
    if (place !== undefined) return new Text(`<at ${place}>`);
    const count = this.share(term.length);
    const parts = term.slice(0, count).map((part) => this.abridge(part, depth - 1));
    if (count < term.length) parts.push(new Text(`... ${term.length - count} more items`));
    if (!isList(term)) return parts;
    const list = toList(parts);
    return Object.hasOwn(term, 'tail') ? Object.assign(list, { tail: this.abridge(term.tail, depth) }) : list;
  }

  private map(term: ReadonlyMap<unknown, unknown>, depth: number): unknown {
    const count = this.share(term.size);
    const abridged = new Map<unknown, unknown>();
    for (const [key, value] of term) {
      if (abridged.size === count) break;
      abridged.set(this.abridge(key, depth), this.abridge(value, depth));
    }
    if (count < term.size) abridged.set(new Text('...'), new Text(`${term.size - count} more`));
    return abridged;
  }

  /** Of a plain one a copy; getters stay what they are, and uncalled. */
  private object(term: object, depth: number): unknown {
    const keys = Object.keys(term);
    const count = this.share(keys.length);
    const isPlain = Object.getPrototypeOf(term) === Object.prototype;
    if (!isPlain) return count < keys.length ? new Text(`${term.constructor?.name} {...}`) : term;
    const abridged = {};
    for (const key of keys.slice(0, count)) {
      const property = Object.getOwnPropertyDescriptor(term, key) ?? {};
      if ('value' in property) property.value = this.abridge(property.value, depth);
      Object.defineProperty(abridged, key, property);
    }
    if (count < keys.length) Object.assign(abridged, { '...': new Text(`${keys.length - count} more`) });
    return abridged;
  }

  /** How many of so many parts may be looked at. */
  private share(length: number): number {
    const count = Math.min(length, this.items, this.left);
    this.left -= count;
    return count;
  }
}

const TOTAL = 3;

/** Text that is inspected as it is. */
class Text {
  constructor(private readonly text: string) {}

  [inspect.custom](): string {
    return this.text;
  }
}

/** Of a binary of more bytes only the first few are shown: to look through all takes time, and is nothing to read. */
const MOST_BYTES = 10_000;

function binary(bytes: Uint8Array): string {
  if (bytes.length === 0) return '<<>>';
  if (bytes.length > MOST_BYTES) return inspect(bytes);
  try {
    const text = UTF8.decode(bytes);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is not text
    const isText = !/[\0-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]/.test(text);
    if (isText) return `<<${JSON.stringify(text)}${text.length === bytes.length ? '' : '/utf8'}>>`;
  } catch {
    // No text.
  }
  return inspect(bytes);
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Of a stack trace the first place that is the program's, else the first; undefined for any other list. */
function placeOf(trace: List): string | undefined {
  const places = trace.map(placeOfFrame);
  if (places.includes(undefined)) return undefined;
  return (places as string[]).find(isOfProgram) ?? places[0];
}

/** Of `{Module, Function, Arity, [{file, F}, {line, L}]}`. */
function placeOfFrame(frame: unknown): string | undefined {
  const [module, name, arity, location] = isTuple(frame) && frame.length === 4 ? frame : [];
  if (typeof module !== 'string' || typeof name !== 'string' || !isList(location)) return undefined;
  const about = new Map(
    location.filter((item) => isTuple(item) && item.length === 2) as [unknown, unknown][],
  );
  const file = about.get('file');
  if (!types.isUint8Array(file)) return `${module}:${name}/${isList(arity) ? arity.length : arity}`;
  return toPath(`${Buffer.from(file)}:${about.get('line')}`);
}
