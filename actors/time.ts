import { badarg } from './errors.js';

export type TimeUnit = 'second' | 'millisecond' | 'microsecond' | 'nanosecond' | 'native';

const NANOSECONDS: Record<TimeUnit, bigint> = {
  second: 1_000_000_000n,
  millisecond: 1_000_000n,
  microsecond: 1000n,
  nanosecond: 1n,
  native: 1n,
};

/** Erlang's monotonic clock. A native unit is a nanosecond; raises badarg for an unknown one. */
export function monotonicTime(unit: TimeUnit = 'native'): bigint {
  if (!Object.hasOwn(NANOSECONDS, unit)) throw badarg();
  return process.hrtime.bigint() / NANOSECONDS[unit];
}

/** `abs`: the time is not from now but on the clock of monotonic_time, in milliseconds. */
export type TimerOption = readonly ['abs', boolean];

/** Milliseconds from now; raises badarg. */
export function parseTime(time: unknown, options: unknown): number {
  if (typeof time !== 'number' || !Number.isSafeInteger(time)) throw badarg();
  if (!Array.isArray(options)) throw badarg();
  let isAbsolute = false;
  for (const option of options) {
    if (!Array.isArray(option) || option[0] !== 'abs' || typeof option[1] !== 'boolean') throw badarg();
    isAbsolute = option[1];
  }
  if (isAbsolute) return Math.max(0, time - Number(monotonicTime('millisecond')));
  if (time < 0) throw badarg();
  return time;
}

/** `async`: the answer comes as a message `['cancel_timer', ref, answer]`. `info`: false, none is wanted. */
export type CancelOption = readonly ['async' | 'info', boolean];

/** Raises badarg. */
export function parseCancelOptions(options: unknown): { async: boolean; info: boolean } {
  const parsed = { async: false, info: true };
  if (!Array.isArray(options)) throw badarg();
  for (const option of options) {
    if (!Array.isArray(option) || typeof option[1] !== 'boolean') throw badarg();
    if (option[0] === 'async') parsed.async = option[1];
    else if (option[0] === 'info') parsed.info = option[1];
    else throw badarg();
  }
  return parsed;
}
