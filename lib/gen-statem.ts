/**
 * gen_statem, as in OTP, for processes of this package: a process that is in one of several states, and whose answer to
 * an event depends on it. Messages on the way are those of OTP, `['$gen_call', from, request]` and `['$gen_cast', request]`.
 *
 * ```ts
 * type Events = { call: ['pushes', number]; cast: 'push' };
 *
 * const button: gen_statem.StateFunctions<'off' | 'on', number, Events> = {
 *   init: () => ['ok', 'off', 0],
 *   states: {
 *     off: ([type, , from], pushes) => {
 *       if (type === 'cast') return ['next_state', 'on', pushes + 1];
 *       return type === 'call' ? ['keep_state_and_data', ['reply', from, pushes]] : 'keep_state_and_data';
 *     },
 *     on: ([type, , from], pushes) => {
 *       if (type === 'cast') return ['next_state', 'off', pushes];
 *       return type === 'call' ? ['keep_state_and_data', ['reply', from, pushes]] : 'keep_state_and_data';
 *     },
 *   },
 * };
 *
 * const pid = ok(await gen_statem.start_link(self, button, undefined));
 * gen_statem.cast(self, pid, 'push');
 * const pushes: number = await gen_statem.call(self, pid, 'pushes');
 * ```
 */
import { badarg } from '../actors/errors.js';
import { formatShort } from '../actors/format.js';
import type { Reference } from '../actors/identifiers.js';
import type { Process, Timeout } from '../actors/process.js';
import { list } from '../actors/term.js';
import * as gen from './gen.js';
import * as requests from './gen-request.js';
import type { Name, ReplyTo, RequestOf, Server, ServerRef, StartResult } from './gen-server.js';
import { type AnyMachine, Loop, serve } from './gen-statem-loop.js';
import { eachOf, isReplyAction } from './gen-statem-transition.js';
import type {
  Actions,
  CallsOf,
  CastsOf,
  Events,
  HandleEventFunction,
  Machine,
  ReplyAction,
  StateFunctions,
} from './gen-statem-types.js';

export type { From, Registry, ServerName, StartOptions, Via } from './gen.js';
export {
  check_response,
  type RequestId,
  type Response,
  receive_response,
  wait_response,
} from './gen-request.js';
export type { Call, Name, Server, ServerRef } from './gen-server.js';
export type {
  Action,
  Actions,
  AnyEvents,
  Event,
  Events,
  HandleEventFunction,
  InitResult,
  ReplyAction,
  Result,
  StateFunctions,
} from './gen-statem-types.js';

type Started<E extends Events> = StartResult<CallsOf<E>, CastsOf<E>>;

/** The same name, with the types of what the machine that has it can be told; as {@link gen_server.named}. */
export function named<E extends Events>(name: Name): ServerRef<CallsOf<E>, CastsOf<E>> {
  return name;
}

/**
 * Starts a machine that is not linked to the caller; resolves when `init` is through, before the state enter call.
 * `['error', reason]` when `init` answers `['stop', reason]` or fails, or `['already_started', pid]` when the name is
 * taken, or `timeout`.
 */
export function start<P extends Process, E extends Events, A>(
  self: P,
  machine: Machine<E, A, P>,
  args: A,
  options?: gen.StartOptions,
): Promise<Started<E>> {
  return gen.start(self, program(machine, args), options);
}

/**
 * As {@link start}, and linked: when `init` fails, the exit signal ends a caller that does not trap exits; one that
 * does finds only the answer, no `'EXIT'` message.
 */
export function start_link<P extends Process, E extends Events, A>(
  self: P,
  machine: Machine<E, A, P>,
  args: A,
  options?: gen.StartOptions,
): Promise<Started<E>> {
  return gen.start_link(self, program(machine, args), options);
}

/** As {@link start}, and monitored: the answer has the pid and the reference of the monitor. */
export async function start_monitor<P extends Process, E extends Events, A>(
  self: P,
  machine: Machine<E, A, P>,
  args: A,
  options?: gen.StartOptions,
): Promise<['ok', [Server<CallsOf<E>, CastsOf<E>>, Reference]] | ['error', unknown] | 'ignore'> {
  const [result, ref] = await gen.start_monitor<P, Started<E>>(self, program(machine, args), options);
  if (result[0] !== 'ok') return result as ['error', unknown] | 'ignore';
  return ['ok', [result[1] as Server<CallsOf<E>, CastsOf<E>>, ref as Reference]];
}

