import { badarg } from './errors.js';
import { formatShort } from './format.js';
import { parseOptions, parsePair } from './options.js';

/** A name, or how many of the unit make a second. */
export type TimeUnit = 'second' | 'millisecond' | 'microsecond' | 'nanosecond' | 'native' | number;

const PER_SECOND: Readonly<Record<string, bigint>> = {
  second: 1n,
  millisecond: 1000n,
  microsecond: 1_000_000n,
  nanosecond: 1_000_000_000n,
  native: 1_000_000_000n,
};

/** Erlang's monotonic clock. A native unit is a nanosecond; raises badarg for an unknown one. */
export function monotonicTime(unit: TimeUnit = 'native'): bigint {
  return convert(process.hrtime.bigint(), unit);
}

/** The time of day, on a clock that nobody sets while the OS process runs (Erlang's no_time_warp mode). */
export function systemTime(unit: TimeUnit = 'native'): bigint {
  return convert(process.hrtime.bigint() + OFFSET, unit);
}

export function timeOffset(unit: TimeUnit = 'native'): bigint {
  return convert(OFFSET, unit);
}

const OFFSET = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();

/** As Erlang's convert_time_unit rounds: down. */
function convert(nanoseconds: bigint, unit: TimeUnit): bigint {
  const scaled = nanoseconds * perSecond(unit);
  const quotient = scaled / 1_000_000_000n;
  return scaled < 0n && quotient * 1_000_000_000n !== scaled ? quotient - 1n : quotient;
}

function perSecond(unit: unknown): bigint {
  if (typeof unit === 'number' && Number.isSafeInteger(unit) && unit > 0) return BigInt(unit);
  if (typeof unit === 'string' && Object.hasOwn(PER_SECOND, unit)) return PER_SECOND[unit]!;
  const names = Object.keys(PER_SECOND).join(', ');
  throw badarg(`${formatShort(unit)} is no unit of time: these are ${names}, or how many make a second`);
}

/** `abs`: the time is not from now but on the clock of monotonic_time, in milliseconds. */
export type TimerOption = readonly ['abs', boolean];

/** Milliseconds from now; raises badarg. */
export function parseTime(time: unknown, options: unknown): number {
  if (typeof time !== 'number' || !Number.isSafeInteger(time)) throw badTime(time);
  let isAbsolute = false;
  for (const option of parseOptions(options)) {
    const [key, value] = parsePair(option);
    if (key !== 'abs' || typeof value !== 'boolean') throw badOption(option, ['abs']);
    isAbsolute = value;
  }
  if (isAbsolute) return Math.max(0, time - Number(monotonicTime('millisecond')));
  if (time < 0) throw badTime(time);
  return time;
}

/** `async`: the answer comes as a message `['cancel_timer', ref, answer]`. `info`: false, none is wanted. */
export type CancelOption = readonly ['async' | 'info', boolean];

/** As above, `['read_timer', ref, answer]`. */
export type ReadOption = readonly ['async', boolean];

/** Options that are all booleans, with their defaults; raises badarg for others. */
export function parseTimerFlags<F extends Record<string, boolean>>(options: unknown, defaults: F): F {
  const parsed: Record<string, boolean> = { ...defaults };
  for (const option of parseOptions(options)) {
    const [key, value] = parsePair(option);
    if (typeof key !== 'string' || !Object.hasOwn(defaults, key) || typeof value !== 'boolean') {
      throw badOption(option, Object.keys(defaults));
    }
    parsed[key] = value;
  }
  return parsed as F;
}

function badTime(time: unknown): Error {
  return badarg(`the time has to be an integer of milliseconds, from 0 on, not ${formatShort(time)}`);
}

function badOption(option: unknown, known: readonly string[]): Error {
  const options = known.map((key) => `['${key}', boolean]`).join(', ');
  return badarg(`${formatShort(option)} is no option here: these are ${options}`);
}
