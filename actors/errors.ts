/** What Erlang code can raise, as JavaScript errors, and how an uncaught one becomes an exit reason. */
import { types } from 'node:util';
import { formatReason } from './format.js';
import type { Pid } from './identifiers.js';
import type { Reason } from './signal.js';
import { isList, type List, list } from './term.js';

// Reasons are said in the message, so they are no properties of their own, which Node would print once more. Where a
// reason is of an error that was raised in this OS process, that error is the `cause`.

/** `error(Reason)`: something is wrong with the program or its arguments, e.g. `badarg`, `noproc`. */
export class ErlangError extends Error {
  readonly #reason: Reason;

  /** `message` says more to a person than the reason does; it is no part of the reason. */
  constructor(reason: Reason, message = formatReason(reason)) {
    super(message, causeOf(reason));
    this.name = 'ErlangError';
    this.#reason = reason;
  }

  get reason(): Reason {
    return this.#reason;
  }
}

/** `exit(Reason)`: the process wants to end. Can be caught; uncaught it ends the process, silently. */
export class ErlangExit extends Error {
  readonly #reason: Reason;

  /** As of an {@link ErlangError}. */
  constructor(reason: Reason, message = formatReason(reason)) {
    super(message, causeOf(reason));
    this.name = 'ErlangExit';
    this.#reason = reason;
  }

  get reason(): Reason {
    return this.#reason;
  }
}

/** `throw(Value)`: a non-local return. Throwing a value that is no `Error` means the same. */
export class ErlangThrow extends Error {
  readonly #value: unknown;

  constructor(value: unknown) {
    super(formatReason(value));
    this.name = 'ErlangThrow';
    this.#value = value;
  }

  get value(): unknown {
    return this.#value;
  }
}

/**
 * Raised in the program of a process that is already dead, so that its `finally` blocks run: by whatever it
 * waited in when it died, and by each call of `self` after. Catching it saves nobody.
 */
export class ProcessExit extends Error {
  readonly code = 'ERR_PROCESS_EXIT';
  readonly #reason: Reason;

  /** `pid`: whose program it stops. */
  constructor(
    reason: Reason,
    readonly pid?: Pid,
  ) {
    super(`${pid ?? 'the process'} has exited: ${formatReason(reason)}`, causeOf(reason));
    this.name = 'ProcessExit';
    this.#reason = reason;
  }

  get reason(): Reason {
    return this.#reason;
  }
}

/** A use of the runtime that Erlang has no word for. */
export class RuntimeError extends Error {
  constructor(
    readonly code: 'ERR_CONCURRENT_RECEIVE' | 'ERR_RUNTIME_STOPPED',
    message: string,
  ) {
    super(message);
    this.name = 'RuntimeError';
  }
}

/** `message` says to a person which argument, and why. */
export function badarg(message?: string): ErlangError {
  return new ErlangError('badarg', message === undefined ? undefined : `badarg: ${message}`);
}

/**
 * The exit reason that Erlang gives to a process which did not catch `thrown`:
 *
 * | thrown                | reason                                                                        |
 * |-----------------------|-------------------------------------------------------------------------------|
 * | ErlangExit            | its reason                                                                    |
 * | ErlangError           | `[reason, stack]`                                                             |
 * | ErlangThrow, no Error | `[['nocatch', value], stack]`                                                 |
 * | any other Error       | `[[code or name, message as a binary], stack]`, e.g. `[['ENOENT', ...], ...]` |
 */
export function exitReason(thrown: unknown): Reason {
  try {
    return reasonOf(thrown);
  } catch {
    // Its own properties raise errors; a process has to end whatever is thrown.
    return [['nocatch', thrown], list()];
  }
}

function reasonOf(thrown: unknown): Reason {
  if (thrown instanceof ErlangExit) return thrown.reason;
  if (thrown instanceof ErlangError) return [thrown.reason, stacktrace(thrown)];
  if (thrown instanceof ErlangThrow) return [['nocatch', thrown.value], stacktrace(thrown)];
  if (!isError(thrown)) return [['nocatch', thrown], list()];
  const { code } = thrown as NodeJS.ErrnoException;
  return [
    [typeof code === 'string' ? code : thrown.name, Buffer.from(String(thrown.message))],
    stacktrace(thrown),
  ];
}

/** Also those of another realm: of a vm context, or Node's own in one (as under jest). */
export function isError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error || types.isNativeError(thrown);
  } catch {
    // A revoked proxy cannot even be asked.
    return false;
  }
}

/** Only errors and throws are worth a report: exit/1 is a normal way to end. */
export function isCrash(thrown: unknown): boolean {
  try {
    return !(thrown instanceof ErlangExit);
  } catch {
    // A revoked proxy cannot even be asked.
    return true;
  }
}

/** An Erlang stack trace: `[module, function, arity, list(['file', binary], ['line', n])]`; arities are unknown: 0. */
export function stacktrace(error: Error): List {
  const frames = list<unknown>();
  for (const line of stackOf(error).split('\n')) {
    const frame = /^\s+at (?:async )?(?:(.*) \()?(.+?):(\d+):\d+\)?$/.exec(line);
    if (frame === null) continue;
    const [, called = 'fun', file = '', row] = frame;
    const module = /([^/\\]*?)(\.[^./\\]*)?$/.exec(file)?.[1] ?? file;
    frames.push([module, called, 0, list(['file', Buffer.from(file)], ['line', Number(row)])]);
  }
  origins.set(frames, error);
  return frames;
}

/** Which error a stack trace was made of: wherever a reason goes, its trace goes with it. */
const origins = new WeakMap<List, Error>();

/** The error that a reason tells of, where it was raised in this OS process. */
export function originOf(reason: Reason, depth = 4): Error | undefined {
  if (!Array.isArray(reason)) return undefined;
  if (isList(reason)) return origins.get(reason);
  if (depth === 0) return undefined;
  // Where in a reason there is another one, it is at its beginning.
  for (let i = 0; i < reason.length && i < 3; i++) {
    const origin = originOf(reason[i], depth - 1);
    if (origin !== undefined) return origin;
  }
  return undefined;
}

function causeOf(reason: Reason): { cause: Error } | undefined {
  try {
    const cause = originOf(reason);
    return cause === undefined ? undefined : { cause };
  } catch {
    // A revoked proxy cannot even be looked at.
    return undefined;
  }
}

/** The stack as text; empty where something else has been made of it. */
export function stackOf(error: Error): string {
  try {
    return typeof error.stack === 'string' ? error.stack : '';
  } catch {
    return '';
  }
}
