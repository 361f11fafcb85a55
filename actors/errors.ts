/** What Erlang code can raise, as JavaScript errors, and how an uncaught one becomes an exit reason. */
import { inspect, types } from 'node:util';
import type { Reason } from './signal.js';
import { type List, list } from './term.js';

/** `error(Reason)`: something is wrong with the program or its arguments, e.g. `badarg`, `noproc`. */
export class ErlangError extends Error {
  /** `message` says more to a person than the reason does; it is no part of the reason. */
  constructor(
    readonly reason: Reason,
    message = readable(reason),
  ) {
    super(message);
    this.name = 'ErlangError';
  }
}

/** `exit(Reason)`: the process wants to end. Can be caught; uncaught it ends the process, silently. */
export class ErlangExit extends Error {
  constructor(readonly reason: Reason) {
    super(readable(reason));
    this.name = 'ErlangExit';
  }
}

/** `throw(Value)`: a non-local return. Throwing a value that is no `Error` means the same. */
export class ErlangThrow extends Error {
  constructor(readonly value: unknown) {
    super(readable(value));
    this.name = 'ErlangThrow';
  }
}

/**
 * Raised in the program of a process that is already dead, so that its `finally` blocks run: by whatever it
 * waited in when it died, and by each call of `self` after. Catching it saves nobody.
 */
export class ProcessExit extends Error {
  readonly code = 'ERR_PROCESS_EXIT';

  constructor(readonly reason: Reason) {
    super(`the process has exited: ${readable(reason)}`);
    this.name = 'ProcessExit';
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
  return thrown instanceof Error || types.isNativeError(thrown);
}

/** Only errors and throws are worth a report: exit/1 is a normal way to end. */
export function isCrash(thrown: unknown): boolean {
  return !(thrown instanceof ErlangExit);
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
  return frames;
}

/** The stack as text; empty where something else has been made of it. */
export function stackOf(error: Error): string {
  try {
    return typeof error.stack === 'string' ? error.stack : '';
  } catch {
    return '';
  }
}

function readable(reason: unknown): string {
  return typeof reason === 'string'
    ? reason
    : inspect(reason, { depth: 5, breakLength: Number.POSITIVE_INFINITY });
}
