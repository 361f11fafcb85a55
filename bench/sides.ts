/** The two sides of a rival, started for one measurement. */
import type { Blocked, Link, RivalProgram, SideSeen } from './programs/rival.js';
import type { Sample } from './question.js';
import type { Rival } from './rival.js';
import type { Seen } from './stream.js';
import type { World } from './world.js';

const OPPOSITE = { send: 'receive', receive: 'send', ask: 'answer', answer: 'ask' } as const;

/**
 * Runs both sides until each has ended: the first does those things, the second the opposite of each. The second's event
 * loop may be blocked now and then. Answers what the first and the second have seen.
 */
export async function runSides(
  world: World,
  rival: Rival,
  links: readonly Link[],
  blocked?: Blocked,
): Promise<[first: SideSeen, second: SideSeen]> {
  const opposite = links.map((link) => ({ ...link, role: OPPOSITE[link.role] }) as Link);
  const program: RivalProgram = { rival: rival.name, path: world.path(), links: opposite, blocked };
  if (rival.beside !== undefined) {
    const both = world.start('rival', { ...program, beside: links });
    const [second, first] = await both.hear<[SideSeen, SideSeen]>();
    await both.end();
    return [first, second];
  }
  const second = world.start('rival', program);
  const first = world.start('rival', { ...program, links, blocked: undefined });
  const [ours, theirs] = await Promise.all([first.hear(), second.hear()]);
  first.tell(theirs);
  second.tell(ours);
  const seen = await Promise.all([first.hear<SideSeen>(), second.hear<SideSeen>()]);
  await Promise.all([first.end(), second.end()]);
  return seen;
}

/** What all streams between two sides come to. */
export interface Flow {
  /** A second, received. */
  readonly packets: number;
  /** Sent, or dropped by the sender, and not received. */
  readonly lost: number;
  /** As many of 1000. */
  readonly lostOf1000: number;
  /** A second, with what the sender dropped. */
  readonly sent: number;
  /** Nanoseconds of CPU time a second: of the first side, and of the second. */
  readonly cpu: readonly [first: number, second: number];
  /** A second, of both sides. */
  readonly switches: number;
}

/** One sample of streams without loss, for the measures that `throughput` has. */
export async function streamed(
  world: World,
  rival: Rival,
  bytes: number,
  links: readonly Link[],
): Promise<Sample> {
  return streamSample(flowOf(rival, await runSides(world, rival, links)), bytes);
}

export function streamSample({ packets, cpu, switches, lost }: Flow, bytes: number): Sample {
  return {
    packets,
    bytes: packets * bytes,
    cpu: (cpu[0] + cpu[1]) / packets,
    switches: (switches * 1000) / packets,
    lost,
  };
}

export function flowOf({ beside }: Pick<Rival, 'beside'>, sides: readonly [SideSeen, SideSeen]): Flow {
  const sent = sides.flatMap((side) => side.sent);
  const received = sides.flatMap((side) => side.received);
  const total = (all: readonly Seen[]): number => sum(all.map(({ packets }) => packets));
  const lost = total(sent) - total(received);
  // What threads of one OS process use is what that uses, on whichever side it was read.
  const used = sides.map((side, i) => (beside === 'thread' && i === 0 ? NOTHING : usedBy(side)));
  const [first, second] = used as [Used, Used];
  return {
    packets: packetsPerSecond(received),
    lost,
    lostOf1000: (lost * 1000) / total(sent),
    sent: packetsPerSecond(sent),
    cpu: [first.cpu, second.cpu],
    switches: first.switches + second.switches,
  };
}

/** A second. */
interface Used {
  readonly cpu: number;
  readonly switches: number;
}

const NOTHING: Used = { cpu: 0, switches: 0 };

/** Each of its streams has seen what the whole OS process has used, at about the same time. */
function usedBy({ sent, received }: SideSeen): Used {
  const all = [...sent, ...received];
  const mean = (key: keyof Used): number => sum(all.map(perSecond(key))) / all.length;
  return { cpu: mean('cpu'), switches: mean('switches') };
}

/** Of all of them together, from the beginning of the first to the end of the last: they may take turns. */
function packetsPerSecond(all: readonly Seen[]): number {
  const begun = Math.min(...all.map(({ ended, elapsed }) => ended - elapsed));
  const ended = Math.max(...all.map((each) => each.ended));
  return (sum(all.map(({ packets }) => packets)) * 1e9) / (ended - begun);
}

function perSecond(key: keyof Used): (seen: Seen) => number {
  return (seen) => (seen[key] * 1e9) / seen.elapsed;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
