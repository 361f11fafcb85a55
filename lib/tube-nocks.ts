/**
 * The directories of the tubes that a domain opens, `data/nock/<peer>/<tid>`. The last one with a peer goes by the removal of
 * `data/nock/<peer>`, so that nothing is left of a peer that nobody hears the end of.
 *
 * All requests of a domain are done in the order in which they are made, and nobody else writes there. So it takes no
 * transaction to know which is the last; it takes that a request is made in the same turn in which it is noted here.
 */
import path from 'node:path';
import type { Self } from '../ports/self.js';
import type { Domid, Hypervisor } from '../xen/hypervisor.js';
import { tubeKeys } from '../xen/tube-handshake.js';
import { hypervisorOf } from './domain-runtime.js';
import type { Done } from './result.js';
import * as xenstore from './xenstore.js';

/** The tids by peer, of each domain. */
const nocks = new WeakMap<Hypervisor, Map<Domid, Set<number>>>();

export function makeNock(self: Self, peer: Domid, tid: number): Promise<Done> {
  const peers = peersOf(self);
  const tids = peers.get(peer) ?? new Set();
  peers.set(peer, tids.add(tid));
  return xenstore.mkdir(self, nockOf(self, peer, tid));
}

/** One removal in any case: a peer that is LING's crashes when what it watches changes once more. */
export function removeNock(self: Self, peer: Domid, tid: number): Promise<Done> {
  const nock = nockOf(self, peer, tid);
  const peers = peersOf(self);
  const tids = peers.get(peer);
  tids?.delete(tid);
  if (tids && tids.size > 0) return xenstore.delete(self, nock);
  peers.delete(peer);
  return xenstore.delete(self, path.posix.dirname(nock));
}

function nockOf(self: Self, peer: Domid, tid: number): string {
  return tubeKeys(hypervisorOf(self).domid, peer, tid).nock;
}

function peersOf(self: Self): Map<Domid, Set<number>> {
  const hypervisor = hypervisorOf(self);
  const known = nocks.get(hypervisor) ?? new Map<Domid, Set<number>>();
  nocks.set(hypervisor, known);
  return known;
}
