/**
 * The decimal number `text` begins with, as C's atoi reads it: spaces and a sign may come first, whatever follows
 * is ignored, and no number at all is 0. Xenstore's requests carry numbers as text and are read this leniently.
 */
export function leadingNumber(text: string): number {
  return Number(/^\s*([+-]?\d+)/.exec(text)?.[1] ?? 0);
}

/** {@link leadingNumber} as a domid: an unsigned 32-bit number, so that -1 is 4294967295. */
export function leadingDomid(text: string): number {
  return leadingNumber(text) >>> 0;
}
