/** What a supervisor does about its children, checked. */
import { RestartIntensity } from './restart-intensity.js';

export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one' | 'simple_one_for_one';
export type AutoShutdown = 'never' | 'any_significant' | 'all_significant';

export interface SupervisorFlags {
  /** Default `one_for_one`. */
  readonly strategy?: Strategy;
  /** More restarts than this within a period end the supervisor. Default 1. */
  readonly intensity?: number;
  /** Seconds; default 5. */
  readonly period?: number;
  /** Whether the end of significant children ends the supervisor. Default `never`. */
  readonly auto_shutdown?: AutoShutdown;
}

export interface CheckedFlags {
  readonly strategy: Strategy;
  readonly autoShutdown: AutoShutdown;
  readonly restarts: RestartIntensity;
}

/** `{error, Error}` with OTP's term, such as `{invalid_strategy, _}`, or `['unknown_key', _]`. */
export function checkFlags(flags: SupervisorFlags): ['ok', CheckedFlags] | ['error', unknown] {
  if (typeof flags !== 'object' || flags === null || Array.isArray(flags)) {
    return ['error', ['invalid_type', flags]];
  }
  const unknown = Object.keys(flags).find((key) => !KEYS.has(key));
  if (unknown !== undefined) return ['error', ['unknown_key', unknown]];
  const { strategy = 'one_for_one', intensity = 1, period = 5, auto_shutdown = 'never' } = flags;
  if (!STRATEGIES.has(strategy)) return ['error', ['invalid_strategy', strategy]];
  if (!Number.isInteger(intensity) || intensity < 0) return ['error', ['invalid_intensity', intensity]];
  if (!Number.isInteger(period) || period <= 0) return ['error', ['invalid_period', period]];
  if (!isAutoShutdown(auto_shutdown)) return ['error', ['invalid_auto_shutdown', auto_shutdown]];
  return ['ok', { strategy, autoShutdown: auto_shutdown, restarts: new RestartIntensity(intensity, period) }];
}

export function isAutoShutdown(term: unknown): term is AutoShutdown {
  return AUTO_SHUTDOWNS.has(term);
}

const KEYS: ReadonlySet<string> = new Set<keyof SupervisorFlags>([
  'strategy',
  'intensity',
  'period',
  'auto_shutdown',
]);
const STRATEGIES: ReadonlySet<unknown> = new Set<Strategy>([
  'one_for_one',
  'one_for_all',
  'rest_for_one',
  'simple_one_for_one',
]);
const AUTO_SHUTDOWNS: ReadonlySet<unknown> = new Set<AutoShutdown>([
  'never',
  'any_significant',
  'all_significant',
]);
