/** How gen_tcp, gen_udp and inet ask the drivers of sockets: see ports/inet/operations.ts. */
import { badarg } from '../actors/errors.js';
import { is_port, type Port } from '../actors/identifiers.js';
import { isTuple } from '../actors/term.js';
import type { Answer } from '../ports/inet/operations.js';
import type { Self } from '../ports/self.js';

/** What the driver answers; `{error, einval}` where the socket is closed. */
export function ask(
  self: Self,
  socket: Port,
  operation: number,
  argument: unknown,
  closed = 'einval',
): Answer {
  if (!is_port(socket)) throw badarg('a socket is a port');
  if (self.port_info(socket, 'id') === 'undefined') return ['error', closed];
  return self.port_call(socket, operation, argument) as Answer;
}

/** As {@link ask}, of what takes time. */
export async function askLater(
  self: Self,
  socket: Port,
  operation: number,
  argument: unknown,
  timeout: number | 'infinity' = 'infinity',
): Promise<Answer> {
  const ref = self.make_ref();
  const at = ask(self, socket, operation, [ref, argument, timeout], 'closed');
  if (at !== 'ok') return at;
  const isAnswer = (message: unknown): message is [string, Port, unknown, Answer] =>
    isTuple(message) && message[0] === 'inet_async' && message[1] === socket && message[2] === ref;
  const [, , , answer] = (await self.receive(isAnswer, { since: ref })) as [string, Port, unknown, Answer];
  return answer;
}
