/**
 * Atoms off the wire as strings. Few differ in a life of messages, so the latest of each hash are kept (a bounded
 * number, unlike Erlang's atom table): most atoms are then found by comparing bytes, and no string is made.
 */
import { TextDecoder } from 'node:util';
import { MAX_ATOM_CHARACTERS } from './tags.js';

const SLOTS = 1024;
const latest = new Array<string>(SLOTS).fill('');
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of `length` bytes of Latin-1 or UTF-8; undefined when they are no UTF-8 or too many characters. */
export function readAtom(bytes: Buffer, start: number, length: number, isUtf8: boolean): string | undefined {
  let hash = length;
  let all = 0;
  for (let i = start; i < start + length; i++) {
    const byte = bytes[i]!;
    hash = (Math.imul(hash, 31) + byte) | 0;
    all |= byte;
  }
  if (all > 0x7f && isUtf8) return readUtf8(bytes.subarray(start, start + length));
  if (length > MAX_ATOM_CHARACTERS) return undefined;
  const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
  const candidate = latest[slot]!;
  if (isText(candidate, bytes, start, length)) return candidate;
  const text = bytes.toString('latin1', start, start + length);
  latest[slot] = text;
  return text;
}

function isText(text: string, bytes: Buffer, start: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let i = 0; i < length; i++) {
    if (text.charCodeAt(i) !== bytes[start + i]) return false;
  }
  return true;
}

function readUtf8(bytes: Buffer): string | undefined {
  if (bytes.length > 4 * MAX_ATOM_CHARACTERS) return undefined;
  try {
    const text = utf8.decode(bytes);
    return [...text].length <= MAX_ATOM_CHARACTERS ? text : undefined;
  } catch {
    return undefined;
  }
}
