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
import { isDeepStrictEqual } from 'node:util';
import type { NameOnNode } from '../actors/destination.js';
import { ErlangError, ErlangExit, ErlangThrow, exitReason } from '../actors/errors.js';
import { Pid, Reference } from '../actors/identifiers.js';
import type { Process, Timeout } from '../actors/process.js';
import { isList, isTuple, type List, list } from '../actors/term.js';
import type { Self } from '../ports/self.js';

/** A request that a server answers, with the reply it gives. */
export type Call = readonly [request: unknown, reply: unknown];

/** Who called, for {@link reply}. */
export type From = readonly [pid: Pid, tag: List | Reference];

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
}

declare const protocol: unique symbol;

/** The pid of a server, which remembers the types of its requests. */
export type Server<C extends Call = Call, K = unknown> = Pid & {
  readonly [protocol]?: { calls: C; casts: K };
};
export type ServerRef<C extends Call = Call, K = unknown> = Server<C, K> | string | NameOnNode;

/** What can be asked: tuples are taken as literals, so that the reply of just this request is known. */
export type RequestOf<C extends Call> = Frozen<C[0]>;

/** The reply that belongs to a request. */
export type ReplyTo<C extends Call, Q> = C extends readonly [infer R, infer A]
  ? Q extends Frozen<R>
    ? A
    : never
  : never;

type Frozen<T> = T extends readonly unknown[] ? { readonly [I in keyof T]: Frozen<T[I]> } : T;

export interface StartOptions {
  /** Registers the server under this name before `init`. */
  readonly name?: string;
  /** How long `init` may take; default for ever. */
  readonly timeout?: Timeout;
}

export type StartResult<C extends Call, K> = ['ok', Server<C, K>] | ['error', unknown] | 'ignore';

/**
 * Starts a server that is not linked to the caller; resolves when `init` is through. `['error', reason]` when `init`
 * answers `['stop', reason]` or fails, or `['already_started', pid]` when the name is taken, or `timeout`.
 */
export function start<P extends Process, S, C extends Call, K, A>(
  self: P,
  behaviour: Behaviour<S, C, K, A, P>,
  args: A,
  options: StartOptions = {},
): Promise<StartResult<C, K>> {
  return startServer(self, behaviour, args, options, []);
}

/**
 * As {@link start}, and linked: when `init` fails, the exit signal ends a caller that does not trap exits; one that
 * does finds only the answer, no `'EXIT'` message.
 */
export function start_link<P extends Process, S, C extends Call, K, A>(
  self: P,
  behaviour: Behaviour<S, C, K, A, P>,
  args: A,
  options: StartOptions = {},
): Promise<StartResult<C, K>> {
  return startServer(self, behaviour, args, options, ['link']);
}

/**
 * Sends a request and resolves with the reply. Otherwise the caller exits, with `[reason, ['gen_server', 'call',
 * args]]`: the server's exit reason, `noproc`, `timeout` (milliseconds; default 5000), `calling_self`, or `['nodedown',
 * node]`. A reply that comes too late is dropped.
 */
export async function call<C extends Call, const Q extends RequestOf<C>>(
  self: Process,
  server: ServerRef<C>,
  request: Q,
  timeout?: Timeout,
): Promise<ReplyTo<C, Q>> {
  const fail = (reason: unknown): never => {
    const args =
      timeout === undefined ? list<unknown>(server, request) : list<unknown>(server, request, timeout);
    return self.exit([reason, ['gen_server', 'call', args]]);
  };
  const pid = typeof server === 'string' ? self.whereis(server) : server;
  if (pid === 'undefined') return fail('noproc');
  if (pid === self.pid) return fail('calling_self');

  const since = self.mailbox.arrived;
  const ref = self.monitor('process', server, [['alias', 'demonitor']]);
  const tag = list<unknown>('alias');
  tag.tail = ref;
  self.send(server, ['$gen_call', [self.pid, tag], request]);

  const isAnswer = (message: unknown): message is unknown[] => isReply(message, ref) || isDown(message, ref);
  let answer = await self.receive(isAnswer, { after: timeout ?? DEFAULT_TIMEOUT, since });
  self.demonitor(ref, ['flush']);
  // Between the end of the wait and this line a reply may have slipped in.
  if (answer === undefined) answer = await self.receive(isAnswer, { after: 0, since });
  if (answer === undefined) return fail('timeout');
  if (isReply(answer, ref)) return answer[1] as ReplyTo<C, Q>;
  const reason = answer[4];
  return fail(reason === 'noconnection' && isTuple(server) ? ['nodedown', server[1]] : reason);
}

