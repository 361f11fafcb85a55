/** @throws Error unless that came which had to */
export function check(expected: unknown, got: unknown): void {
  if (got !== expected) throw new Error(`got ${got} instead of ${expected}`);
}
