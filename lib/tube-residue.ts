/** What a keeper has left in Xenstore that could not remove it: it was killed, or has crashed. */
import path from 'node:path';
import type { Self } from '../ports/self.js';
import type { Domid } from '../xen/hypervisor.js';
import { MOST_TID, NOCK, TIP, tubeKeys } from '../xen/tube-handshake.js';
import * as xenstore from './xenstore.js';

/** One side of a tube, by the names that both have for it. */
export interface TubeName {
  readonly side: 'opener' | 'acceptor';
  readonly peer: Domid;
  readonly tid: number;
}

/** Removes what this side of a tube that has no keeper has made, and nothing that the peer will. */
export async function removeResidue(self: Self, me: Domid, { side, peer, tid }: TubeName): Promise<void> {
  const { nock, tip } = side === 'opener' ? tubeKeys(me, peer, tid) : tubeKeys(peer, me, tid);
  // The acceptor writes that first of all: before, its directory is the opener's invitation.
  const isGreeted = (await xenstore.read(self, `${tip}/state`))[0] === 'ok';
  if (side === 'opener') {
    await xenstore.delete(self, nock);
    if (!isGreeted) await xenstore.delete(self, tip);
  } else if (isGreeted) await xenstore.delete(self, tip);
  await forgetPeer(self, peer, side === 'opener' ? nock : tip);
}

/** Removes the directory of all tubes with a peer, where that is gone; `own` is the directory of one of them. */
export async function forgetPeer(self: Self, peer: Domid, own: string): Promise<void> {
  // A living peer may be about to make the next tube there, and what it watches must not change twice.
  const [, reason] = await xenstore.read(self, `/local/domain/${peer}/domid`);
  if (reason === 'enoent') await xenstore.delete(self, path.dirname(own));
}

/** Every tube that either side of this domain has a directory for. */
export async function tubesInXenstore(self: Self): Promise<TubeName[]> {
  const tubes: TubeName[] = [];
  for (const [side, directory] of [
    ['opener', NOCK],
    ['acceptor', TIP],
  ] as const) {
    for (const peer of await numbersIn(self, directory)) {
      for (const tid of await numbersIn(self, `${directory}/${peer}`)) tubes.push({ side, peer, tid });
    }
  }
  return tubes;
}

/** The names below that are numbers; others may write whatever they like there. */
async function numbersIn(self: Self, directory: string): Promise<number[]> {
  const [, names] = await xenstore.list(self, directory);
  return Array.isArray(names)
    ? names.filter((name) => /^(0|[1-9]\d{0,9})$/.test(name) && Number(name) <= MOST_TID).map(Number)
    : [];
}
