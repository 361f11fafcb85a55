/** Files of sockets: of those in its directory lingd removes its own, and none that others have put in their place. */
import fs from 'node:fs';
import { closeFd, connectUnix } from '../native/index.js';

/** Which file it is, whatever its modes, also when another one has got its path and its number since. */
export function identify(file: string): string {
  const { dev, ino, birthtimeNs } = fs.lstatSync(file, { bigint: true });
  return `${dev}:${ino}:${birthtimeNs}`;
}

/** Whether it is one of these. */
export function isAmong(file: string, identities: readonly string[]): boolean {
  const isThere = fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined;
  return isThere && identities.includes(identify(file));
}

/** Removes it if it is one of these. */
export function removeIfAmong(file: string, identities: readonly string[]): void {
  if (isAmong(file, identities)) fs.rmSync(file, { force: true });
}

/** Whether somebody listens there. A service manager that does so starts whom it listens for. */
export function isListenedOn(file: string): boolean {
  try {
    closeFd(connectUnix(file));
    return true;
  } catch (error) {
    // So many wait there already.
    return (error as NodeJS.ErrnoException).code === 'EAGAIN';
  }
}