/**
 * Makes the process that calls it a machine, which it is until it ends; started by proc_lib, and initialized by itself.
 * Begins with the state enter call. Never returns. The name has to be its own already, else it exits with
 * `process_not_registered`.
 */
export function enter_loop<P extends Process, S extends string, D, E extends Events, A>(
  self: P,
  machine: StateFunctions<S, D, E, A, P>,
  options: Pick<gen.StartOptions, 'name' | 'debug'>,
  state: NoInfer<S>,
  data: NoInfer<D>,
  actions?: Actions<NoInfer<E>>,
): Promise<never>;
export function enter_loop<P extends Process, S, D, E extends Events, A>(
  self: P,
  machine: HandleEventFunction<S, D, E, A, P>,
  options: Pick<gen.StartOptions, 'name' | 'debug'>,
  state: NoInfer<S>,
  data: NoInfer<D>,
  actions?: Actions<NoInfer<E>>,
): Promise<never>;
export function enter_loop<P extends Process>(
  self: P,
  machine: unknown,
  options: Pick<gen.StartOptions, 'name' | 'debug'>,
  state: unknown,
  data: unknown,
  actions?: unknown,
): Promise<never> {
  return new Loop(self, machine as AnyMachine<P>, gen.enter(self, machine, options), state, data).run(
    actions,
  );
}

/**
 * Sends a request and resolves with the reply. Otherwise the caller exits, with `[reason, ['gen_statem', 'call',
 * list(server, request, timeout)]]`: the machine's exit reason, `noproc`, `timeout` (milliseconds; the default is for
 * ever), `calling_self`, or `['nodedown', node]`. A reply that comes too late is dropped.
 */
export function call<C extends readonly [unknown, unknown], const Q extends RequestOf<C>>(
  self: Process,
  server: ServerRef<C>,
  request: Q,
  timeout: Timeout = 'infinity',
): Promise<ReplyTo<C, Q>> {
  return gen.call(self, server, '$gen_call', request, timeout, placeOfCall) as Promise<ReplyTo<C, Q>>;
}

/**
 * Sends a request, and answers what its response is known by: {@link wait_response}, {@link receive_response} and
 * {@link check_response} bring it. Where there is no such machine, that is the response.
 */
export function send_request<C extends readonly [unknown, unknown], const Q extends RequestOf<C>>(
  self: Process,
  server: ServerRef<C>,
  request: Q,
): requests.RequestId<ReplyTo<C, Q>> {
  return requests.send_request(self, server, '$gen_call', request);
}

/** Sends an event that gets no reply. Always `ok`, also where there is no such machine. */
export function cast<K>(
  self: Process,
  server: ServerRef<readonly [unknown, unknown], K>,
  event: NoInfer<K>,
): 'ok' {
  return gen.sendTo(self, server, ['$gen_cast', event]);
}

/** Answers a call from any process, or several: `['reply', from, value]`, or an array of these. */
export function reply(self: Process, replies: ReplyAction | readonly ReplyAction[]): 'ok';
export function reply<R>(self: Process, from: gen.From<R>, value: NoInfer<R>): 'ok';
export function reply(self: Process, first: unknown, ...value: [unknown?]): 'ok' {
  if (value.length === 1) return gen.reply(self, first as gen.From, value[0]);
  const replies = eachOf(first);
  for (const each of replies)
    if (!isReplyAction(each)) throw badarg(`${formatShort(each)} is no ['reply', from, value]`);
  for (const [, from, each] of replies as readonly ReplyAction[]) gen.reply(self, from, each);
  return 'ok';
}

/**
 * Has the machine call `terminate` and exit with `reason`, and resolves when it has exited. Exits the caller with
 * `noproc`, `timeout`, or the machine's reason when that is another.
 */
export function stop(self: Process, server: ServerRef, reason?: unknown, timeout?: Timeout): Promise<'ok'> {
  return gen.stop(self, server, reason, timeout);
}

function placeOfCall(server: gen.ServerRef, request: unknown, timeout: Timeout | undefined): unknown {
  return ['gen_statem', 'call', list(server, request, timeout)];
}

function program<P extends Process, E extends Events, A>(machine: Machine<E, A, P>, args: A) {
  return (self: P, birth: gen.Birth) => serve(self, machine as unknown as AnyMachine<P>, args, birth);
}
