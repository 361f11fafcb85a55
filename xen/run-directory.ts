/** Where lingd listens: a directory of one user, found by everybody in the same way. */
import fs from 'node:fs';
import path from 'node:path';
import { closeFd, lockDirectory } from '../native/index.js';
import { isMaster, ownUid } from './own-user.js';

export class RunDirectoryError extends Error {
  readonly code = 'ERR_RUN_DIRECTORY';
}

/** `$XENSTORED_RUNDIR`, else `$XDG_RUNTIME_DIR/ling-tubes`, else `/tmp/ling-tubes-<uid>`. */
export function defaultRunDirectory(env: NodeJS.ProcessEnv = process.env): string {
  if (env.XENSTORED_RUNDIR) return path.resolve(env.XENSTORED_RUNDIR);
  if (env.XDG_RUNTIME_DIR) return path.join(env.XDG_RUNTIME_DIR, 'ling-tubes');
  return `/tmp/ling-tubes-${ownUid()}`;
}

/**
 * Makes the directory if it is not there, mode 0700; one that is there has to be this user's. Whether it was made, so that
 * its maker can remove it.
 */
function makeRunDirectory(directory: string): boolean {
  const made = tryToMake(directory);
  const owner = checkRunDirectory(directory);
  if (owner !== undefined && owner !== ownUid()) refuseOwner(directory);
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
 * this user's or root's, or where nobody else can have put it, and only its user can write to it. Answers whose it is,
 * undefined where there is none. Throws RunDirectoryError if it is not to be trusted.
 */
export function checkRunDirectory(directory: string): number | undefined {
  const link = fs.lstatSync(directory, { throwIfNoEntry: false });
  const found = fs.statSync(directory, { throwIfNoEntry: false });
  if (link?.isSymbolicLink() && !isMaster(link.uid)) refuseOwner(directory);
  if (!found) return undefined;
  if (!found.isDirectory()) throw new RunDirectoryError(`${directory} is no directory`);
  if (!isMaster(found.uid) && !isOutOfReach(fs.realpathSync(directory))) refuseOwner(directory);
  if (found.mode & 0o022) throw new RunDirectoryError(`${directory} can be written by other users`);
  return found.uid;
}

/** Whether a directory is this user's, who may start a lingd there and remove what one has left. */
export function isOwnDirectory(directory: string): boolean {
  return fs.statSync(directory, { throwIfNoEntry: false })?.uid === ownUid();
}

function refuseOwner(directory: string): never {
  throw new RunDirectoryError(`${directory} belongs to another user`);
}

/** Whether only root or this user can have put what has that path where it is: it has no links. */
function isOutOfReach(at: string): boolean {
  const parent = path.dirname(at);
  if (parent === at) return true;
  const [above, here] = [fs.statSync(parent), fs.statSync(at)];
  // In a directory such as /tmp, where each can only remove what is its own, it is safe if it is trusted itself.
  const isSafe = (above.mode & 0o022) === 0 || ((above.mode & 0o1000) !== 0 && isMaster(here.uid));
  return isMaster(above.uid) && isSafe && isOutOfReach(parent);
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

const LEASES = 'lingd.leases';

/** Each domain of a user that could come back after a crash of lingd has the lock on the byte here that is its domid's. */
export function leaseFile(directory: string, uid: number): string {
  return path.join(directory, uid === ownUid() ? LEASES : `${LEASES}.${uid}`);
}

/** Those that there are. */
export function leaseFiles(directory: string): string[] {
  const names = fs
    .readdirSync(directory)
    .filter((name) => name === LEASES || /^lingd\.leases\.\d+$/.test(name));
  return names.map((name) => path.join(directory, name));
}

/** Lets other users come to `domain`, but to nothing else; or nobody, as at first. */
export function openToOthers(directory: string, isOpen: boolean, madeDirectory: boolean): void {
  fs.chmodSync(domainSocket(directory), isOpen ? 0o666 : 0o600);
  if (madeDirectory) fs.chmodSync(directory, isOpen ? 0o711 : 0o700);
  // Who could read it could take its lock, and no lingd would start again.
  else if (isOpen) fs.chmodSync(directory, (fs.statSync(directory).mode & 0o755 & ~0o044) | 0o011);
}
