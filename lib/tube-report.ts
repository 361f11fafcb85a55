/**
 * The process `tube_report`: tells domain 0, when that asks, who owns the tubes of its domain and what has gone through
 * them (see xen/tube-report.ts). It holds nothing, and while nobody asks it does nothing.
 */
import type { Pid, Port } from '../actors/identifiers.js';
import { isTuple } from '../actors/term.js';
import type { Self } from '../ports/self.js';
import { ASK, isQuestion, type TubeReport, toPages } from '../xen/tube-report.js';
import type { Behaviour } from './gen-server.js';
import { isTube } from './tube-server.js';
import * as xenstore from './xenstore.js';

/** The name it is registered under. */
export const TUBE_REPORT = 'tube_report';

/** Who has asked and not removed the answer after so many milliseconds will not any more. */
const PATIENCE = 5_000;

export const tubeReport: Behaviour<undefined, never, never, undefined, Self> = {
  // The domain can start meanwhile.
  init: () => ['ok', undefined, ['continue', 'watch']],

  /** Without lingd, which is the only reason for this to fail, nobody asks. */
  async handle_continue(_what, state, self) {
    await xenstore.watch(self, ASK);
    return ['noreply', state];
  },

  async handle_info(message, state, self) {
    if (!isTuple(message)) return ['noreply', state];
    const [kind, path] = message;
    if (kind === 'watch' && typeof path === 'string' && isQuestion(path)) await answer(self, path);
    if (kind === 'forget') await xenstore.delete(self, path as string);
    return ['noreply', state];
  },
};

async function answer(self: Self, question: string): Promise<void> {
  const asked = await xenstore.read(self, question);
  // Removed, or answered: that is a change as well.
  if (asked[0] === 'error' || asked[1] !== '') return;
  self.send_after(PATIENCE, self.pid, ['forget', question]);
  const pages = toPages(reports(self));
  for (const [number, page] of pages.entries()) {
    // There may be no room for more nodes, or nobody who still wants to know.
    if ((await xenstore.write(self, `${question}/${number}`, page)) !== 'ok') return;
  }
  await xenstore.write(self, question, pages.length);
}

function reports(self: Self): TubeReport[] {
  return self
    .ports()
    .filter((port) => isTube(self, port))
    .flatMap((port) => reportOf(self, port));
}

/** None of a tube that is not connected yet. */
function reportOf(self: Self, port: Port): TubeReport[] {
  const item = (name: string): unknown => {
    const found = self.port_info(port, name);
    return found === 'undefined' ? found : found[1];
  };
  const since = item('since');
  if (typeof since !== 'number') return [];
  const [sent, received] = item('packets') as [number, number];
  return [
    {
      side: item('side') as TubeReport['side'],
      peer: item('peer') as number,
      tid: item('tid') as number,
      owner: String(item('connected') as Pid),
      ...{ sent, received, since },
      drops: item('drops') as number,
    },
  ];
}
