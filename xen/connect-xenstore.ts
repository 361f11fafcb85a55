/** Clients of any Xenstore: lingd's, or that of a real Xen. */
import fs from 'node:fs';
import { connectUnix } from '../native/index.js';
import type { Watcher } from '../native/watcher.js';
import { DeviceChannel } from './device-channel.js';
import { UnixChannel } from './unix-channel.js';
import { XenstoreClient } from './xenstore/client.js';

/**
 * A client of the Xenstore behind a path: a Unix socket, or else a character device, which libxenstore tells in the same
 * way. Raises what the system says of it.
 */
export function connectXenstore(watcher: Watcher, path: string): XenstoreClient {
  const channel = isDevice(path)
    ? new DeviceChannel(watcher, path)
    : new UnixChannel(watcher, connectUnix(path));
  const client = new XenstoreClient(channel);
  channel.start();
  return client;
}

function isDevice(path: string): boolean {
  const found = fs.statSync(path, { throwIfNoEntry: false });
  return found !== undefined && !found.isSocket();
}
