/** A domain in the Xenstore: as a toolstack makes it on Xen, but that everybody may read who is there, and its name. */
import type { Credentials } from '../../native/index.js';
import type { Domid } from '../hypervisor.js';
import { homePath } from '../xenstore/path.js';
import type { XenstoreServer } from '../xenstore/server.js';

export function makeHome(xenstore: XenstoreServer, domid: Domid, credentials: Credentials): void {
  const home = homePath(domid);
  xenstore.introduce(domid);
  xenstore.mkdir(home);
  xenstore.setPerms(home, ['n0', `r${domid}`]);
  xenstore.write(`${home}/domid`, Buffer.from(`${domid}`));
  xenstore.setPerms(`${home}/domid`, ['r0']);
  nameDomain(xenstore, domid, `domain-${domid}`);
  recordCredentials(xenstore, domid, credentials);
  xenstore.mkdir(`${home}/data`);
  xenstore.setPerms(`${home}/data`, [`n${domid}`]);
}

/** Who it is to the operating system. */
export function recordCredentials(xenstore: XenstoreServer, domid: Domid, credentials: Credentials): void {
  const home = homePath(domid);
  // Domain 0 may have removed it.
  if (!xenstore.read(home)) return;
  for (const key of ['uid', 'gid', 'pid'] as const) {
    const path = `${home}/${key}`;
    // Nobody need hear that a domain is back as it was.
    if (xenstore.read(path)?.toString() === `${credentials[key]}`) continue;
    xenstore.write(path, `${credentials[key]}`);
    xenstore.setPerms(path, ['r0']);
  }
}

export function nameDomain(xenstore: XenstoreServer, domid: Domid, name: string): void {
  const path = `${homePath(domid)}/name`;
  xenstore.write(path, Buffer.from(name));
  xenstore.setPerms(path, ['r0']);
}

/** What the domain calls itself; undefined where domain 0 has removed that. */
export function domainName(xenstore: XenstoreServer, domid: Domid): string | undefined {
  return xenstore.read(`${homePath(domid)}/name`)?.toString();
}

/** The domain has ended: its nodes go, wherever they are. */
export function releaseDomain(xenstore: XenstoreServer, domid: Domid): void {
  const home = homePath(domid);
  // Domain 0 may have removed it, with all above it.
  if (xenstore.read(home)) xenstore.rm(home);
  if (xenstore.isIntroduced(domid)) xenstore.release(domid);
}
