import fs from 'node:fs';
import { sendWithFds } from '../../native/index.js';

const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = fs.constants;
const STDERR = 2;

/**
 * Writes lines to stderr and never waits: what it does not take at once (nobody reads it, it is gone, the disk is full)
 * is lost. No line follows on a part of another one.
 */
export class StderrWriter {
  /** How many lines have been lost. */
  lost = 0;
  readonly #write = openStderr();
  /** Of a line of which a part is written already. */
  #rest: Buffer = Buffer.alloc(0);

  write(line: string): void {
    if (!this.#push(this.#rest) || !this.#push(Buffer.from(line))) this.lost++;
  }

  /** Whether it is written, or will be before all else. */
  #push(bytes: Buffer): boolean {
    if (bytes.length === 0) return true;
    const written = this.#tryWrite(bytes);
    const isRest = bytes === this.#rest;
    if (written > 0 || isRest) this.#rest = bytes.subarray(written);
    return isRest ? this.#rest.length === 0 : written > 0;
  }

  #tryWrite(bytes: Buffer): number {
    try {
      return this.#write(bytes);
    } catch {
      return 0;
    }
  }
}

/**
 * Whether stderr waits is up to those who share it, as a shell and its terminal, and not to be changed. So a pipe or a
 * terminal is opened once more, and a socket is told each time; a file does not wait.
 */
function openStderr(): (bytes: Buffer) => number {
  try {
    const status = fs.fstatSync(STDERR);
    if (status.isSocket()) return (bytes) => sendWithFds(STDERR, bytes, []);
    if (status.isFIFO() || status.isCharacterDevice()) {
      const fd = fs.openSync(`/proc/self/fd/${STDERR}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
      return (bytes) => fs.writeSync(fd, bytes);
    }
  } catch {
    // Another user's terminal, or nothing at all.
  }
  return (bytes) => fs.writeSync(STDERR, bytes);
}
