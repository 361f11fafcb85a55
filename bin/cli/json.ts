/** How values are in JSON. */
import { isUtf8 } from 'node:buffer';

export type JsonValue = { readonly value: string } | { readonly base64: string };

/** As text, where it is UTF-8. */
export function jsonValue(value: Buffer): JsonValue {
  return isUtf8(value) ? { value: value.toString() } : { base64: value.toString('base64') };
}

/** One line. */
export function jsonLine(document: unknown): string {
  return `${JSON.stringify(document)}\n`;
}
