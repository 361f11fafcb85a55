/** How gen_tcp, gen_udp and inet ask the drivers of sockets: see ports/inet/operations.ts. */
import { badarg } from '../actors/errors.js';
import { formatShort } from '../actors/format.js';
import { is_port, type Port } from '../actors/identifiers.js';
import { isTuple } from '../actors/term.js';
import type { Answer } from '../ports/inet/operations.js';
import type { Self } from '../ports/self.js';
import { checkSelf } from './check-self.js';

/** What the driver answers; `{error, einval}` where the socket is closed, or a port of another kind. */
export function ask(
  self: Self,
  socket: Port,
  operation: number,
  argument: unknown,
  closed = 'einval',
): Answer {
  checkSelf(self);
  if (!is_port(socket)) throw badarg(`a socket is a port, not ${formatShort(socket)}`);
  if (!isSocket(self, socket)) return ['error', closed];
  return self.port_call(socket, operation, argument) as Answer;
}

/** Whether that is an open port of the drivers of sockets. */
export function isSocket(self: Self, port: Port): boolean {
  const name = self.port_info(port, 'name');
  return name !== 'undefined' && SOCKETS.includes(name[1]);
}

const SOCKETS: readonly string[] = ['tcp_inet', 'tcp_inet listen', 'udp_inet'];

/** As {@link ask}, of what takes time. */
export async function askLater(
  self: Self,
  socket: Port,
  operation: number,
  argument: unknown,
  timeout: number | 'infinity' = 'infinity',
): Promise<Answer> {
  checkSelf(self);
  const ref = self.make_ref();
  const at = ask(self, socket, operation, [ref, argument, timeout], 'closed');
  if (at !== 'ok') return at;
  const isAnswer = (message: unknown): message is [string, Port, unknown, Answer] =>
    isTuple(message) && message[0] === 'inet_async' && message[1] === socket && message[2] === ref;
  const [, , , answer] = (await self.receive(isAnswer, { since: ref })) as [string, Port, unknown, Answer];
  return answer;
}
