/** The Xenstore that a command is about. */
import path from 'node:path';
import { connectUnix } from '../../native/index.js';
import { Watcher } from '../../native/watcher.js';
import { checkRunDirectory, defaultRunDirectory, xenstoreSocket } from '../../xen/run-directory.js';
import { UnixChannel } from '../../xen/unix-channel.js';
import { XenstoreClient } from '../../xen/xenstore/client.js';
import { Failure, failureOf } from './failure.js';

export interface StoreOptions {
  readonly rundir?: string;
}

/**
 * Connects, lets `use` have the Xenstore and disconnects. Looks where libxenstore looks: `--rundir`, else
 * `$XENSTORED_PATH`, else `$XENSTORED_RUNDIR/socket`, else where lingd listens unless it is told otherwise. Starts no
 * lingd. Ends with a {@link Failure} when nobody answers there, or no longer.
 */
export async function withStore<T>(
  options: StoreOptions,
  use: (store: XenstoreClient) => Promise<T>,
): Promise<T> {
  const fd = connect(options);
  const watcher = Watcher.onLoop();
  const channel = new UnixChannel(watcher, fd);
  const store = new XenstoreClient(channel);
  channel.start();
  try {
    const ended = store.closed.then((): never => {
      throw new Failure('the Xenstore has closed the connection');
    });
    return await Promise.race([use(store), ended]);
  } finally {
    store.close();
    await watcher.close();
  }
}

function connect(options: StoreOptions): number {
  const socket = socketOf(options, process.env);
  try {
    return connectUnix(socket);
  } catch (error) {
    throw failureOf(`no Xenstore answers at ${socket}`, error);
  }
}

function socketOf({ rundir }: StoreOptions, env: NodeJS.ProcessEnv): string {
  if (rundir !== undefined) return xenstoreSocket(path.resolve(rundir));
  if (env.XENSTORED_PATH) return env.XENSTORED_PATH;
  const directory = defaultRunDirectory(env);
  // Nobody has named this one, so it has to be known whose it is.
  if (!env.XENSTORED_RUNDIR) checkRunDirectory(directory);
  return xenstoreSocket(directory);
}