/** Sends a request that gets no reply. Always `ok`, also where there is no such server. */
export function cast<K>(self: Process, server: ServerRef<Call, K>, request: NoInfer<K>): 'ok' {
  if (typeof server !== 'string' || self.whereis(server) !== 'undefined')
    self.send(server, ['$gen_cast', request]);
  return 'ok';
}

/** Answers a call whose `handle_call` has answered `noreply`; from any process. A caller that gave up gets nothing. */
export function reply(self: Process, from: From, value: unknown): 'ok' {
  const [pid, tag] = from;
  const alias = isList(tag) && tag[0] === 'alias' && tag.tail instanceof Reference ? tag.tail : undefined;
  self.send(alias ?? pid, [tag, value]);
  return 'ok';
}

/**
 * Has the server call `terminate` and exit with `reason`, and resolves when it has exited. Exits the caller with
 * `noproc`, `timeout`, or the server's reason when that is another.
 */
export async function stop(
  self: Process,
  server: ServerRef,
  reason: unknown = 'normal',
  timeout: Timeout = 'infinity',
): Promise<'ok'> {
  if (typeof server === 'string' && self.whereis(server) === 'undefined') return self.exit('noproc');
  const ref = self.monitor('process', server);
  self.send(server, ['system', [self.pid, ref], ['terminate', reason]]);
  const isEnd = (message: unknown): message is unknown[] => isDown(message, ref);
  const down = await self.receive(isEnd, { after: timeout });
  if (down !== undefined) return isDeepStrictEqual(down[4], reason) ? 'ok' : self.exit(down[4]);
  self.demonitor(ref, ['flush']);
  return self.exit('timeout');
}

const DEFAULT_TIMEOUT = 5000;

function isReply(message: unknown, ref: Reference): message is [List, unknown] {
  return isTuple(message) && message.length === 2 && isList(message[0]) && message[0].tail === ref;
}

function isDown(message: unknown, ref: Reference): boolean {
  return isTuple(message) && message[0] === 'DOWN' && message[1] === ref;
}

// ---- Starting

type Ack<C extends Call, K> = ['ack', Pid, StartResult<C, K>];

async function startServer<P extends Process, S, C extends Call, K, A>(
  self: P,
  behaviour: Behaviour<S, C, K, A, P>,
  args: A,
  { name, timeout = 'infinity' }: StartOptions,
  link: readonly 'link'[],
): Promise<StartResult<C, K>> {
  const parent = self.pid;
  const body = (server: P) => new Loop(server, behaviour, parent, link.length > 0).run(args, name);
  const [pid, ref] = self.spawn_opt(body as (server: Process) => unknown, [...link, 'monitor']) as [
    Pid,
    Reference,
  ];
  const isAck = (message: unknown): message is Ack<C, K> =>
    isTuple(message) && message[0] === 'ack' && message[1] === pid;
  const isEnd = (message: unknown): message is unknown[] => isDown(message, ref);
  const isAnswer = (message: unknown): message is unknown[] => isAck(message) || isEnd(message);

  let answer = await self.receive(isAnswer, { after: timeout });
  const result: StartResult<C, K> =
    answer === undefined ? ['error', 'timeout'] : isAck(answer) ? answer[2] : ['error', answer[4]];
  if (result[0] === 'ok') {
    self.demonitor(ref, ['flush']);
    return result;
  }
  // It has failed: when this returns, it is gone, and has left nothing in the mailbox.
  if (answer === undefined) self.exit(pid, 'kill');
  while (answer === undefined || !isEnd(answer)) answer = await self.receive(isAnswer);
  await self.receive((message) => isTuple(message) && message[0] === 'EXIT' && message[1] === pid, {
    after: 0,
  });
  return result;
}

// ---- The server

class Loop<P extends Process, S, C extends Call, K, A> {
  private state!: S;

  constructor(
    private readonly self: P,
    private readonly behaviour: Behaviour<S, C, K, A, P>,
    private readonly parent: Pid,
    private readonly isLinked: boolean,
  ) {}

