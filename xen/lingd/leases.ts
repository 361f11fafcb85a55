/**
 * Who still is there, without a connection and without a lingd: each domain has a descriptor with a lock on its byte of
 * a file, and when the domain ends, in whatever way, the kernel takes both away.
 */
import fs from 'node:fs';
import { closeFd, isByteLocked, lockByte, openLocks } from '../../native/index.js';
import type { Domid } from '../hypervisor.js';

export class Leases {
  readonly #file: string;
  #fd: number;

  constructor(file: string) {
    this.#file = file;
    this.#fd = openLocks(file);
  }

  /** A descriptor for the domain to hold as long as it is there; undefined when it has one. The caller's to close. */
  grant(domid: Domid): number | undefined {
    const fd = openLocks(this.#file);
    if (lockByte(fd, domid)) return fd;
    closeFd(fd);
    return undefined;
  }

  isHeld(domid: Domid): boolean {
    return isByteLocked(this.#fd, domid);
  }

  /** Those that there are count for nothing any more. */
  revokeAll(): void {
    closeFd(this.#fd);
    fs.rmSync(this.#file, { force: true });
    this.#fd = openLocks(this.#file);
  }

  /** Unless others are to look for them, they go with this lingd. */
  close(keep: boolean): void {
    closeFd(this.#fd);
    if (!keep) fs.rmSync(this.#file, { force: true });
  }
}
