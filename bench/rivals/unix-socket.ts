import { byteStream, FRAMING } from './byte-stream.js';
import { acceptSocket, connectSocket } from './sockets.js';

export const unixSocket = byteStream(
  'unix socket',
  `node:net, ${FRAMING}`,
  ({ address }) => connectSocket({ path: address as string }),
  (place) => acceptSocket({ path: place.path }, place, () => place.path),
);
