/**
 * gen_server, as in OTP, for processes of this package: a process that answers requests one after the other.
 * Messages on the way are those of OTP, `['$gen_call', from, request]` and `['$gen_cast', request]`.
 *
 * ```ts
 * type Calls = ['get', number] | [['add', number], 'ok'];                  // request and reply, one pair each
 *
 * const counter: gen_server.Behaviour<number, Calls> = {
 *   init: (start: number) => ['ok', start],
 *   handle_call: (request, _from, n) =>
 *     request === 'get' ? ['reply', n, n] : ['reply', 'ok', n + request[1]],
 * };
 *
 * const pid = ok(await gen_server.start_link(self, counter, 0));
 * const n: number = await gen_server.call(self, pid, 'get');
 * ```
 */
import { ErlangExit, exitReason } from '../actors/errors.js';
import type { Pid, Reference } from '../actors/identifiers.js';
import type { Process, Timeout } from '../actors/process.js';
import { isTuple, list } from '../actors/term.js';
import type { Self } from '../ports/self.js';
import * as gen from './gen.js';
import type { DebugEvent } from './sys-debug.js';
import { readable } from './sys-debug.js';
import { SystemMessages } from './system-messages.js';

type From = gen.From;
type StartOptions = gen.StartOptions;

export type { From, Registry, ServerName, StartOptions, Via } from './gen.js';

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
 */
export interface Behaviour<S, C extends Call = Call, K = unknown, A = unknown, P extends Process = Self> {
  init(args: A, self: P): Awaitable<InitResult<S>>;
  handle_call?(request: C[0], from: From, state: S, self: P): Awaitable<CallResult<S, C[1]>>;
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
export type ServerRef<C extends Call = Call, K = unknown> = Server<C, K> | Exclude<gen.ServerRef, Pid>;

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

/**
 * Starts a server that is not linked to the caller; resolves when `init` is through. `['error', reason]` when `init`
 * answers `['stop', reason]` or fails, or `['already_started', pid]` when the name is taken, or `timeout`.
 */
export function start<P extends Process, S, C extends Call, K, A>(
  self: P,
  behaviour: Behaviour<S, C, K, A, P>,
  args: A,
  options?: StartOptions,
): Promise<StartResult<C, K>> {
  return gen.start(self, (server, birth) => serve(server, behaviour, args, birth), options);
}

/**
 * As {@link start}, and linked: when `init` fails, the exit signal ends a caller that does not trap exits; one that
 * does finds only the answer, no `'EXIT'` message.
 */
export function start_link<P extends Process, S, C extends Call, K, A>(
  self: P,
  behaviour: Behaviour<S, C, K, A, P>,
  args: A,
  options?: StartOptions,
): Promise<StartResult<C, K>> {
  return gen.start_link(self, (server, birth) => serve(server, behaviour, args, birth), options);
}

/** As {@link start}, and monitored: the answer has the pid and the reference of the monitor. */
export async function start_monitor<P extends Process, S, C extends Call, K, A>(
  self: P,
  behaviour: Behaviour<S, C, K, A, P>,
  args: A,
  options?: StartOptions,
): Promise<['ok', [Server<C, K>, Reference]] | ['error', unknown] | 'ignore'> {
  const [result, ref] = await gen.start_monitor<P, StartResult<C, K>>(
    self,
    (server, birth) => serve(server, behaviour, args, birth),
    options,
  );
  return result[0] === 'ok' ? ['ok', [result[1] as Server<C, K>, ref as Reference]] : (result as 'ignore');
}

/**
 * Makes the process that calls it a server, which it is until it ends; started by proc_lib, and initialized by itself.
 * Never returns. The name has to be its own already, else it exits with `process_not_registered`.
 */
export function enter_loop<P extends Process, S, C extends Call, K, A>(
  self: P,
  behaviour: Behaviour<S, C, K, A, P>,
  state: S,
  options: Pick<StartOptions, 'name' | 'debug'> & { readonly then?: Then } = {},
): Promise<never> {
  const birth = gen.enter(self, options);
  return new Loop(self, behaviour, birth, state).run(options.then);
}

/**
 * Sends a request and resolves with the reply. Otherwise the caller exits, with `[reason, ['gen_server', 'call',
 * args]]`: the server's exit reason, `noproc`, `timeout` (milliseconds; default 5000), `calling_self`, or `['nodedown',
 * node]`. A reply that comes too late is dropped.
 */
export function call<C extends Call, const Q extends RequestOf<C>>(
  self: Process,
  server: ServerRef<C>,
  request: Q,
  timeout?: Timeout,
): Promise<ReplyTo<C, Q>> {
  return gen.call(self, server, '$gen_call', request, timeout, placeOfCall) as Promise<ReplyTo<C, Q>>;
}

/** Sends a request that gets no reply. Always `ok`, also where there is no such server. */
export function cast<K>(self: Process, server: ServerRef<Call, K>, request: NoInfer<K>): 'ok' {
  return gen.sendTo(self, server, ['$gen_cast', request]);
}

/** Answers a call whose `handle_call` has answered `noreply`; from any process. A caller that gave up gets nothing. */
export function reply(self: Process, from: From, value: unknown): 'ok' {
  return gen.reply(self, from, value);
}

/**
 * Has the server call `terminate` and exit with `reason`, and resolves when it has exited. Exits the caller with
 * `noproc`, `timeout`, or the server's reason when that is another.
 */
export function stop(self: Process, server: ServerRef, reason?: unknown, timeout?: Timeout): Promise<'ok'> {
  return gen.stop(self, server, reason, timeout);
}

function placeOfCall(server: gen.ServerRef, request: unknown, timeout: Timeout | undefined): unknown {
  const args = timeout === undefined ? list(server, request) : list(server, request, timeout);
  return ['gen_server', 'call', args];
}

// ---- The server

async function serve<P extends Process, S, C extends Call, K, A>(
  self: P,
  behaviour: Behaviour<S, C, K, A, P>,
  args: A,
  birth: gen.Birth,
): Promise<never> {
  let result: InitResult<S>;
  try {
    result = (await returned(() => behaviour.init(args, self))) as InitResult<S>;
  } catch (thrown) {
    return gen.initCrashed(self, birth, thrown);
  }
  if (!isTuple(result) || result[0] !== 'ok' || !isThen(result[2]))
    return gen.refuseInit(self, birth, result);
  gen.initAck(self);
  return new Loop(self, behaviour, birth, result[1]).run(result[2]);
}

class Loop<P extends Process, S, C extends Call, K, A> {
  private readonly system: SystemMessages;

