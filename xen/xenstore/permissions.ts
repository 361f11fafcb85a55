/**
 * Who may do what with a node: a list of entries such as `n5 r0 b7`, never empty. The first names the owner, who may
 * do everything, and with its letter what everybody may who has no entry; each later one says what one domain may.
 */
import type { Caller, Domain, Domains } from './domains.js';
import { XenstoreError } from './errors.js';
import { wholeDomid } from './number.js';

/** None, read, write, both. */
export type Access = 'n' | 'r' | 'w' | 'b';

export interface Permission {
  readonly access: Access;
  readonly domid: number;
  /** The domain that had the domid when the entry was made: undefined if none had, then it counts for nobody. */
  readonly domain: Domain | undefined;
}

export type Permissions = readonly [owner: Permission, ...others: Permission[]];

/** Rights are bits. */
export const READ = 1;
export const WRITE = 2;
export const OWNER = 4;
const ALL = READ | WRITE | OWNER;

const RIGHTS: Readonly<Record<Access, number>> = { n: 0, r: READ, w: WRITE, b: READ | WRITE };

/** Whether what has these permissions, if it is there at all, may be read. */
export function canRead(caller: Caller, permissions: Permissions | undefined): boolean {
  return permissions !== undefined && (rightsOf(caller, permissions) & READ) !== 0;
}

export function rightsOf(caller: Caller, permissions: Permissions): number {
  if (caller.privileged) return ALL;
  const { domain } = caller;
  const names = (entry: Permission) =>
    entry.domain !== undefined && (entry.domain === domain || entry.domain === domain.target);
  const [owner, ...others] = permissions;
  if (names(owner)) return ALL;
  return RIGHTS[(others.find(names) ?? owner).access];
}

/**
 * Reads entries such as `['n0', 'r5']`: `EINVAL` when there is none or one is malformed, `ENOENT` when there is no
 * domain to be the owner. Later entries may name domains that do not exist.
 */
export function parsePermissions(entries: readonly string[], domains: Domains): Permissions {
  const [owner, ...others] = entries.map((entry) => parsePermission(entry, domains));
  if (owner === undefined) throw new XenstoreError('EINVAL');
  if (owner.domain === undefined) throw new XenstoreError('ENOENT');
  return [owner, ...others];
}

export function formatPermissions(permissions: Permissions): string[] {
  return permissions.map(({ access, domid }) => `${access}${domid}`);
}

/** What a new node gets: its parent's list, but a domain without privileges owns what it makes. */
export function inheritPermissions(caller: Caller, parent: Permissions): Permissions {
  if (caller.privileged) return parent;
  const [{ access }, ...others] = parent;
  return [{ access, domid: caller.domain.domid, domain: caller.domain }, ...others];
}

function parsePermission(entry: string, domains: Domains): Permission {
  const access = entry.slice(0, 1);
  const domid = wholeDomid(entry.slice(1));
  if (!isAccess(access) || domid === undefined) throw new XenstoreError('EINVAL');
  return { access, domid, domain: domains.find(domid) };
}

function isAccess(text: string): text is Access {
  return text in RIGHTS;
}
