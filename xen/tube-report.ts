/**
 * How a domain is asked what it knows of its tubes that is not in Xenstore. All of it is ours; a domain that does not
 * know it does not answer, and nothing is there that nobody has asked for.
 *
 *     /local/domain/N/data/ask/<id>      made empty by domain 0; its value becomes the number of pages
 *     /local/domain/N/data/ask/<id>/0    the pages, written by N before
 *
 * Who has asked removes the node.
 */
import type { Domid } from './hypervisor.js';
import { homePath } from './xenstore/path.js';

/** What a domain says of one side of a tube, its own. */
export interface TubeReport {
  readonly side: 'opener' | 'acceptor';
  readonly peer: Domid;
  readonly tid: number;
  /** The pid that the port is connected to. */
  readonly owner: string;
  /** Packets. */
  readonly sent: number;
  readonly received: number;
  readonly drops: number;
  /** When the rings were there, in milliseconds of Unix time. */
  readonly since: number;
}

/** Where a domain is asked, relative to its home. */
export const ASK = 'data/ask';

export function askPath(domid: Domid, id: string): string {
  return `${homePath(domid)}/${ASK}/${id}`;
}

/** Whether that path, relative to a home, is a question or the end of one. */
export function isQuestion(path: string): boolean {
  return /^data\/ask\/[^/]+$/.test(path);
}

/** Whether that path is about questions and answers. */
export function isAboutAsking(path: string): boolean {
  return /^\/local\/domain\/\d+\/data\/ask(\/|$)/.test(path);
}

/** A node of a guest holds less than 2 KiB, its permissions and children's names included. */
const PAGE = 1800;

/** Reports as text, none of them in two pages. */
export function toPages(reports: readonly TubeReport[]): string[] {
  const pages: string[] = [];
  for (const report of reports) {
    const { side, peer, tid, owner, sent, received, drops, since } = report;
    const line = `${[side, peer, tid, owner, sent, received, drops, since].join(' ')}\n`;
    const last = pages.at(-1);
    if (last === undefined || last.length + line.length > PAGE) pages.push(line);
    else pages[pages.length - 1] = last + line;
  }
  return pages;
}

/** The reports that are on a page; what is none is left out. */
export function fromPage(page: string): TubeReport[] {
  return Array.from(page.matchAll(LINE), ([, side, peer, tid, owner, ...counts]) => {
    const [sent, received, drops, since] = counts.map(Number) as [number, number, number, number];
    return {
      side: side as TubeReport['side'],
      peer: Number(peer),
      tid: Number(tid),
      owner: owner as string,
      ...{ sent, received, drops, since },
    };
  });
}

const LINE =
  /^(opener|acceptor) (\d{1,5}) (\d{1,10}) (<[\d.]+>) (\d{1,15}) (\d{1,15}) (\d{1,15}) (\d{1,15})$/gm;
