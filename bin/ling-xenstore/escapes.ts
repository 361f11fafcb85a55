/** Values as text, in the way of Xen's tools, so that what `read` prints can be given to `write`. */

const BY_BYTE: ReadonlyMap<number, string> = new Map([
  [0x09, '\\t'],
  [0x0a, '\\n'],
  [0x0d, '\\r'],
  [0x5c, '\\\\'],
]);
const BY_LETTER: ReadonlyMap<string, string> = new Map([
  ['t', '\t'],
  ['n', '\n'],
  ['r', '\r'],
]);

/** Printable ASCII: what is something else becomes `\t`, `\n`, `\r`, `\\`, `\000` to `\007`, or `\x08` to `\xff`. */
export function escapeValue(value: Uint8Array): string {
  return Array.from(value, escapeByte).join('');
}

function escapeByte(byte: number): string {
  const short = BY_BYTE.get(byte);
  if (short !== undefined) return short;
  if (byte >= 0x20 && byte < 0x7f) return String.fromCharCode(byte);
  return byte < 8 ? `\\00${byte}` : `\\x${byte.toString(16).padStart(2, '0')}`;
}

/**
 * The bytes that a text stands for, which is UTF-8 otherwise: as above, with one to three octal and one or two
 * hexadecimal digits. Any other character after a backslash is itself, and none is a NUL.
 */
export function unescapeValue(text: string): Buffer {
  const bytes = Buffer.from(text).toString('latin1');
  const unescaped = bytes.replace(
    /\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|([\s\S]?))/g,
    (_match, hex?: string, octal?: string, letter = '') => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
      return BY_LETTER.get(letter) ?? (letter || '\0');
    },
  );
  return Buffer.from(unescaped, 'latin1');
}
