/** What a supervisor has to know of a child, checked. */
import { isDeepStrictEqual } from 'node:util';
import type { Pid } from '../actors/identifiers.js';
import type { Process } from '../actors/process.js';
import { type List, list } from '../actors/term.js';
import type { Self } from '../ports/self.js';
import type { AutoShutdown } from './supervisor-flags.js';

type Awaitable<T> = T | Promise<T>;

export type ChildResult =
  | readonly ['ok', Pid]
  | readonly ['ok', Pid, unknown]
  | readonly ['error', unknown]
  | 'ignore';

/** Starts the child, linked; it runs in the supervisor's process, whose `self` it gets. */
export type ChildStart<P extends Process = Self> = (self: P, ...args: never[]) => Awaitable<ChildResult>;

export type Restart = 'permanent' | 'transient' | 'temporary';
/** How a child is told to end: killed, or with `shutdown` and killed when it takes more than so many milliseconds. */
export type Shutdown = 'brutal_kill' | 'infinity' | number;
export type ChildType = 'worker' | 'supervisor';
export type Modules = 'dynamic' | readonly string[];

export interface ChildSpec<P extends Process = Self> {
  /** Any term; what other functions name the child by. */
  readonly id: unknown;
  readonly start: ChildStart<P>;
  /** When it is started again: always (the default), after an abnormal end, or never. */
  readonly restart?: Restart;
  /** Default 5000 for a worker, `infinity` for a supervisor. */
  readonly shutdown?: Shutdown;
  /** Default `worker`. */
  readonly type?: ChildType;
  /** Whether its end counts for the supervisor's auto_shutdown. Default false. */
  readonly significant?: boolean;
  /** Kept for who asks; nothing here has another use for it. */
  readonly modules?: Modules;
}

/** With its defaults. */
export type CheckedSpec<P extends Process = Self> = Required<ChildSpec<P>>;

type Checked<T> = ['ok', T] | ['error', unknown];

/** All of them have to be right, and no two of the same id: else OTP's term for what is wrong first, or `['unknown_key', _]`. */
export function checkSpecs<P extends Process>(
  specs: readonly ChildSpec<P>[],
  autoShutdown: AutoShutdown | undefined,
): Checked<CheckedSpec<P>[]> {
  const checked: CheckedSpec<P>[] = [];
  for (const spec of specs) {
    const result = checkSpec(spec, autoShutdown);
    if (result[0] === 'error') return result;
    const { id } = result[1];
    if (checked.some((other) => isSameId(other.id, id))) return ['error', ['duplicate_child_name', id]];
    checked.push(result[1]);
  }
  return ['ok', checked];
}

export function checkSpec<P extends Process>(
  spec: ChildSpec<P>,
  autoShutdown: AutoShutdown | undefined,
): Checked<CheckedSpec<P>> {
  try {
    return check(spec, autoShutdown);
  } catch {
    // A getter of whoever wrote it has thrown, which is not the supervisor's end.
    return ['error', ['invalid_child_spec', spec]];
  }
}

function check<P extends Process>(
  spec: ChildSpec<P>,
  autoShutdown: AutoShutdown | undefined,
): Checked<CheckedSpec<P>> {
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) {
    return ['error', ['invalid_child_spec', spec]];
  }
  const unknown = Object.keys(spec).find((key) => !KEYS.has(key));
  if (unknown !== undefined) return ['error', ['unknown_key', unknown]];
  const { id, start, restart = 'permanent', type = 'worker', significant = false } = spec;
  const { shutdown = type === 'supervisor' ? 'infinity' : 5000, modules = list<string>() } = spec;
  const checked = { id, start, restart, shutdown, type, significant, modules };
  const error = whatIsWrong(checked, autoShutdown);
  return error === undefined ? ['ok', checked] : ['error', error];
}

/** In OTP's order. */
function whatIsWrong<P extends Process>(
  spec: CheckedSpec<P>,
  autoShutdown: AutoShutdown | undefined,
): unknown {
  const { id, start, restart, shutdown, type, significant, modules } = spec;
  if (id === undefined) return 'missing_id';
  if (start === undefined) return 'missing_start';
  if (typeof start !== 'function') return ['invalid_mfa', start];
  if (!RESTARTS.has(restart)) return ['invalid_restart_type', restart];
  if (significant === true && autoShutdown === 'never') {
    return badCombination(['auto_shutdown', 'never']);
  }
  if (significant === true && restart === 'permanent') return badCombination(['restart', 'permanent']);
  if (typeof significant !== 'boolean') return ['invalid_significant', significant];
  if (type !== 'worker' && type !== 'supervisor') return ['invalid_child_type', type];
  if (!isShutdown(shutdown)) return ['invalid_shutdown', shutdown];
  if (modules === 'dynamic') return undefined;
  if (!Array.isArray(modules)) return ['invalid_modules', modules];
  const noModule = modules.find((module) => typeof module !== 'string');
  return noModule === undefined ? undefined : ['invalid_module', noModule];
}

function badCombination(other: [string, string]): [string, List] {
  return ['bad_combination', list<unknown>(other, ['significant', true])];
}

function isShutdown(term: unknown): boolean {
  return term === 'brutal_kill' || term === 'infinity' || (Number.isInteger(term) && (term as number) >= 0);
}

/** Ids are compared as terms. */
export function isSameId(one: unknown, other: unknown): boolean {
  try {
    return one === other || (typeof one === 'object' && isDeepStrictEqual(one, other));
  } catch {
    // Of whoever asks; it is not the supervisor's end.
    return false;
  }
}

const KEYS: ReadonlySet<string> = new Set<keyof ChildSpec>([
  'id',
  'start',
  'restart',
  'shutdown',
  'type',
  'significant',
  'modules',
]);
const RESTARTS: ReadonlySet<unknown> = new Set<Restart>(['permanent', 'transient', 'temporary']);
