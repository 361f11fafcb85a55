/** Sizes of packets, in bytes, for how much there is to measure. */
export const SIZES = {
  quick: [64],
  usual: [64, 1500, 4096],
  full: [16, 64, 256, 1500, 4096],
} as const;

const SMALL = 64;

/** The one for a question that asks about one only: the usual one where that is among them. */
export function oneOf(sizes: readonly number[]): number {
  return sizes.includes(SMALL) ? SMALL : (sizes[0] as number);
}
