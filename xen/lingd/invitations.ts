/**
 * Whose invitations are whose. A domain's `data/tip` is open to everybody, so that anybody can invite it to a tube (LING has
 * it so), and with it all that is in there: without this any domain could end the tubes of all others, or keep them from
 * having any.
 */
import type { Domid } from '../hypervisor.js';
import { CHANGES, type Packet } from '../xenstore/wire.js';

/** Whether it would change something in another domain's `data/tip`, but in the directory there that has its own domid. */
export function isOthersInvitation(domid: Domid, { type, payload }: Packet): boolean {
  if (!CHANGES.has(type)) return false;
  const end = payload.indexOf(0);
  const path = payload.toString('latin1', 0, end === -1 ? payload.length : end);
  const [, home, inviter] = /^\/local\/domain\/(\d+)\/data\/tip(?:$|\/([^/]*))/.exec(path) ?? [];
  return home !== undefined && home !== String(domid) && inviter !== String(domid);
}
