/**
 * One side of a comparison, in an OS process of its own. Says where each of its links listens, is told where those of the
 * other side do, and says in the end what it has seen. Where a rival's sides are beside each other, the one that listens
 * has started the other, and says what both have seen.
 */
import { compute } from '../compute.js';
import { type Peer, starter, startPeer } from '../peer.js';
import type { Place, Rival, Trips } from '../rival.js';
import { rivalCalled } from '../rivals/index.js';
import { type Load, type Seen, Sink, Source } from '../stream.js';
import { argument, say, told } from './parent.js';

export interface RivalProgram {
  readonly rival: string;
  /** The same for both sides. */
  readonly path: string;
  readonly links: readonly Link[];
  /** What the other side does, if it is to be started beside this one. */
  readonly beside?: readonly Link[];
  readonly blocked?: Blocked | undefined;
}

/** What one side does with one link; the other side does the opposite with its link of the same number. */
export type Link =
  | { readonly role: 'send' | 'receive'; readonly load: Load }
  | { readonly role: 'ask' | 'answer'; readonly trips: Trips };

/** The event loop does nothing for so many milliseconds of every `every`. */
export interface Blocked {
  readonly ms: number;
  readonly every: number;
}

/** What a side has seen, of all its links. */
export interface SideSeen {
  readonly sent: readonly Seen[];
  readonly received: readonly Seen[];
  /** Of round trips, in nanoseconds. */
  readonly times: readonly number[];
}

type Argument = RivalProgram & { readonly rundir: string; readonly isBeside?: true };

// Done, or of no use any more: either way what is left of it goes.
process.once('disconnect', () => process.exit());
void main();

async function main(): Promise<void> {
  const { beside, ...given } = argument<Argument>();
  const program = { ...given, links: given.links.flatMap(receiversOf) };
  const rival = rivalCalled(program.rival);
  if (!rival) throw new Error(`there is no rival ${program.rival}`);
  if (program.blocked !== undefined) block(program.blocked);
  if (program.isBeside) {
    const peer = starter();
    peer.report(await runLinks(rival, program, { peer }));
  } else if (rival.beside !== undefined) {
    const peer = startPeer(rival.beside, __filename, { ...program, links: beside, isBeside: true });
    const seen = await runLinks(rival, program, { peer });
    say([seen, await peer.reported]);
  } else {
    const theirs = told<unknown[]>();
    const ours: unknown[] = [];
    let left = program.links.filter(listens).length;
    if (left === 0) say(ours);
    const listening = (link: number, address: unknown): void => {
      ours[link] = address;
      if (--left === 0) say(ours);
    };
    say(await runLinks(rival, program, { listening, theirs }));
  }
  // What is still on its way arrives meanwhile: it is the benchmark that ends this.
}

interface Others {
  readonly peer?: Peer;
  /** Tells them where a link listens. */
  readonly listening?: (link: number, address: unknown) => void;
  /** Where their links do. */
  readonly theirs?: Promise<readonly unknown[]>;
}

/** Until each has ended. Round trips end what is sent meanwhile. */
async function runLinks(rival: Rival, program: Argument, others: Others): Promise<SideSeen> {
  const { links, rundir, path } = program;
  const sources: Source[] = [];
  const sinks: Sink[] = [];
  const times: number[] = [];
  const run = async (link: Link, i: number): Promise<void> => {
    const address = listens(link) ? undefined : (await others.theirs)?.[i];
    const listening = (address: unknown) => others.listening?.(i, address);
    const place: Place = { rundir, path: `${path}-${i}`, link: i, address, listening, peer: others.peer };
    if (link.role === 'send') {
      const source = new Source(link.load);
      sources.push(source);
      await rival.send(place, source, link.load);
    } else if (link.role === 'receive') {
      const sink = new Sink(link.load);
      sinks.push(sink);
      await rival.receive(place, sink, link.load);
    } else if (link.role === 'ask') {
      times.push(...(await rival.ask(place, link.trips)));
      for (const source of sources) source.stop();
    } else {
      await rival.answer(place);
    }
  };
  await Promise.all(links.map(run));
  return { sent: sources.map(seenBy), received: sinks.map(seenBy), times };
}

/** Of a load that is sent over several links, one for each. */
function receiversOf(link: Link): Link[] {
  return link.role === 'receive' ? Array(link.load.over ?? 1).fill(link) : [link];
}

function listens({ role }: Link): boolean {
  return role === 'receive' || role === 'answer';
}

function seenBy({ seen }: Source | Sink): Seen {
  if (seen === undefined) throw new Error('a stream has ended before its time');
  return seen;
}

function block({ ms, every }: Blocked): void {
  setInterval(() => compute(ms), every).unref();
}
