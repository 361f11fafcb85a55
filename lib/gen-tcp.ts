/**
 * Erlang's module `gen_tcp`: connections over TCP, and over Unix sockets with `{local, Path}` as the address.
 *
 * A socket is a port, linked to the process that has it. In active mode what comes is `{tcp, Socket, Data}`, and at
 * the end `{tcp_closed, Socket}`; in passive mode it is asked for with recv. Data are lists of bytes unless the option
 * binary says otherwise. Functions that may have to wait are to be awaited. All take `self` first.
 *
 * Documentation of the functions and of the options is Erlang's.
 */
import { badarg } from '../actors/errors.js';
import { formatShort } from '../actors/format.js';
import { is_port, type Pid, type Port } from '../actors/identifiers.js';
import { isTuple, type List } from '../actors/term.js';
import { isLocal, isPortNumber } from '../ports/inet/address.js';
import { ACCEPT, type Answer, CONNECT, OPEN, RECV, SHUTDOWN } from '../ports/inet/operations.js';
import { type IoData, toBytes } from '../ports/iodata.js';
import type { Self } from '../ports/self.js';
import { checkSelf } from './check-self.js';
import { close as closeSocket, type Host, type Socket, type SocketOption } from './inet.js';
import { handOver } from './inet-hand-over.js';
import { ask, askLater, isSocket } from './inet-request.js';
import {
  checkLength,
  checkPortNumber,
  checkTimeout,
  discard,
  exitBadarg,
  isMessageOf,
  openSocket,
  parseOpening,
  pathOf,
  resolve,
} from './inet-socket.js';
import type { Done, Result } from './result.js';

type Timeout = number | 'infinity';
/** What comes in active mode. */
export type TcpMessage =
  | ['tcp', Socket, Buffer | List<number>]
  | ['tcp_closed', Socket]
  | ['tcp_error', Socket, string]
  | ['tcp_passive', Socket];

/** A guard for receive: what this socket tells in active mode, data and its end. */
export function isMessage(socket: Socket): (message: unknown) => message is TcpMessage {
  return (message): message is TcpMessage => isMessageOf(socket, 'tcp', message);
}

/** Listens at a port; 0: any that is free, as inet:port/1 tells. */
export async function listen(
  self: Self,
  port: number,
  options: readonly SocketOption[],
): Promise<Result<Socket>> {
  const opening = parseOpening(options);
  checkPortNumber(port);
  const { family, ip, path, backlog, flags } = opening;
  if (family === 'local' && path === undefined) return ['error', 'einval'];
  const socket = openSocket(self, 'tcp_inet listen', opening.options);
  const host = ip ?? (family === 'inet6' ? '::' : '0.0.0.0');
  const target =
    family === 'local'
      ? { path, backlog }
      : {
          port: opening.port ?? port,
          host,
          backlog,
          ipv6Only: flags.get('ipv6_v6only') === true,
          exclusive: true,
        };
  return opened(self, socket, await askLater(self, socket, OPEN, target));
}

/** Waits for the next connection. It has the options of the listening socket. */
export async function accept(
  self: Self,
  listener: Socket,
  timeout: Timeout = 'infinity',
): Promise<Result<Socket>> {
  checkTimeout(timeout);
  try {
    return (await askLater(self, listener, ACCEPT, undefined, timeout)) as Result<Socket>;
  } catch (error) {
    if (isBadarg(error) && is_port(listener) && isTuple(self.port_info(listener, 'id')))
      return ['error', 'einval'];
    throw error;
  }
}

/** Connects to a host: an address, a name, or `{local, Path}` with port 0. */
export async function connect(
  self: Self,
  host: Host | readonly ['local', string | Uint8Array],
  port: number,
  options: readonly SocketOption[],
  timeout: Timeout = 'infinity',
): Promise<Result<Socket>> {
  checkTimeout(timeout);
  const opening = parseOpening(options, host);
  if (!isPortNumber(port)) throw exitBadarg(`a port is a number from 0 to 65535, not ${formatShort(port)}`);
  if (options.some((option) => isTuple(option) && option[0] === 'backlog')) {
    throw exitBadarg('the option backlog is for listen');
  }
  const { family, ip: localAddress, port: localPort } = opening;
  const started = Date.now();
  let target: object;
  if (isLocal(host)) target = { path: pathOf(host) };
  else {
    const resolved = await resolve(host, family);
    if (resolved[0] === 'error') return resolved;
    target = { host: resolved[1], port, localAddress, localPort, family: family === 'inet6' ? 6 : 4 };
  }
  const socket = openSocket(self, 'tcp_inet', opening.options);
  const left = timeout === 'infinity' ? timeout : Math.max(0, timeout - (Date.now() - started));
  return opened(self, socket, await askLater(self, socket, CONNECT, target, left));
}

/**
 * Sends data, as a packet where the socket has packets. What the system does not take, as the peer does not read, is
 * queued; with something queued already and high_watermark reached this waits, at most for send_timeout.
 */
export async function send(self: Self, socket: Socket, data: IoData): Promise<Done> {
  checkSelf(self);
  if (!is_port(socket)) throw badarg(`a socket is a port, not ${formatShort(socket)}`);
  const ref = self.make_ref();
  try {
    toBytes(data);
  } catch {
    return ['error', 'einval'];
  }
  if (!isSocket(self, socket)) return ['error', 'closed'];
  try {
    await self.port_command(socket, data);
  } catch (error) {
    // Closed while this was suspended: that is how Erlang tells.
    if (isBadarg(error)) return ['error', 'einval'];
    throw error;
  }
  const isReply = (message: unknown): message is [string, Port, Done] =>
    isTuple(message) && message[0] === 'inet_reply' && message[1] === socket;
  const [, , answer] = (await self.receive(isReply, { since: ref })) as [string, Port, Done];
  return answer;
}

/** Takes the next packet; of a stream so many bytes, or with length 0 all there are. For passive sockets. */
export async function recv(
  self: Self,
  socket: Socket,
  length: number,
  timeout: Timeout = 'infinity',
): Promise<Result<Buffer | List<number>>> {
  checkTimeout(timeout);
  checkLength(length);
  return (await askLater(self, socket, RECV, length, timeout)) as Result<Buffer | List<number>>;
}

/** Closes one direction, or both. What has been sent is still on its way. */
export async function shutdown(
  self: Self,
  socket: Socket,
  how: 'read' | 'write' | 'read_write',
): Promise<Done> {
  if (how !== 'read' && how !== 'write' && how !== 'read_write')
    throw badarg(`how is read, write or read_write, not ${formatShort(how)}`);
  return ask(self, socket, SHUTDOWN, how, 'closed') as Done;
}

/** Gives the socket to another process, together with messages of it that have come already. */
export function controlling_process(self: Self, socket: Socket, owner: Pid): Done {
  return handOver(self, socket, owner, 'tcp');
}

/** Closes the socket; what has been sent is still on its way. */
export function close(self: Self, socket: Socket): 'ok' {
  closeSocket(self, socket);
  // Nor is the peer's end news any more.
  self.mailbox.take((m) => isTuple(m) && m[0] === 'tcp_closed' && m[1] === socket);
  return 'ok';
}

function opened(self: Self, socket: Socket, answer: Answer): Result<Socket> {
  if (answer === 'ok') return ['ok', socket];
  discard(self, socket);
  return answer as ['error', string];
}

function isBadarg(error: unknown): boolean {
  return (error as { reason?: unknown } | undefined)?.reason === 'badarg';
}
