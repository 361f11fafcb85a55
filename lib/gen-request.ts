/** Requests to a behaviour whose replies are not waited for at once. */
import { parseTimeout } from '../actors/actor.js';
import { badarg } from '../actors/errors.js';
import { formatShort } from '../actors/format.js';
import { type Pid, Reference } from '../actors/identifiers.js';
import type { Process, Timeout } from '../actors/process.js';
import { type List, toList } from '../actors/term.js';
import { checkSelf } from './check-self.js';
import { downReason, isDown, isReply, sendRequest } from './gen.js';
import { type ServerRef, whereIs } from './gen-name.js';

declare const reply: unique symbol;

/** A request that was sent: it remembers the type of its reply. */
export type RequestId<R = unknown> = Reference & { readonly [reply]?: R };

/** What becomes of a request: an error has the reason of the server's end, `noproc` or `['nodedown', node]`. */
export type Response<R> = ['reply', R] | ['error', [reason: unknown, server: unknown]];

/** Sends `[label, from, request]`. Never raises for a server that is not there: that is the response. */
export function send_request<R>(
  self: Process,
  server: ServerRef,
  label: string,
  request: unknown,
): RequestId<R> {
  checkSelf(self);
  const found = whereIs(self, server);
  if (found !== 'undefined') return sendRequest(self, found as Pid, label, request);
  const ref = self.make_ref();
  self.send(self.pid, ['DOWN', ref, 'process', server, 'noproc']);
  return ref;
}

/** Waits so long for the response; after `timeout` one can wait again. */
export async function wait_response<R>(
  self: Process,
  id: RequestId<R>,
  timeout: Timeout = 'infinity',
): Promise<Response<R> | 'timeout'> {
  checkSelf(self);
  checkId(id);
  const isAnswer = (message: unknown): message is unknown[] => isReply(message, id) || isDown(message, id);
  const answer = await self.receive(isAnswer, { after: timeout });
  return answer === undefined ? 'timeout' : responseOf(self, answer, id);
}

/** As {@link wait_response}; after `timeout` the request is abandoned, and its response dropped. */
export async function receive_response<R>(
  self: Process,
  id: RequestId<R>,
  timeout: Timeout = 'infinity',
): Promise<Response<R> | 'timeout'> {
  const response = await wait_response(self, id, timeout);
  if (response !== 'timeout') return response;
  self.demonitor(id, ['flush']);
  // Between the end of the wait and this line the response may have slipped in.
  return wait_response(self, id, 0);
}

/** For one who receives messages of all kinds: whether this one is the response to that request, and which. */
export function check_response<R>(
  self: Process,
  message: unknown,
  id: RequestId<R>,
): Response<R> | 'no_reply' {
  checkSelf(self);
  checkId(id);
  return isReply(message, id) || isDown(message, id) ? responseOf(self, message, id) : 'no_reply';
}

/**
 * Asks all of them at once, and waits so long for them altogether. Answers what has been replied, and who has not, both
 * in the order of `servers`.
 */
export async function multi_call<Ref extends ServerRef, R>(
  self: Process,
  servers: Iterable<Ref>,
  label: string,
  request: unknown,
  timeout: Timeout = 'infinity',
): Promise<[replies: List<[Ref, R]>, bad: List<Ref>]> {
  checkSelf(self);
  parseTimeout(timeout);
  if (typeof servers === 'string' || typeof servers?.[Symbol.iterator] !== 'function')
    throw badarg(`the servers have to be a list, not ${formatShort(servers)}`);
  const ids: (readonly [Ref, RequestId<R>])[] = [];
  try {
    for (const server of servers) ids.push([server, send_request<R>(self, server, label, request)]);
  } catch (error) {
    for (const [, id] of ids) self.demonitor(id, ['flush']);
    throw error;
  }
  const end = timeout === 'infinity' ? Number.POSITIVE_INFINITY : performance.now() + timeout;
  const replies: [Ref, R][] = [];
  const bad: Ref[] = [];
  for (const [server, id] of ids) {
    const left =
      end === Number.POSITIVE_INFINITY ? 'infinity' : Math.max(0, Math.ceil(end - performance.now()));
    const response = await receive_response(self, id, left);
    if (response !== 'timeout' && response[0] === 'reply') replies.push([server, response[1]]);
    else bad.push(server);
  }
  return [toList(replies), toList(bad)];
}

/** Raises badarg. */
function checkId(id: unknown): void {
  if (!(id instanceof Reference)) throw badarg(`${formatShort(id)} is no request that was sent`);
}

function responseOf<R>(self: Process, answer: unknown[], id: RequestId<R>): Response<R> {
  if (!isReply(answer, id)) return ['error', [downReason(answer), answer[3]]];
  // A reply has ended both the alias and the monitor, unless it did not come through the alias.
  if (id.receiver !== undefined) self.demonitor(id, ['flush']);
  return ['reply', answer[1] as R];
}
