import { closeFd } from '../../native/index.js';
import type { Domid } from '../hypervisor.js';
import { XenstoreError } from '../xenstore/errors.js';
import type { User } from './users.js';

/** Pages of one memfd that were granted together; the descriptor goes when the last of their references does. */
interface SharedMemory {
  readonly fd: number;
  references: number;
}

interface Grants {
  /** Whose they are. */
  readonly user: User;
  readonly entries: Map<number, GrantEntry>;
  next: number;
}

interface GrantEntry {
  readonly owner: Domid;
  readonly peer: Domid;
  readonly memory: SharedMemory;
  readonly page: number;
}

/** How many pages a domain can have granted at a time: 1000 tubes and some. */
const MOST_GRANTS = 65 * 1024;

/** Who may map which page of whom. References are numbers of the granting domain's own, never used twice in a row. */
export class GrantTable {
  readonly #domains = new Map<Domid, Grants>();

  /** `first` is the first reference of each domain: another one for each lingd, as domains may remember older ones. */
  constructor(private readonly first: number) {}

  /**
   * Grants the first `count` pages of a memfd to `peer`, for a domain of that user; takes the descriptor over, even if it
   * throws.
   */
  grant(user: User, owner: Domid, peer: Domid, fd: number, count: number): number {
    const table = this.#tableOf(owner, user);
    try {
      if (count < 1) throw new XenstoreError('EINVAL');
      if (table.entries.size + count > MOST_GRANTS || table.next + count > 0xffff_ffff)
        throw new XenstoreError('ENOSPC');
      takeBoth(user, count);
    } catch (error) {
      closeFd(fd);
      throw error;
    }
    const memory = { fd, references: count };
    const first = table.next;
    for (let page = 0; page < count; page++) {
      table.entries.set(first + page, { owner, peer, memory, page });
    }
    table.next += count;
    return first;
  }

  /** The descriptor and page behind each reference, if `peer` may map them all. */
  lookUp(owner: Domid, peer: Domid, refs: readonly number[]): { fd: number; page: number }[] {
    return refs.map((ref) => {
      const entry = this.#domains.get(owner)?.entries.get(ref);
      // One answer for both, or a domain could find out what others share.
      if (entry?.peer !== peer) throw new XenstoreError('EACCES');
      return { fd: entry.memory.fd, page: entry.page };
    });
  }

  end(owner: Domid, refs: readonly number[]): void {
    const table = this.#domains.get(owner);
    for (const ref of refs) {
      const entry = table?.entries.get(ref);
      if (!table || !entry) throw new XenstoreError('ENOENT');
      table.entries.delete(ref);
      release(table.user, entry.memory);
    }
  }

  endAllOf(owner: Domid): void {
    const table = this.#domains.get(owner);
    for (const entry of table?.entries.values() ?? []) release((table as Grants).user, entry.memory);
    this.#domains.delete(owner);
  }

  /** How many pages a domain has granted. */
  count(owner: Domid): number {
    return this.#domains.get(owner)?.entries.size ?? 0;
  }

  #tableOf(owner: Domid, user: User): Grants {
    let table = this.#domains.get(owner);
    if (!table) {
      // Xen reserves the first references; a tool that prints 0 as "none" stays right.
      table = { user, entries: new Map(), next: 8 + this.first };
      this.#domains.set(owner, table);
    }
    return table;
  }
}

function takeBoth(user: User, pages: number): void {
  user.take('grants', pages);
  try {
    user.take('descriptors');
  } catch (error) {
    user.giveBack('grants', pages);
    throw error;
  }
}

function release(user: User, memory: SharedMemory): void {
  user.giveBack('grants');
  memory.references--;
  if (memory.references > 0) return;
  user.giveBack('descriptors');
  closeFd(memory.fd);
}
