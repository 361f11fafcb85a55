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
import type { Reference } from '../actors/identifiers.js';
import type { Process, Timeout } from '../actors/process.js';
import { type List, list } from '../actors/term.js';
import * as gen from './gen.js';
import * as requests from './gen-request.js';
import { Loop, serve } from './gen-server-loop.js';
import type {
  Behaviour,
  Call,
  Name,
  ReplyTo,
  RequestOf,
  Server,
  ServerRef,
  StartResult,
  Then,
} from './gen-server-types.js';

type From<R> = gen.From<R>;
type StartOptions = gen.StartOptions;

export type { From, Registry, ServerName, StartOptions, Via } from './gen.js';
export {
  check_response,
  type RequestId,
  type Response,
  receive_response,
  wait_response,
} from './gen-request.js';
export type * from './gen-server-types.js';

/**
 * The same name, with the types of what can be asked of who has it: a name that is only a text can be asked anything,
 * and answers `unknown`.
 *
 * ```ts
 * const counter = gen_server.named<Calls, Casts>('counter');
 * const n: number = await gen_server.call(self, counter, 'get');
 * ```
 */
export function named<C extends Call, K = unknown>(name: Name): ServerRef<C, K> {
  return name;
}

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
  options: Pick<StartOptions, 'name' | 'debug'>,
  state: S,
  then?: Then,
): Promise<never> {
  return new Loop(self, behaviour, gen.enter(self, behaviour, options), state).run(then);
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

/**
 * Sends a request, and answers what its response is known by: {@link wait_response}, {@link receive_response} and
 * {@link check_response} bring it. Where there is no such server, that is the response.
 */
export function send_request<C extends Call, const Q extends RequestOf<C>>(
  self: Process,
  server: ServerRef<C>,
  request: Q,
): requests.RequestId<ReplyTo<C, Q>> {
  return requests.send_request(self, server, '$gen_call', request);
}

/**
 * Asks all of them at once, and waits so long (default: for ever) for them altogether. Answers what has been replied,
 * `[server, reply]`, and who has not, both in the order of `servers`. Where in OTP the list is one of nodes, here it is
 * one of servers.
 */
export function multi_call<C extends Call, const Q extends RequestOf<C>>(
  self: Process,
  servers: Iterable<ServerRef<C>>,
  request: Q,
  timeout?: Timeout,
): Promise<[replies: List<[ServerRef<C>, ReplyTo<C, Q>]>, bad: List<ServerRef<C>>]> {
  return requests.multi_call(self, servers, '$gen_call', request, timeout);
}

/** Sends a request that gets no reply. Always `ok`, also where there is no such server. */
export function cast<K>(self: Process, server: ServerRef<Call, K>, request: NoInfer<K>): 'ok' {
  return gen.sendTo(self, server, ['$gen_cast', request]);
}

/** Answers a call whose `handle_call` has answered `noreply`; from any process. A caller that gave up gets nothing. */
export function reply<R>(self: Process, from: From<R>, value: NoInfer<R>): 'ok' {
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
