import { setTimeout as sleep } from 'node:timers/promises';
import { count, memory, nanoseconds, whole } from './format.js';
import { type Footprint, footprintOf } from './proc.js';
import type { ResidentProgram, TubesToOpen } from './programs/resident.js';
import type { Case, Question, Sample } from './question.js';
import type { Program, World } from './world.js';

export const footprint: Question = {
  name: 'footprint',
  title: 'What it costs when nothing happens',
  notes: [
    'PSS counts memory that several OS processes share by the share; all programs here share the code of Node.js.',
    'Every program but lingd has a channel to the benchmark: one descriptor. Idle CPU is CPU time per second of doing nothing.',
    'a tube: what it has added to the domain that has opened it, a share of all that it has opened.',
    'wake-ups: how often any thread has gone to sleep again (voluntary context switches).',
  ],
  measures: [
    { key: 'rss', title: 'RSS', format: memory },
    { key: 'pss', title: 'PSS', format: memory },
    { key: 'descriptors', title: 'descriptors', format: count },
    { key: 'threads', title: 'threads', format: whole },
    { key: 'idle', title: 'idle CPU per s', format: nanoseconds },
    { key: 'wakeUps', title: 'wake-ups per s', format: count },
  ],
  compared: [],
  mostRounds: 3,
  cases: (effort) => {
    const seconds = { quick: 0.2, usual: 1, full: 3 }[effort];
    return [
      ...[0, 1, 10].map((domains) => lingdWith(domains, seconds)),
      resident('bare Node.js', { domain: false }, seconds),
      resident('domain, booted', { domain: true }, seconds),
      ...[1, 100].map((tubes) => domainWith(tubes, seconds)),
      aTubeOf(effort === 'quick' ? 100 : 1000, seconds),
    ];
  },
};

export function lingdWith(domains: number, seconds: number): Case {
  return {
    subject: 'lingd',
    who: `${domains} ${domains === 1 ? 'domain' : 'domains'}`,
    async measure(world) {
      const programs = Array.from({ length: domains }, () => start(world, { domain: true }));
      for (const program of programs) await program.hear();
      try {
        return await look(world.lingd.pid as number, seconds);
      } finally {
        await Promise.all(programs.map((program) => program.end()));
      }
    },
  };
}

export function domainWith(tubes: number, seconds: number): Case {
  return {
    subject: 'domain',
    who: `${tubes} open ${tubes === 1 ? 'tube' : 'tubes'}`,
    measure: (world) => withTubes(world, tubes, (opener) => look(opener.pid, seconds)),
  };
}

/** What the tubes have added to a domain. */
function aTubeOf(tubes: number, seconds: number): Case {
  return {
    subject: 'a tube',
    who: `of ${tubes}`,
    measure: (world) =>
      withTubes(world, tubes, async (opener, { rss, pss, descriptors, threads }) => {
        const { idle, wakeUps, ...after } = await look(opener.pid, seconds);
        const each = (more: number) => Math.max(0, more) / tubes;
        return {
          rss: each(after.rss - rss),
          pss: each(after.pss - pss),
          descriptors: each(after.descriptors - descriptors),
          threads: each(after.threads - threads),
          idle: each(idle),
          wakeUps: each(wakeUps),
        };
      }),
  };
}

/** With a domain that has opened so many, and what it was before. */
async function withTubes(
  world: World,
  count: number,
  use: (opener: Program, before: Footprint) => Promise<Sample>,
): Promise<Sample> {
  const acceptor = start(world, { domain: true });
  const opener = start(world, { domain: true });
  const peer = await acceptor.hear<number>();
  await opener.hear();
  const before = footprintOf(opener.pid);
  opener.tell({ peer, count } satisfies TubesToOpen);
  await opener.hear();
  try {
    return await use(opener, before);
  } finally {
    await opener.end();
    await acceptor.end();
  }
}

function resident(name: string, argument: ResidentProgram, seconds: number): Case {
  const [subject, who = 'nothing loaded'] = name.split(', ');
  return {
    subject: subject as string,
    who,
    async measure(world) {
      const program = start(world, argument);
      await program.hear();
      try {
        return await look(program.pid, seconds);
      } finally {
        await program.end();
      }
    },
  };
}

function start(world: World, argument: ResidentProgram): Program {
  return world.start('resident', argument);
}

interface Looked extends Footprint {
  readonly idle: number;
  readonly wakeUps: number;
}

async function look(pid: number, seconds: number): Promise<Looked & Sample> {
  // What starting has left to do is done by then.
  await sleep(Math.min(500, seconds * 500));
  const before = footprintOf(pid);
  await sleep(seconds * 1000);
  const after = footprintOf(pid);
  return {
    ...after,
    idle: (after.cpu - before.cpu) / seconds,
    wakeUps: (after.switches - before.switches) / seconds,
  };
}
