import { readSync } from 'node:fs';
import { newSlab } from '../../native/index.js';

/** Read at once at most: as much as a pipe holds. */
const MOST = 64 * 1024;

let slab: Buffer | undefined;
let offset = 0;

/**
 * Reads what a non-blocking descriptor has now, up to 64 KiB: nothing at its end, undefined when there is nothing yet.
 * The bytes are a view on a slab that many reads share, and that is free again when all of them are garbage. Throws
 * the errors of read(2).
 */
export function readSome(fd: number): Buffer | undefined {
  if (slab === undefined || slab.length - offset < MOST) {
    slab = Buffer.from(newSlab());
    offset = 0;
  }
  const start = offset;
  try {
    offset += readSync(fd, slab, start, MOST, null);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
    throw error;
  }
  return slab.subarray(start, offset);
}
