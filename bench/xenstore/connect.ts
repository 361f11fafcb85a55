import { setTimeout as sleep } from 'node:timers/promises';
import type { Watcher } from '../../native/watcher.js';
import { connectXenstore } from '../../xen/connect-xenstore.js';
import type { XenstoreClient } from '../../xen/xenstore/client.js';

/** How often to try. xenstored lets one newcomer wait, and refuses the next. */
const TRIES = 1000;

/** A client that the server has accepted. */
export async function connect(watcher: Watcher, socket: string): Promise<XenstoreClient> {
  for (let tries = 1; ; tries++) {
    try {
      const store = connectXenstore(watcher, socket);
      await store.getDomainPath(0);
      return store;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if ((code !== 'EAGAIN' && code !== 'ECONNREFUSED') || tries === TRIES) throw error;
      await sleep(1);
    }
  }
}
