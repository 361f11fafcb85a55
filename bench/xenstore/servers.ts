import path from 'node:path';
import { World } from '../world.js';
import { toolsVersion } from './tools.js';
import { findXenstored, startXenstored } from './xenstored.js';

/** A Xenstore that is measured: a fresh OS process for each case. */
export interface Server {
  readonly name: string;
  start(world: World): Promise<RunningServer>;
}

export interface RunningServer {
  readonly socket: string;
  readonly pid: number;
  end(): Promise<void>;
}

export const lingd: Server = {
  name: 'lingd',
  async start(world) {
    const own = await new World(world.profiles).ready();
    const { directory, lingd } = own;
    return { socket: path.join(directory, 'socket'), pid: lingd.pid as number, end: () => own.end() };
  },
};

const found = findXenstored();
const xenstored: Server[] =
  found === undefined ? [] : [{ name: 'xenstored', start: (world) => startXenstored(found, world) }];

/** Ours first: ratios are the first one's to the other. */
export const SERVERS: readonly Server[] = [lingd, ...xenstored];

/** What holds for all questions. */
export const NOTES: readonly string[] = [
  'lingd: in Node.js, of this commit.',
  found === undefined
    ? "xenstored is missing here: install Debian's xen-utils (no hypervisor is needed) and a C compiler, or name one in $XENSTORED, to have it compared."
    : `xenstored: Xen's own in C (${found}), its tree in memory, with the hypervisor left out.`,
  toolsVersion === undefined
    ? "Xen's xenstore-read and its relatives are missing here: install Debian's xenstore-utils to have them compared."
    : `xenstore-read and its relatives: Debian's xenstore-utils ${toolsVersion}.`,
  'The client is ours in all cases but those that name another: an OS process of Node.js on the classic socket, as domain 0.',
  'Server CPU: CPU time of all threads of the server. Ratios: what lingd takes to what this one takes, round by round; below 1, lingd takes less.',
];

/** Has a server for the time of `use`. */
export async function withServer<T>(
  world: World,
  server: Server,
  use: (running: RunningServer) => Promise<T>,
): Promise<T> {
  const running = await server.start(world);
  try {
    return await use(running);
  } finally {
    await running.end();
  }
}