  async run(args: A, name: string | undefined): Promise<void> {
    const { self } = this;
    let then: Then | undefined = await this.init(args, name);
    for (;;) {
      try {
        then = await this.step(then);
      } catch (thrown) {
        // Also what stops a killed server comes along here; then `terminate` is not called, as in OTP.
        if (!self.is_process_alive(self.pid)) throw thrown;
        if (!(thrown instanceof Stop)) {
          await this.behaviour.terminate?.(exitReason(thrown), this.state, self);
          throw thrown;
        }
        await this.behaviour.terminate?.(thrown.reason, this.state, self);
        if (thrown.reply !== undefined) reply(self, ...thrown.reply);
        throw new ErlangExit(thrown.reason);
      }
    }
  }

  /** Tells the starter how it went, and ends the server when it did not. */
  private async init(args: A, name: string | undefined): Promise<Then | undefined> {
    const { self } = this;
    if (name !== undefined) {
      const holder = self.whereis(name);
      if (holder !== 'undefined') return this.fail(['error', ['already_started', holder]], 'normal');
      self.register(name, self.pid);
    }
    let result: InitResult<S>;
    try {
      result = (await returned(() => this.behaviour.init(args, self))) as InitResult<S>;
    } catch (thrown) {
      const reason = exitReason(thrown);
      this.acknowledge(['error', reason]);
      throw thrown;
    }
    if (result === 'ignore') return this.fail('ignore', 'normal');
    if (result?.[0] === 'stop') return this.fail(['error', result[1]], result[1]);
    if (result?.[0] !== 'ok')
      return this.fail(['error', ['bad_return_value', result]], ['bad_return_value', result]);
    this.state = result[1];
    this.acknowledge(['ok', self.pid]);
    return result[2];
  }

  private fail(result: StartResult<C, K>, reason: unknown): never {
    const { self } = this;
    if (self.registeredName !== undefined) self.unregister(self.registeredName);
    this.acknowledge(result);
    throw new ErlangExit(reason);
  }

  private acknowledge(result: StartResult<C, K>): void {
    this.self.send(this.parent, ['ack', this.self.pid, result]);
  }

  private async step(then: Then | undefined): Promise<Then | undefined> {
    const { self, behaviour } = this;
    if (isTuple(then)) {
      const { handle_continue = undefinedFunction } = behaviour;
      return this.next(await returned(() => handle_continue.call(behaviour, then[1], this.state, self)));
    }
    const after = then === undefined || then === 'hibernate' ? 'infinity' : (then as Timeout);
    return this.handle((await self.receive(undefined, { after })) ?? 'timeout');
  }

  private async handle(message: unknown): Promise<Then | undefined> {
    const { self, behaviour } = this;
    const [kind, second, third] = isTuple(message) ? message : [];
    if (kind === '$gen_call' && isFrom(second)) {
      const { handle_call = undefinedFunction } = behaviour;
      return this.next(
        await returned(() => handle_call.call(behaviour, third, second, this.state, self)),
        second,
      );
    }
    if (kind === '$gen_cast') {
      const { handle_cast = undefinedFunction } = behaviour;
      return this.next(await returned(() => handle_cast.call(behaviour, second as K, this.state, self)));
    }
    if (kind === 'system' && isTuple(third) && third[0] === 'terminate') throw new Stop(third[1]);
    if (kind === 'EXIT' && this.isLinked && second === this.parent) throw new Stop(third);
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
        throw new Stop(second);
      }
      if (kind === 'stop' && result.length === 4 && from !== undefined) {
        this.state = fourth as S;
        throw new Stop(second, [from, third]);
      }
    }
    throw new ErlangExit(['bad_return_value', result]);
  }
}

/** A server ends in an orderly way. The caller who is still owed a reply gets it after `terminate`. */
class Stop extends Error {
  constructor(
    readonly reason: unknown,
    readonly reply?: [From, unknown],
  ) {
    super('stop');
  }
}

async function returned(callback: () => unknown): Promise<unknown> {
  try {
    return await callback();
  } catch (thrown) {
    if (thrown instanceof ErlangThrow) return thrown.value;
    throw thrown;
  }
}

function undefinedFunction(): never {
  throw new ErlangError('undef');
}

function isFrom(term: unknown): term is From {
  return isTuple(term) && term.length === 2 && term[0] instanceof Pid;
}
