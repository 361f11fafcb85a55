/** All tubes of a box: what Xenstore has of them, and what the domains tell. */
import type { Domid } from '../../xen/hypervisor.js';
import { NOCK, TIP } from '../../xen/tube-handshake.js';
import type { TubeReport } from '../../xen/tube-report.js';
import type { XenstoreClient } from '../../xen/xenstore/client.js';
import { homePath } from '../../xen/xenstore/path.js';
import { unlessMissing } from '../cli/failure.js';
import { askAboutTubes } from './tube-question.js';

export const DOMAINS = '/local/domain';

export interface Tube {
  readonly tid: number;
  readonly opener: TubeSide;
  readonly acceptor: TubeSide;
}

export interface TubeSide {
  readonly domid: Domid;
  /** Undefined where there is no such domain. */
  readonly name: string | undefined;
  /** What its `state` key says; undefined where there is none. */
  readonly state: string | undefined;
  /** Undefined before it is connected, and where the domain does not tell. */
  readonly report: TubeReport | undefined;
}

interface Domain {
  readonly domid: Domid;
  readonly name: string;
  readonly sides: readonly { name: TubeName; state: string | undefined }[];
  readonly reports: readonly TubeReport[];
}

interface TubeName {
  readonly side: TubeReport['side'];
  readonly peer: Domid;
  readonly tid: number;
}

/** Sorted by opener, acceptor and tid. Only domain 0 may look at all of them. */
export async function surveyTubes(store: XenstoreClient): Promise<Tube[]> {
  const domids = await numbersIn(store, DOMAINS);
  const found = await Promise.all(domids.map((domid) => surveyDomain(store, domid)));
  const domains = new Map(found.flatMap((domain) => (domain ? [[domain.domid, domain]] : [])));
  const tubes = new Map<string, Tube>();
  for (const { domid, sides } of domains.values()) {
    for (const { name } of sides) {
      const { side, peer, tid } = name;
      const [opener, acceptor] = side === 'opener' ? [domid, peer] : [peer, domid];
      tubes.set(`${opener}/${acceptor}/${tid}`, {
        tid,
        opener: sideOf(domains.get(opener), opener, { side: 'opener', peer: acceptor, tid }),
        acceptor: sideOf(domains.get(acceptor), acceptor, { side: 'acceptor', peer: opener, tid }),
      });
    }
  }
  return [...tubes.values()].sort(
    (a, b) => a.opener.domid - b.opener.domid || a.acceptor.domid - b.acceptor.domid || a.tid - b.tid,
  );
}

function sideOf(domain: Domain | undefined, domid: Domid, tube: TubeName): TubeSide {
  const isIt = (name: TubeName): boolean =>
    name.side === tube.side && name.peer === tube.peer && name.tid === tube.tid;
  return {
    domid,
    name: domain?.name,
    state: domain?.sides.find(({ name }) => isIt(name))?.state,
    report: domain?.reports.find(isIt),
  };
}

async function surveyDomain(store: XenstoreClient, domid: Domid): Promise<Domain | undefined> {
  const home = homePath(domid);
  const name = await textOf(store, `${home}/name`);
  if (name === undefined) return undefined;
  const [opened, accepted] = await Promise.all([
    sidesIn(store, `${home}/${NOCK}`, 'opener'),
    sidesIn(store, `${home}/${TIP}`, 'acceptor'),
  ]);
  const sides = [...opened, ...accepted];
  const reports = sides.length === 0 ? undefined : await askAboutTubes(store, domid);
  return { domid, name, sides, reports: reports ?? [] };
}

async function sidesIn(
  store: XenstoreClient,
  directory: string,
  side: TubeName['side'],
): Promise<Domain['sides']> {
  const sides = [];
  for (const peer of await numbersIn(store, directory)) {
    for (const tid of await numbersIn(store, `${directory}/${peer}`)) {
      const state = await textOf(store, `${directory}/${peer}/${tid}/state`);
      sides.push({ name: { side, peer, tid }, state });
    }
  }
  return sides;
}

async function textOf(store: XenstoreClient, path: string): Promise<string | undefined> {
  return store.readString(path).catch(unlessMissing);
}

/** The names below that are numbers; anything else may be there as well. */
async function numbersIn(store: XenstoreClient, directory: string): Promise<number[]> {
  const names = (await store.directory(directory).catch(unlessMissing)) ?? [];
  return names.filter((name) => /^(0|[1-9]\d{0,9})$/.test(name)).map(Number);
}
