/** What a gen_server is made of, and what can be asked of it, request by request. */
import type { Pid } from '../actors/identifiers.js';
import type { Process, Timeout } from '../actors/process.js';
import type { Self } from '../ports/self.js';
import type { ServerRef as AnyServerRef, From } from './gen.js';

/** A request that a server answers, with the reply it gives. */
export type Call = readonly [request: unknown, reply: unknown];

/** What to do after a callback: wait so long and then have `handle_info('timeout')`, or go on with `handle_continue`. */
export type Then = Timeout | 'hibernate' | readonly ['continue', unknown];

export type InitResult<S> = readonly ['ok', S, Then?] | readonly ['stop', unknown] | 'ignore';
export type NoReply<S> = readonly ['noreply', S, Then?] | readonly ['stop', unknown, S];
export type CallResult<S, R> =
  | NoReply<S>
  | readonly ['reply', R, S, Then?]
  | readonly ['stop', unknown, R, S];

type Awaitable<T> = T | Promise<T>;

/**
 * What a server does. Each callback may be asynchronous; the next message waits until it is through. A missing
 * `handle_call` or `handle_cast` makes their messages crash the server (`undef`), as in OTP; a missing `handle_info`
 * drops them. A value thrown as {@link ErlangThrow} counts as returned.
 *
 * For the compiler any reply of the server will do: it does not tell which belongs to the request at hand.
 */
export interface Behaviour<S, C extends Call = Call, K = unknown, A = unknown, P extends Process = Self> {
  init(args: A, self: P): Awaitable<InitResult<S>>;
  handle_call?(request: C[0], from: From<C[1]>, state: S, self: P): Awaitable<CallResult<S, C[1]>>;
  handle_cast?(request: K, state: S, self: P): Awaitable<NoReply<S>>;
  handle_info?(message: unknown, state: S, self: P): Awaitable<NoReply<S>>;
  handle_continue?(what: unknown, state: S, self: P): Awaitable<NoReply<S>>;
  /** Called before the server exits by itself: it stopped, crashed, or traps exits and its parent exited. */
  terminate?(reason: unknown, state: S, self: P): unknown;
  /** What `sys.get_status` shows instead of the state. */
  format_status?(status: ReadonlyMap<'state', S>): Awaitable<ReadonlyMap<'state', unknown>>;
}

declare const protocol: unique symbol;

/** The pid of a server, which remembers the types of its requests. */
export type Server<C extends Call = Call, K = unknown> = Pid & {
  readonly [protocol]?: { calls: C; casts: K };
};
export type ServerRef<C extends Call = Call, K = unknown> = Server<C, K> | Name;
/** All that a server can be reached by besides its pid. */
export type Name = Exclude<AnyServerRef, Pid>;

/** What can be asked: tuples are taken as literals, so that the reply of just this request is known. */
export type RequestOf<C extends Call> = Frozen<C[0]>;

/** The reply that belongs to a request. */
export type ReplyTo<C extends Call, Q> = C extends readonly [infer R, infer A]
  ? Q extends Frozen<R>
    ? A
    : never
  : never;

type Frozen<T> = T extends readonly unknown[] ? { readonly [I in keyof T]: Frozen<T[I]> } : T;

export type StartResult<C extends Call, K> = ['ok', Server<C, K>] | ['error', unknown] | 'ignore';
