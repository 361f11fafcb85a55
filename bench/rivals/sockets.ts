import { once } from 'node:events';
import net from 'node:net';
import type { Place } from '../rival.js';
import type { Streams } from './byte-stream.js';

/** Resolves once the other side accepts. */
export async function connectSocket(options: net.NetConnectOpts): Promise<Streams> {
  const socket = net.connect(options);
  await once(socket, 'connect');
  return streamsOf(socket);
}

/** Says the address that `addressOf` makes of the server's, and resolves with the first connection. */
export async function acceptSocket(
  options: net.ListenOptions,
  place: Place,
  addressOf: (server: net.Server) => unknown,
): Promise<Streams> {
  const server = net.createServer({ noDelay: true });
  server.listen(options);
  await once(server, 'listening');
  place.listening(addressOf(server));
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  server.close();
  return streamsOf(socket);
}

function streamsOf(socket: net.Socket): Streams {
  return { input: socket, output: socket };
}
