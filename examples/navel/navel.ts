/**
 * Navel: calls between named domains over tubes.
 *
 * ```ts
 * ok(await navel.start(self, 'ping', { math: { add: (_self, a, b) => Number(a) + Number(b) } }));
 * const node = ok(await navel.connect(self, domid));            // the peer's name, 'pong'
 * await navel.call(self, node, 'math', 'add', [1, 2]);          // 3
 * ```
 *
 * Two nodes are joined by one tube; either may connect, but only one of the two should. Then both may call. Of one
 * node's calls to another the functions start in the order of the calls, each in a process of its own; a call begins
 * when the one before it has returned, however many processes make calls. What is on its way when the tube closes is
 * lost, and whoever waits for it gets `['badrpc', 'nodedown']`.
 */
import {
  type Domid,
  ErlangError,
  ErlangExit,
  gen_server,
  type List,
  list,
  type Self,
  type Timeout,
} from '../../lib/index.js';
import type { Traffic } from './link.js';
import { encodeMessage } from './message.js';
import { type Exports, navelServer, type Requests } from './server.js';

export type { Traffic } from './link.js';
export type { Exported, Exports } from './server.js';

/** Instead of the value of a call: why there is none. */
export type BadRpc = ['badrpc', reason: unknown];
/** To subscribers; the reason is that of the tube's end, `normal` where the other side has closed or died. */
export type NodeMessage = ['nodeup', node: string] | ['nodedown', node: string, reason: unknown];

export interface Options {
  /** The longest message, in bytes: one to send is refused, one that comes closes its tube. Default 64 MiB. */
  readonly maxMessage?: number;
}

/**
 * Starts the process `navel` of this domain, which accepts tubes from now on. `exports` is all that peers can call.
 * `{error, Reason}` as gen_server.start gives it; badarg for a name that is not 1 to 255 characters.
 */
export async function start(
  self: Self,
  name: string,
  exports: Exports = {},
  { maxMessage = 64 * 1024 * 1024 }: Options = {},
): Promise<gen_server.StartResult<Requests, never>> {
  if (typeof name !== 'string' || name === '' || [...name].length > 255) return ['error', 'badarg'];
  if (!(maxMessage >= 1)) return ['error', 'badarg'];
  return gen_server.start(self, navelServer, { name, exports, limit: maxMessage }, { name: NAVEL });
}

/** Closes all tubes; what was sent before can still be received on the other side. */
export function stop(self: Self): Promise<'ok'> {
  return gen_server.stop(self, NAVEL, 'shutdown');
}

/**
 * Opens a tube to a domain where navel runs, and answers that node's name. `{error, Reason}`: as tube.open, or
 * name_in_use (by this node, or one that is connected already), timeout (it does not say its name), closed.
 */
export function connect(self: Self, domid: Domid, tid = 0): Promise<['ok', string] | ['error', unknown]> {
  return ask(self, ['connect', domid, tid], 'infinity') as Promise<['ok', string] | ['error', unknown]>;
}

/**
 * Calls a function that another node exports, and answers its value (`ok` where it returns nothing). Otherwise
 * `['badrpc', Reason]`:
 *
 * - system_limit: more bytes than a message may have;
 * - nodedown: no such node is connected, or its tube has closed before the answer came;
 * - timeout: no answer in so many milliseconds (default: for ever). The function may run nevertheless, unless its
 *   turn had not come: then it is not called;
 * - `['EXIT', Why]`: it has failed; for one that is not exported Why is `['undef', [[Module, Function, Args, []]]]`.
 *
 * Raises badarg or system_limit, as term_to_binary does, for arguments that cannot be sent; exits as gen_server.call
 * does where navel is not running.
 */
export async function call(
  self: Self,
  node: string,
  module: string,
  name: string,
  args: readonly unknown[] = [],
  timeout: Timeout = 'infinity',
): Promise<unknown> {
  const message = encodeMessage(['$call', module, name, toArgs(args)]);
  const deadline = timeout === 'infinity' ? Number.POSITIVE_INFINITY : performance.now() + timeout;
  try {
    return await ask(self, ['call', node, message, deadline], timeout);
  } catch (error) {
    if (isTimeout(error)) return ['badrpc', 'timeout'];
    throw error;
  }
}

/**
 * Calls a function without waiting for it. Answers `ok` when all of the message is in the tube: who awaits that
 * sends no faster than the other side receives. `['badrpc', Reason]` as with call.
 */
export function call_no_return(
  self: Self,
  node: string,
  module: string,
  name: string,
  args: readonly unknown[] = [],
): Promise<'ok' | BadRpc> {
  const message = encodeMessage(['$call_no_return', module, name, toArgs(args)]);
  return ask(self, ['send', node, message], 'infinity') as Promise<'ok' | BadRpc>;
}

/** The names of the nodes that are connected. */
export function nodes(self: Self): Promise<List<string>> {
  return ask(self, 'nodes') as Promise<List<string>>;
}

/** From now on the caller gets a {@link NodeMessage} whenever a node comes or goes; at once for those that are there. */
export function subscribe(self: Self): Promise<'ok'> {
  return ask(self, 'subscribe') as Promise<'ok'>;
}

/** Ends that. What has been sent stays in the mailbox. */
export function unsubscribe(self: Self): Promise<'ok'> {
  return ask(self, 'unsubscribe') as Promise<'ok'>;
}

/** What has gone through all tubes so far, those that are closed too. */
export function traffic(self: Self): Promise<Traffic> {
  return ask(self, 'traffic') as Promise<Traffic>;
}

export function isBadRpc(value: unknown): value is BadRpc {
  return Array.isArray(value) && value.length === 2 && value[0] === 'badrpc';
}

/** The name that the process is registered under. */
const NAVEL = 'navel';

function ask(self: Self, request: gen_server.RequestOf<Requests>, timeout?: Timeout): Promise<unknown> {
  return gen_server.call<Requests, gen_server.RequestOf<Requests>>(self, NAVEL, request, timeout);
}

function toArgs(args: readonly unknown[]): List {
  if (!Array.isArray(args)) throw new ErlangError('badarg', 'arguments are an array');
  return list(...args);
}

function isTimeout(error: unknown): boolean {
  return error instanceof ErlangExit && Array.isArray(error.reason) && error.reason[0] === 'timeout';
}
