import { badarg, ErlangError } from '../actors/errors.js';
import { formatShort } from '../actors/format.js';
import { is_port, Pid } from '../actors/identifiers.js';
import { isTuple } from '../actors/term.js';
import type { Self } from '../ports/self.js';
import { checkSelf } from './check-self.js';
import { getopts, type Socket, setopts } from './inet.js';
import { passOn } from './pass-on.js';
import type { Done } from './result.js';

/**
 * Gives a socket to another process, with the messages of it that have come already; the caller has to be its owner.
 * For gen_tcp and gen_udp.
 */
export function handOver(self: Self, socket: Socket, owner: Pid, kind: 'tcp' | 'udp'): Done {
  checkSelf(self);
  if (!is_port(socket)) throw badarg(`a socket is a port, not ${formatShort(socket)}`);
  if (!(owner instanceof Pid)) throw badarg(`a socket is given to a process, not to ${formatShort(owner)}`);
  const connected = self.port_info(socket, 'connected');
  if (connected === 'undefined' && kind === 'tcp') return ['error', 'closed'];
  if (isTuple(connected) && connected[1] === owner) return 'ok';
  if (isTuple(connected) && connected[1] !== self.pid) return ['error', 'not_owner'];
  const answer = getopts(self, socket, ['active']);
  if (answer[0] === 'error') throw new ErlangError(['badmatch', answer]);
  const [[, active] = []] = answer[1];
  if (active !== false) setopts(self, socket, [['active', false]]);
  const isNews = (message: unknown): boolean =>
    isTuple(message) && message[1] === socket && NEWS[kind].includes(message[0]);
  passOn(self, isNews, owner);
  try {
    self.port_connect(socket, owner);
    self.unlink(socket);
  } catch {
    return ['error', 'closed'];
  }
  if (active !== false) setopts(self, socket, [['active', active]]);
  return 'ok';
}

const NEWS: Readonly<Record<'tcp' | 'udp', readonly unknown[]>> = {
  tcp: ['tcp', 'tcp_closed', 'tcp_error', 'tcp_passive'],
  udp: ['udp', 'udp_error', 'udp_passive'],
};
