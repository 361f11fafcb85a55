/** The process `xenstore`: holds the watches of all other processes, and ends them when those exit. */
import type { Pid, Reference } from '../actors/identifiers.js';
import { isTuple } from '../actors/term.js';
import type { Self } from '../ports/self.js';
import type { WatchHandle } from '../xen/xenstore/client.js';
import { hypervisorOf } from './domain-runtime.js';
import type { Behaviour } from './gen-server.js';
import type { Done } from './result.js';

type Request = ['watch' | 'unwatch', path: string];

/** The watches of one process, by path, and this server's monitor of it. */
interface Watcher {
  monitor: Reference;
  readonly handles: Map<string, WatchHandle>;
}

/** It outlives this server: events come without its help, and the next one goes on with the table. */
export type WatchTable = Map<Pid, Watcher>;

export const xenstoreWatches: Behaviour<WatchTable, [Request, Done], unknown, WatchTable, Self> = {
  init(watchers, self) {
    for (const [pid, watcher] of watchers) watcher.monitor = self.monitor('process', pid);
    return ['ok', watchers];
  },

  async handle_call([verb, path], [pid], watchers, self) {
    const done =
      verb === 'watch' ? await watch(self, watchers, pid, path) : await unwatch(self, watchers, pid, path);
    return ['reply', done, watchers];
  },

  async handle_info(message, watchers) {
    if (isTuple(message) && message[0] === 'DOWN') {
      const pid = message[3] as Pid;
      const handles = watchers.get(pid)?.handles.values() ?? [];
      watchers.delete(pid);
      for (const handle of handles) await toDone(handle.unwatch());
    }
    return ['noreply', watchers];
  },
};

async function watch(self: Self, watchers: WatchTable, pid: Pid, path: string): Promise<Done> {
  const known = watchers.get(pid);
  if (known?.handles.has(path)) return ['error', 'eexist'];
  const watcher = known ?? { monitor: self.monitor('process', pid), handles: new Map() };
  watchers.set(pid, watcher);
  const { xenstore } = hypervisorOf(self);
  return toDone(
    xenstore
      .watch(path, (changed) => self.runtime.send(pid, ['watch', changed]))
      .then((handle) => {
        if (watchers.get(pid) === watcher) watcher.handles.set(path, handle);
        // This server was killed while it waited, and the next one has found that the process is dead.
        else return handle.unwatch();
      }),
  );
}

async function unwatch(self: Self, watchers: WatchTable, pid: Pid, path: string): Promise<Done> {
  const watcher = watchers.get(pid);
  const handle = watcher?.handles.get(path);
  if (!watcher || !handle) return ['error', 'enoent'];
  watcher.handles.delete(path);
  if (watcher.handles.size === 0) {
    self.demonitor(watcher.monitor, ['flush']);
    watchers.delete(pid);
  }
  return toDone(handle.unwatch());
}

async function toDone(promise: Promise<unknown>): Promise<Done> {
  try {
    await promise;
    return 'ok';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!code) throw error;
    return ['error', code.toLowerCase()];
  }
}
