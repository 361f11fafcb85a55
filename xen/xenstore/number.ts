/**
 * Numbers as xenstored reads them out of requests, which is as leniently as C's functions do: spaces and a sign may
 * come first, and what is too large is cut to 32 bits.
 */

/** As C's atoi: whatever follows the decimal number is ignored, and no number at all is 0. */
export function leadingNumber(text: string): number {
  return toInt32(BigInt(/^[ \t-\r]*([+-]?\d+)/.exec(text)?.[1]?.replace('+', '') ?? 0));
}

/** {@link leadingNumber} as a domid: an unsigned 32-bit number, so that -1 is 4294967295. */
export function leadingDomid(text: string): number {
  return leadingNumber(text) >>> 0;
}

/** As C's strtol with base 0: `0x` begins a hexadecimal and `0` an octal number. Undefined if that is not all. */
export function wholeDomid(text: string): number | undefined {
  const match = /^[ \t-\r]*([+-]?)(?:(0x[\da-f]+)|0([0-7]+)|(\d|[1-9]\d+))$/i.exec(text);
  if (match === null) return undefined;
  const [, sign, hexadecimal, octal, decimal] = match;
  const size = BigInt(hexadecimal ?? (octal === undefined ? decimal! : `0o${octal}`));
  return toInt32(sign === '-' ? -size : size) >>> 0;
}

const LONG_MAX = 2n ** 63n - 1n;

/** A long, which is as far as C reads, and of that what fits an int. */
function toInt32(value: bigint): number {
  const long = value > LONG_MAX ? LONG_MAX : value < -LONG_MAX - 1n ? -LONG_MAX - 1n : value;
  return Number(BigInt.asIntN(32, long));
}
