/** Says that a value is no Erlang term, or none that fits on the wire: why, and on which path it was found. */
export class NoTerm extends Error {
  constructor(
    readonly why: string,
    readonly reason: 'badarg' | 'system_limit' = 'badarg',
    readonly path: string[] = [],
  ) {
    super(why);
  }
}

/** What a value that is no term is, in words. */
export function describe(value: unknown): string {
  if (value === undefined || value === null) return `${value}, which is no Erlang term`;
  if (typeof value === 'function') return 'a fun, which cannot leave its runtime';
  if (typeof value !== 'object') return `a ${typeof value}, which is no Erlang term`;
  const name: unknown = value.constructor?.name;
  return `an object (${typeof name === 'string' ? name : 'without a class'}), which is no Erlang term`;
}
