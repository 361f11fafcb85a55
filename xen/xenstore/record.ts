/**
 * What a Xenstore has become, as a list of what has happened to it: whoever restores a server from the records of
 * another one has the same domains, nodes and permissions. Plain values, so that they can be written down.
 */
import type { Domains } from './domains.js';
import { XenstoreError } from './errors.js';
import type { Access, Permission, Permissions } from './permissions.js';
import type { Quota } from './quota.js';

export type StoreRecord =
  | [kind: 'introduced' | 'released', domid: number]
  | [kind: 'target', domid: number, target: number]
  /** What domain 0 has set at run time. */
  | [kind: 'quota', quota: Partial<Quota>]
  /** Made or changed; the value is bytes as latin1. A node's parent comes before it. */
  | [kind: 'node', path: string, value: string, permissions: readonly string[]]
  /** With all that was below it. */
  | [kind: 'removed', path: string]
  /** Who may hear of `@introduceDomain` or `@releaseDomain`. */
  | [kind: 'special', name: string, permissions: readonly string[]];

/** As formatPermissions, but an entry that means nobody, as its domain has ended or never was, begins with `-`. */
export function recordPermissions(permissions: Permissions): string[] {
  return permissions.map(
    ({ access, domid, domain }) => `${domain && !domain.ended ? '' : '-'}${access}${domid}`,
  );
}

/** The reverse, in terms of the domains there are here; `EINVAL` for what is no such list. */
export function restorePermissions(entries: readonly string[], domains: Domains): Permissions {
  const [owner, ...others] = entries.map((entry): Permission => {
    const [, dead, access, number] = /^(-?)([nrwb])(\d{1,5})$/.exec(entry) ?? [];
    if (access === undefined) throw new XenstoreError('EINVAL');
    const domid = Number(number);
    return { access: access as Access, domid, domain: dead ? undefined : domains.find(domid) };
  });
  if (owner === undefined) throw new XenstoreError('EINVAL');
  return [owner, ...others];
}
