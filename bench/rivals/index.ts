import type { Rival } from '../rival.js';
import { childProcess } from './child-process.js';
import { messagePort } from './message-port.js';
import { pipe } from './pipe.js';
import { tcp } from './tcp.js';
import { awaitingTube, largeTube, tubeRival } from './tube.js';
import { unixSocket } from './unix-socket.js';
import { zeromq } from './zeromq.js';

/** What one would take for much: these are compared in everything. Ours first: ratios are its to each of the others. */
export const STREAMS: readonly Rival[] = [tubeRival, unixSocket, tcp];

export const RIVALS: readonly Rival[] = [
  tubeRival,
  awaitingTube,
  unixSocket,
  tcp,
  pipe,
  messagePort,
  childProcess,
  zeromq,
];

/** What can be offered more than finds room. */
export const LOSSY: readonly Rival[] = [tubeRival, largeTube, unixSocket, tcp];

export function rivalCalled(name: string): Rival | undefined {
  return [...RIVALS, ...LOSSY].find((rival) => rival.name === name);
}
