/**
 * Erlang's module `inet`: what can be asked of sockets of gen_tcp and gen_udp. As there, it is the process that calls
 * which comes first here.
 */
import net from 'node:net';
import { types } from 'node:util';
import { badarg } from '../actors/errors.js';
import { formatShort } from '../actors/format.js';
import { is_port, type Port } from '../actors/identifiers.js';
import { isList, isTuple, type List, toList } from '../actors/term.js';
import { formatIp, type IpAddress, isIp4, isIp6, parseIp, parseIp4 } from '../ports/inet/address.js';
import { GETOPTS, PEERNAME, SETOPTS, SOCKNAME } from '../ports/inet/operations.js';
import type { Self } from '../ports/self.js';
import { checkSelf } from './check-self.js';
import { ask } from './inet-request.js';
import type { Done, Result } from './result.js';

/** A socket is a port: it can be linked, monitored, and is closed when its owner ends. */
export type Socket = Port;
/** `{Address, Port}`; of a Unix socket `{local, Path}`. */
export type Address = readonly [IpAddress, number] | readonly ['local', Buffer];
/** An address as a tuple, or a name or address as text. */
export type Host = IpAddress | string;
export type SocketOption = string | readonly [name: string, value: unknown];

/** Sets options, the last first as in Erlang; none of them where one is none of this kind of socket: `{error, einval}`. */
export function setopts(self: Self, socket: Socket, options: readonly SocketOption[]): Done {
  return ask(self, socket, SETOPTS, options) as Done;
}

/** The values of these options, as `[name, value]`, in their order. */
export function getopts(
  self: Self,
  socket: Socket,
  names: readonly string[],
): Result<List<[name: string, value: unknown]>> {
  return ask(self, socket, GETOPTS, names) as Result<List<[string, unknown]>>;
}

/** The local address and port. */
export function sockname(self: Self, socket: Socket): Result<Address> {
  return ask(self, socket, SOCKNAME, undefined) as Result<Address>;
}

/** The address and port of the other end; `{error, enotconn}` where there is none. */
export function peername(self: Self, socket: Socket): Result<Address> {
  return ask(self, socket, PEERNAME, undefined) as Result<Address>;
}

/** The local port number. */
export function port(self: Self, socket: Socket): Result<number> {
  const answer = sockname(self, socket);
  if (answer[0] === 'error') return answer;
  const [, number] = answer[1];
  return ['ok', typeof number === 'number' ? number : 0];
}

/** Closes a socket of any kind; what has been sent is still on its way. Always ok. */
export function close(self: Self, socket: Socket): 'ok' {
  checkSelf(self);
  if (!is_port(socket)) throw badarg(`a socket is a port, not ${formatShort(socket)}`);
  if (self.port_info(socket, 'id') !== 'undefined') {
    // What the caller has sent and not awaited goes first; the news of the end would come when it is too late to take.
    if (self.port_close(socket) !== true) self.unlink(socket);
  }
  // That of the port is not news to who closes it.
  self.mailbox.take((m) => isTuple(m) && m[0] === 'EXIT' && m[1] === socket);
  return 'ok';
}

/** An address as text, as a list of bytes. `{error, einval}` for what is none. */
export function ntoa(address: IpAddress): List<number> | ['error', 'einval'] {
  if (!isIp4(address) && !isIp6(address)) return ['error', 'einval'];
  return toList([...Buffer.from(formatIp(address))]);
}

/** The address that a text is: as bytes, a list of them, or a string. Names are none. */
export function parse_address(text: string | Uint8Array | List<number>): Result<IpAddress> {
  const isBytes = types.isUint8Array(text) || (isList(text) && text.every((byte) => Number.isInteger(byte)));
  if (typeof text !== 'string' && !isBytes) return ['error', 'einval'];
  const plain = typeof text === 'string' ? text : Buffer.from(text as Uint8Array).toString('latin1');
  const address = net.isIPv6(plain) && !plain.includes('%') ? parseIp(plain) : parseIp4(plain);
  return address ? ['ok', address] : ['error', 'einval'];
}