  constructor(
    private readonly self: P,
    private readonly behaviour: Behaviour<S, C, K, A, P>,
    birth: gen.Birth,
    private state: S,
  ) {
    this.system = new SystemMessages(self, birth, {
      module: 'gen_server',
      getState: () => this.state,
      replaceState: async (change) => {
        this.state = (await change(this.state)) as S;
        return this.state;
      },
      formatState: () => this.formatState(),
      describe,
    });
  }

  async run(then: Then | undefined): Promise<never> {
    try {
      for (;;) then = await this.step(then);
    } catch (thrown) {
      return await this.end(thrown);
    }
  }

  private async step(then: Then | undefined): Promise<Then | undefined> {
    const { self, behaviour } = this;
    if (isTuple(then)) {
      const { handle_continue = gen.undefinedFunction } = behaviour;
      return this.next(await returned(() => handle_continue.call(behaviour, then[1], this.state, self)));
    }
    const after = then === undefined || then === 'hibernate' ? 'infinity' : (then as Timeout);
    const message = (await self.receive(undefined, { after })) ?? 'timeout';
    if (this.system.concerns(message)) {
      await this.system.handle(message);
      return then;
    }
    return this.handle(message);
  }

  private async handle(message: unknown): Promise<Then | undefined> {
    const { self, behaviour } = this;
    const [kind, second, third] = isTuple(message) ? message : [];
    if (kind === '$gen_call' && gen.isFrom(second)) {
      const { handle_call = gen.undefinedFunction } = behaviour;
      return this.next(
        await returned(() => handle_call.call(behaviour, third, second, this.state, self)),
        second,
      );
    }
    if (kind === '$gen_cast') {
      const { handle_cast = gen.undefinedFunction } = behaviour;
      return this.next(await returned(() => handle_cast.call(behaviour, second as K, this.state, self)));
    }
    const { handle_info } = behaviour;
    if (handle_info === undefined) return undefined;
    return this.next(await returned(() => handle_info.call(behaviour, message, this.state, self)));
  }

  /** Does what a callback has answered. */
  private next(result: unknown, from?: From): Then | undefined {
    if (isTuple(result)) {
      const [kind, second, third, fourth] = result;
      if (kind === 'noreply') {
        this.state = second as S;
        return third as Then | undefined;
      }
      if (kind === 'reply' && from !== undefined) {
        this.state = third as S;
        reply(this.self, from, second);
        return fourth as Then | undefined;
      }
      if (kind === 'stop' && result.length === 3) {
        this.state = third as S;
        throw new gen.Stop(second);
      }
      if (kind === 'stop' && result.length === 4 && from !== undefined) {
        this.state = fourth as S;
        throw new StopAndReply(second, from, third);
      }
    }
    throw new ErlangExit(['bad_return_value', result]);
  }

  /** Also what stops a killed server comes along here; then `terminate` is not called, as in OTP. */
  private async end(thrown: unknown): Promise<never> {
    const { self, behaviour } = this;
    if (!self.isAlive) throw thrown;
    try {
      const reason = thrown instanceof gen.Stop ? thrown.reason : exitReason(thrown);
      await returned(() => behaviour.terminate?.(reason, this.state, self));
    } finally {
      // The caller who is still owed a reply gets it after `terminate`, whatever becomes of that.
      if (thrown instanceof StopAndReply && self.isAlive) reply(self, thrown.from, thrown.reply);
    }
    throw thrown instanceof gen.Stop ? new ErlangExit(thrown.reason) : thrown;
  }

  private async formatState(): Promise<unknown> {
    const { behaviour, state } = this;
    if (behaviour.format_status === undefined) return state;
    return (await behaviour.format_status(new Map([['state', state]]))).get('state');
  }
}

class StopAndReply extends gen.Stop {
  constructor(
    reason: unknown,
    readonly from: From,
    readonly reply: unknown,
  ) {
    super(reason);
  }
}

async function returned(callback: () => unknown): Promise<unknown> {
  try {
    return await callback();
  } catch (thrown) {
    return gen.thrownValue(thrown);
  }
}

function isThen(term: unknown): term is Then | undefined {
  if (term === undefined || term === 'hibernate') return true;
  return gen.isTimeout(term) || (isTuple(term) && term.length === 2 && term[0] === 'continue');
}

/** How OTP words a gen_server's events in a trace. */
function describe([kind, first, second, third]: DebugEvent): string {
  switch (kind) {
    case 'in': {
      const [tag, from, request] = isTuple(first) ? first : [];
      if (tag === '$gen_call' && gen.isFrom(from)) return `got call ${readable(request)} from ${from[0]}`;
      return tag === '$gen_cast' ? `got cast ${readable(from)}` : `got ${readable(first)}`;
    }
    case 'out':
      return `sent ${readable(first)} to ${(second as From)[0]}, new state ${readable(third)}`;
    default:
      return `new state ${readable(first)}`;
  }
}
