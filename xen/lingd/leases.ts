/**
 * Who still is there, without a connection and without a lingd: each domain has a descriptor with a lock on its byte of
 * a file, and when the domain ends, in whatever way, the kernel takes both away. Who has one can lock any byte of the file:
 * each user has a file for itself.
 */
import fs from 'node:fs';
import { closeFd, isByteLocked, lockByte, openLocks } from '../../native/index.js';
import type { Domid } from '../hypervisor.js';
import { leaseFile, leaseFiles } from '../run-directory.js';
import { isOutOfDescriptors } from './descriptors.js';

export class Leases {
  readonly #directory: string;
  /** By user. */
  readonly #files = new Map<number, number>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** A descriptor for a domain of that user to hold as long as it is there; undefined when it has one. The caller's to close. */
  grant(domid: Domid, uid: number): number | undefined {
    const fd = openLocks(leaseFile(this.#directory, uid));
    if (lockByte(fd, domid)) return fd;
    closeFd(fd);
    return undefined;
  }

  /** Also where there is no descriptor left to look with: it may be. */
  isHeld(domid: Domid, uid: number): boolean {
    try {
      return isByteLocked(this.#fileOf(uid), domid);
    } catch (error) {
      if (!isOutOfDescriptors((error as NodeJS.ErrnoException).code)) throw error;
      return true;
    }
  }

  /** Those that there are count for nothing any more. */
  revokeAll(): void {
    this.#closeAll();
    this.#removeAll();
  }

  /** Unless others are to look for them, they go with this lingd. */
  close(keep: boolean): void {
    this.#closeAll();
    if (!keep) this.#removeAll();
  }

  #fileOf(uid: number): number {
    let fd = this.#files.get(uid);
    if (fd === undefined) {
      fd = openLocks(leaseFile(this.#directory, uid));
      this.#files.set(uid, fd);
    }
    return fd;
  }

  #closeAll(): void {
    for (const fd of this.#files.values()) closeFd(fd);
    this.#files.clear();
  }

  #removeAll(): void {
    for (const file of leaseFiles(this.#directory)) fs.rmSync(file, { force: true });
  }
}
