import { fstatSync } from 'node:fs';
import { setNonBlocking } from '../../native/index.js';

interface OpenFile {
  users: number;
  /** Descriptors of it that did block. */
  readonly blocking: number[];
}

/** By what they are: several descriptors, and so several ports, may share what blocks or does not. */
const files = new Map<string, OpenFile>();

/**
 * Has a descriptor not block, and answers what undoes it, to be called once: then it blocks again if it did before, as
 * soon as nobody needs it otherwise. Throws EBADF.
 */
export function unblock(fd: number): () => void {
  const name = nameOf(fd);
  const file = files.get(name) ?? { users: 0, blocking: [] };
  if (!setNonBlocking(fd, true)) file.blocking.push(fd);
  file.users++;
  files.set(name, file);
  return () => {
    if (--file.users > 0) return;
    files.delete(name);
    for (const each of file.blocking) if (isStill(each, name)) setNonBlocking(each, false);
  };
}

/** Two ends of a pipe have the same: then one of them may have to wait for the other. */
function nameOf(fd: number): string {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return `${dev}:${ino}`;
}

/** Its number may have been given to another file meanwhile. */
function isStill(fd: number, name: string): boolean {
  try {
    return nameOf(fd) === name;
  } catch {
    return false;
  }
}
