import fs from 'node:fs';
import { closeFd, isAnyByteLocked, openLocks } from '../native/index.js';
import { readState } from './lingd/state-file.js';
import { domainSocket, leaseFile, stateFile, tryToLock, xenstoreSocket } from './run-directory.js';

/**
 * Removes what lingds have left for the next one, if there is no lingd and no domain any more that would need it. Each of
 * them calls this when it has ended itself, so the last one does it.
 */
export function sweepRunDirectory(directory: string): void {
  const lock = tryToLock(directory);
  if (typeof lock !== 'number') return;
  try {
    const left = readState(stateFile(directory));
    if (!left || hasDomains(directory)) return;
    for (const file of [stateFile, leaseFile, domainSocket, xenstoreSocket])
      fs.rmSync(file(directory), { force: true });
    if (left.header.madeDirectory) fs.rmdirSync(directory);
  } catch {
    // It is not as lingds leave it: whoever starts the next one is told.
  } finally {
    closeFd(lock);
  }
}

function hasDomains(directory: string): boolean {
  const leases = openLocks(leaseFile(directory));
  try {
    return isAnyByteLocked(leases);
  } finally {
    closeFd(leases);
  }
}
