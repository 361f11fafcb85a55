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
    return inspect(toReadable(term, items, DEPTH), {
      depth: DEPTH,
      compact: true,
      breakLength: Number.POSITIVE_INFINITY,
      maxArrayLength: items,
    });
  } catch {
    // Its own properties raise errors.
    return 'what cannot be shown';
  }
}

/** What is to be inspected instead of a term: of tuples, lists and maps so many items, down to that depth. */
function toReadable(term: unknown, items: number, depth: number): unknown {
  if (types.isUint8Array(term)) return new Text(binary(term));
  if (depth < 0 || typeof term !== 'object' || term === null) return term;
  const readable = (part: unknown): unknown => toReadable(part, items, depth - 1);
  if (types.isMap(term)) {
    const pairs = [...term].map(([key, value], i) =>
      i < items ? [readable(key), readable(value)] : [key, value],
    );
    return new Map(pairs as [unknown, unknown][]);
  }
  if (!Array.isArray(term)) return isPlain(term) ? withValues(term, readable) : term;
  const place = isList(term) ? placeOf(term) : undefined;
  if (place !== undefined) return new Text(`<at ${place}>`);
  const parts = Array.from(term as unknown[], (part, i) => (i < items ? readable(part) : part));
  if (!isList(term)) return parts;
  const list = toList(parts);
  return Object.hasOwn(term, 'tail') ? Object.assign(list, { tail: readable(term.tail) }) : list;
}

function isPlain(term: object): boolean {
  return Object.getPrototypeOf(term) === Object.prototype;
}

/** A copy with other values; getters stay what they are, and uncalled. */
function withValues(term: object, change: (value: unknown) => unknown): object {
  const properties = Object.getOwnPropertyDescriptors(term) as PropertyDescriptorMap;
  for (const key of Reflect.ownKeys(properties)) {
    const property = properties[key as string]!;
    if ('value' in property) property.value = change(property.value);
  }
  return Object.defineProperties({}, properties);
}

/** Text that is inspected as it is. */
class Text {
  constructor(private readonly text: string) {}

  [inspect.custom](): string {
    return this.text;
  }
}

function binary(bytes: Uint8Array): string {
  if (bytes.length === 0) return '<<>>';
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
