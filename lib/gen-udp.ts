/**
 * Erlang's module `gen_udp`: datagrams. A socket is a port, linked to the process that has it. In active mode what
 * comes is `{udp, Socket, Address, Port, Data}`; in passive mode it is asked for with recv. Functions that may have to
 * wait are to be awaited. All take `self` first. Documentation of the functions and of the options is Erlang's.
 */
import { badarg } from '../actors/errors.js';
import { formatShort } from '../actors/format.js';
import type { Pid } from '../actors/identifiers.js';
import { isTuple, type List } from '../actors/term.js';
import { type IpAddress, isIp6 } from '../ports/inet/address.js';
import { CONNECT, OPEN, RECV, SEND_TO } from '../ports/inet/operations.js';
import { type IoData, toBytes } from '../ports/iodata.js';
import type { Self } from '../ports/self.js';
import { close as closeSocket, type Host, type Socket, type SocketOption, sockname } from './inet.js';
import { handOver } from './inet-hand-over.js';
import { askLater } from './inet-request.js';
import {
  checkLength,
  checkPortNumber,
  checkTimeout,
  discard,
  isMessageOf,
  openSocket,
  parseOpening,
  resolve,
  setOptions,
} from './inet-socket.js';
import type { Done, Result } from './result.js';

type Timeout = number | 'infinity';
export type UdpMessage =
  | ['udp', Socket, IpAddress, number, Buffer | List<number>]
  | ['udp_error', Socket, string]
  | ['udp_passive', Socket];

/** A guard for receive: what this socket tells in active mode, data and its end. */
export function isMessage(socket: Socket): (message: unknown) => message is UdpMessage {
  return (message): message is UdpMessage => isMessageOf(socket, 'udp', message);
}

/** Opens a socket at a port; 0: any that is free. */
export async function open(
  self: Self,
  port: number,
  options: readonly SocketOption[] = [],
): Promise<Result<Socket>> {
  const opening = parseOpening(options);
  checkPortNumber(port);
  const { family, ip, flags } = opening;
  if (family === 'local') return ['error', 'eafnosupport'];
  const isLater = (option: SocketOption): boolean => isTuple(option) && LATER.includes(option[0]);
  const socket = openSocket(
    self,
    'udp_inet',
    opening.options.filter((option) => !isLater(option)),
  );
  const answer = await askLater(self, socket, OPEN, {
    type: family === 'inet6' ? 'udp6' : 'udp4',
    address: ip ?? (family === 'inet6' ? '::' : '0.0.0.0'),
    port: opening.port ?? port,
    reuseAddr: flags.get('reuseaddr') === true,
    ipv6Only: flags.get('ipv6_v6only') === true,
  });
  if (answer !== 'ok') {
    discard(self, socket);
    return answer as ['error', string];
  }
  // What the system is told, as it has a socket now.
  setOptions(self, socket, opening.options.filter(isLater));
  return ['ok', socket];
}

/** Datagrams come from there only, and go there where send is given no address. */
export async function connect(self: Self, socket: Socket, host: Host, port: number): Promise<Done> {
  checkPortNumber(port);
  const resolved = await resolveFor(self, socket, host);
  if (resolved[0] === 'error') return resolved;
  return (await askLater(self, socket, CONNECT, [resolved[1], port])) as Done;
}

/** Sends a datagram: to where the socket is connected, to `{Host, Port}`, or to a host and a port. */
export async function send(self: Self, socket: Socket, data: IoData): Promise<Done>;
export async function send(
  self: Self,
  socket: Socket,
  to: readonly [Host, number],
  data: IoData,
): Promise<Done>;
export async function send(self: Self, socket: Socket, host: Host, port: number, data: IoData): Promise<Done>;
export async function send(self: Self, socket: Socket, ...args: unknown[]): Promise<Done> {
  const data = args.at(-1);
  try {
    toBytes(data);
  } catch {
    return ['error', 'einval'];
  }
  if (args.length === 1) return (await askLater(self, socket, SEND_TO, [undefined, data])) as Done;
  const to = args.length === 2 ? args[0] : args;
  if (!isTuple(to)) throw badarg(`where to send is {Host, Port}, not ${formatShort(to)}`);
  const [host, port] = to;
  checkPortNumber(port);
  const resolved = await resolveFor(self, socket, host);
  if (resolved[0] === 'error') return resolved;
  return (await askLater(self, socket, SEND_TO, [[resolved[1], port], data])) as Done;
}

/** Waits for a datagram: who has sent it, and its data. For passive sockets. The length has no meaning. */
export async function recv(
  self: Self,
  socket: Socket,
  length: number,
  timeout: Timeout = 'infinity',
): Promise<Result<readonly [IpAddress, number, Buffer | List<number>]>> {
  checkTimeout(timeout);
  checkLength(length);
  return (await askLater(self, socket, RECV, length, timeout)) as Result<
    readonly [IpAddress, number, Buffer | List<number>]
  >;
}

/** Gives the socket to another process, together with messages of it that have come already. */
export function controlling_process(self: Self, socket: Socket, owner: Pid): Done {
  return handOver(self, socket, owner, 'udp');
}

export function close(self: Self, socket: Socket): 'ok' {
  return closeSocket(self, socket);
}

/** Options that only a bound socket can be told. */
const LATER: readonly unknown[] = [
  'broadcast',
  'multicast_ttl',
  'multicast_loop',
  'multicast_if',
  'add_membership',
  'drop_membership',
  'recbuf',
  'sndbuf',
];

async function resolveFor(self: Self, socket: Socket, host: unknown): Promise<Result<string>> {
  const name = sockname(self, socket);
  if (name[0] === 'error') return ['error', 'closed'];
  return resolve(host, isIp6(name[1][0]) ? 'inet6' : 'inet');
}
