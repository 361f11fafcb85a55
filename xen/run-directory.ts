/** Where lingd listens: a directory of one user, found by everybody in the same way. */
import fs from 'node:fs';
import path from 'node:path';
import { closeFd, lockDirectory } from '../native/index.js';

export class RunDirectoryError extends Error {
  readonly code = 'ERR_RUN_DIRECTORY';
}

/** `$XENSTORED_RUNDIR`, else `$XDG_RUNTIME_DIR/ling-tubes`, else `/tmp/ling-tubes-<uid>`. */
export function defaultRunDirectory(env: NodeJS.ProcessEnv = process.env): string {
  if (env.XENSTORED_RUNDIR) return path.resolve(env.XENSTORED_RUNDIR);
  if (env.XDG_RUNTIME_DIR) return path.join(env.XDG_RUNTIME_DIR, 'ling-tubes');
  return `/tmp/ling-tubes-${process.getuid?.()}`;
}

/** Makes the directory if it is not there, mode 0700. Whether it was made, so that its maker can remove it. */
export function makeRunDirectory(directory: string): boolean {
  const made = tryToMake(directory);
  checkRunDirectory(directory);
  return made;
}

/** Its parent has to be there: what nobody asked for, nobody would remove. */
function tryToMake(directory: string): boolean {
  try {
    fs.mkdirSync(directory, { mode: 0o700 });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    throw new RunDirectoryError(`${directory} cannot be made: ${code}`, { cause: error });
  }
}

/**
 * Anybody may have made /tmp/ling-tubes-<uid> first, to listen there in our place: a directory that is there has to be
 * this user's, who alone can write to it. Throws RunDirectoryError if it is not.
 */
export function checkRunDirectory(directory: string): void {
  // The link, if it is one, and what it leads to.
  const found = [fs.lstatSync, fs.statSync].map((stat) => stat(directory, { throwIfNoEntry: false }));
  if (found[1] && !found[1].isDirectory()) throw new RunDirectoryError(`${directory} is no directory`);
  if (found.some((stats) => stats && stats.uid !== process.getuid?.())) {
    throw new RunDirectoryError(`${directory} belongs to another user`);
  }
  if ((found[1]?.mode ?? 0) & 0o022) {
    throw new RunDirectoryError(`${directory} can be written by other users`);
  }
}

/** The lock on a directory that is made if it is not there; undefined while another OS process has it. */
export function lockRunDirectory(directory: string): { lock: number; made: boolean } | undefined {
  for (;;) {
    const made = makeRunDirectory(directory);
    const lock = tryToLock(directory);
    if (lock === 'held') return undefined;
    // A lingd that was just leaving may have removed it meanwhile.
    if (lock !== 'gone') return { lock, made };
  }
}

/** The lock on a directory that is there: who has it is the lingd of that directory, or starts it. */
export function tryToLock(directory: string): number | 'held' | 'gone' {
  try {
    const lock = lockDirectory(directory);
    if (lock === -1) return 'held';
    if (isStill(directory, lock)) return lock;
    closeFd(lock);
    return 'gone';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'gone';
    throw error;
  }
}

/** Whether the lock is on the directory that is there, and not on one that has been removed. */
export function isStill(directory: string, lock: number): boolean {
  const now = fs.statSync(directory, { throwIfNoEntry: false });
  const held = fs.fstatSync(lock);
  return now?.ino === held.ino && now.dev === held.dev;
}

/** The classic socket of xenstored: each client is domain 0. */
export function xenstoreSocket(directory: string): string {
  return path.join(directory, 'socket');
}

/** Each connection here is a new, unprivileged domain. */
export function domainSocket(directory: string): string {
  return path.join(directory, 'domain');
}

/** What a lingd has to know that takes the place of one that has crashed. */
export function stateFile(directory: string): string {
  return path.join(directory, 'lingd.state');
}

/** Each domain that could come back after a crash of lingd has the lock on the byte here that is its domid's. */
export function leaseFile(directory: string): string {
  return path.join(directory, 'lingd.leases');
}
