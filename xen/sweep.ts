import fs from 'node:fs';
import { closeFd, isAnyByteLocked, openLocks } from '../native/index.js';
import { readState, removeState } from './lingd/state-file.js';
import {
  domainSocket,
  isOwnDirectory,
  leaseFiles,
  stateFile,
  tryToLock,
  xenstoreSocket,
} from './run-directory.js';
import { removeIfAmong } from './socket-file.js';

/**
 * Removes what lingds have left for the next one, if there is no lingd and no domain any more that would need it. Each of
 * them calls this when it has ended itself, so the last one does it; in another user's directory that is not theirs to do.
 * False while there are domains, but no lingd.
 */
export function sweepRunDirectory(directory: string): boolean {
  try {
    if (!isOwnDirectory(directory)) return true;
    for (;;) {
      const lock = tryToLock(directory);
      // There is a lingd, or somebody who starts one, or sweeps as well.
      if (typeof lock !== 'number') return true;
      try {
        if (removeLeft(directory)) return true;
      } finally {
        closeFd(lock);
      }
      // Who ended meanwhile has found the lock held, and left this to us.
      if (hasDomains(directory)) return false;
    }
  } catch {
    // It is not as lingds leave it: whoever starts the next one is told.
    return true;
  }
}

function removeLeft(directory: string): boolean {
  const left = readState(stateFile(directory));
  if (!left) return true;
  if (hasDomains(directory)) return false;
  removeState(stateFile(directory));
  for (const file of leaseFiles(directory)) fs.rmSync(file, { force: true });
  for (const socket of [domainSocket, xenstoreSocket])
    removeIfAmong(socket(directory), left.header.sockets ?? []);
  if (left.header.madeDirectory) fs.rmdirSync(directory);
  return true;
}

function hasDomains(directory: string): boolean {
  return leaseFiles(directory).some(hasLeases);
}

function hasLeases(file: string): boolean {
  const leases = openLocks(file);
  try {
    return isAnyByteLocked(leases);
  } finally {
    closeFd(leases);
  }
}
