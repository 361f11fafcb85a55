/** What a keeper has left in Xenstore that could not remove it: it was killed, or has crashed. */
import path from 'node:path';
import type { Self } from '../ports/self.js';
import type { Domid } from '../xen/hypervisor.js';
import { MOST_TID, NOCK, TIP, tubeKeys } from '../xen/tube-handshake.js';
import { removeNock } from './tube-nocks.js';
import * as xenstore from './xenstore.js';

/** One side of a tube, by the names that both have for it. */
export interface TubeName {
  readonly side: 'opener' | 'acceptor';
  readonly peer: Domid;
  readonly tid: number;
}

/** Removes what this side of a tube that has no keeper has made, and nothing that the peer will. */
export async function removeResidue(self: Self, me: Domid, { side, peer, tid }: TubeName): Promise<void> {
  const { tip } = side === 'opener' ? tubeKeys(me, peer, tid) : tubeKeys(peer, me, tid);
  // The acceptor writes that first of all: before, its directory is the opener's invitation.
  const isGreeted = (await xenstore.read(self, `${tip}/state`))[0] === 'ok';
  if (side === 'opener') {
    await removeNock(self, peer, tid);
    if (!isGreeted) await xenstore.delete(self, tip);
    return;
  }
  if (isGreeted) await xenstore.delete(self, tip);
  await forgetInviter(self, peer, tip);
}

/** Removes the directory of all tubes that a peer opens, where that is gone; `tip` is the directory of one of them. */
export async function forgetInviter(self: Self, peer: Domid, tip: string): Promise<void> {
  // A living peer may be about to make the next tube there.
  const [, reason] = await xenstore.read(self, `/local/domain/${peer}/domid`);
  if (reason === 'enoent') await xenstore.delete(self, path.dirname(tip));
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
