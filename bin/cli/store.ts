/** The Xenstore that a command is about. */
import fs from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Watcher } from '../../native/watcher.js';
import { connectXenstore } from '../../xen/connect-xenstore.js';
import { XENBUS_DEVICES } from '../../xen/device-channel.js';
import { checkRunDirectory, defaultRunDirectory, xenstoreSocket } from '../../xen/run-directory.js';
import type { XenstoreClient } from '../../xen/xenstore/client.js';
import { Failure, failureOf } from './failure.js';

export interface StoreOptions {
  readonly rundir?: string;
}

/**
 * Connects, lets `use` have the Xenstore and disconnects. Looks where libxenstore looks: `--rundir`, else
 * `$XENSTORED_PATH`, else `$XENSTORED_RUNDIR/socket`, else where lingd listens unless it is told otherwise, else the device
 * of a domain on Xen. Starts no lingd. Ends with a {@link Failure} when nobody answers there, or no longer.
 */
export async function withStore<T>(
  options: StoreOptions,
  use: (store: XenstoreClient) => Promise<T>,
): Promise<T> {
  const watcher = Watcher.onLoop();
  try {
    const store = connect(watcher, options);
    const ended = store.closed.then(async (): Promise<never> => {
      // Its last words say why.
      await nextTurn();
      throw new Failure('the Xenstore has closed the connection');
    });
    try {
      return await Promise.race([use(store), ended]);
    } finally {
      store.close();
    }
  } finally {
    await watcher.close();
  }
}

function connect(watcher: Watcher, options: StoreOptions): XenstoreClient {
  const place = placeOf(options, process.env);
  try {
    return connectXenstore(watcher, place);
  } catch (error) {
    throw failureOf(`no Xenstore answers at ${place}`, error);
  }
}

function placeOf({ rundir }: StoreOptions, env: NodeJS.ProcessEnv): string {
  if (rundir !== undefined) return xenstoreSocket(path.resolve(rundir));
  if (env.XENSTORED_PATH) return env.XENSTORED_PATH;
  const directory = defaultRunDirectory(env);
  // Nobody has named this one, so it has to be known whose it is.
  if (!env.XENSTORED_RUNDIR) checkRunDirectory(directory);
  const socket = xenstoreSocket(directory);
  return [socket, ...XENBUS_DEVICES].find((place) => fs.existsSync(place)) ?? socket;
}
