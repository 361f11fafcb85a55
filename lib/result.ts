import { ErlangError } from '../actors/errors.js';

/** `{ok, T} | {error, Reason}`: TypeScript narrows it by its first element. */
export type Result<T, R = string> = ['ok', T] | ['error', R];
/** `ok | {error, Reason}`. */
export type Done<R = string> = 'ok' | ['error', R];

/**
 * The match that crashes: `ok(result)` is what `{ok, T} = Result` is in Erlang.
 * @throws ErlangError `['badmatch', result]` for anything but `ok`
 */
export function ok<R>(result: R): Ok<R>;
export function ok(result: unknown): unknown {
  if (result === 'ok') return undefined;
  if (Array.isArray(result) && result.length === 2 && result[0] === 'ok') return result[1];
  throw new ErlangError(['badmatch', result]);
}

/** What is in the `ok` of a result: nothing (undefined) of a bare `ok`, no value at all of anything else. */
type Ok<R> = R extends readonly ['ok', infer T] ? T : R extends 'ok' ? undefined : never;
