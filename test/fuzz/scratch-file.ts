/** A file for what is read from files: without a name, so that nothing is left of it, and written again and again. */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const name = path.join(tmpdir(), 'scratch');
const fd = fs.openSync(name, 'w+');
fs.unlinkSync(name);

/** Under which it can be opened in spite of that. */
export const scratchFile = `/proc/self/fd/${fd}`;

export function fillScratchFile(...parts: readonly Uint8Array[]): void {
  fs.ftruncateSync(fd);
  fs.writevSync(fd, [...parts], 0);
}
