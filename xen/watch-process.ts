import { closeFd, openProcess } from '../native/index.js';
import type { Watcher } from '../native/watcher.js';

/** Of these systems one cannot know: an older kernel, a container that does not let its processes ask. */
const UNKNOWN: ReadonlySet<string | undefined> = new Set(['ENOSYS', 'EPERM']);

/**
 * Calls `onEnd`, in a later turn, when the OS process of that pid has ended; never for 0, one that cannot be seen from here.
 * Returns what gives up watching. Throws EMFILE, ENFILE, ENOMEM or ENOSPC.
 */
export function watchProcess(watcher: Watcher, pid: number, onEnd: () => void): () => void {
  if (pid === 0) return () => {};
  let fd: number;
  try {
    fd = openProcess(pid);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ESRCH') setImmediate(onEnd);
    else if (!UNKNOWN.has(code)) throw error;
    return () => {};
  }
  try {
    const watch = watcher.watch(fd, onEnd);
    watch.arm();
    return () => {
      watch.close();
      closeFd(fd);
    };
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}
