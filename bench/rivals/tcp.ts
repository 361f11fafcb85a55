import type { AddressInfo } from 'node:net';
import { byteStream, FRAMING } from './byte-stream.js';
import { acceptSocket, connectSocket } from './sockets.js';

const HOST = '127.0.0.1';

export const tcp = byteStream(
  'tcp',
  `node:net over loopback, without Nagle's algorithm; ${FRAMING}`,
  ({ address }) => connectSocket({ host: HOST, port: address as number, noDelay: true }),
  (place) => acceptSocket({ host: HOST, port: 0 }, place, (server) => (server.address() as AddressInfo).port),
);
