import { setTimeout as sleep } from 'node:timers/promises';
import { count, mebibytes, nanoseconds, whole } from './format.js';
import { footprintOf } from './proc.js';
import type { ResidentProgram } from './programs/resident.js';
import type { Case, Question, Sample } from './question.js';
import type { Program, World } from './world.js';

export const footprint: Question = {
  name: 'footprint',
  title: 'What it costs when nothing happens',
  notes: [
    'PSS counts memory that several OS processes share by the share; all programs here share the code of Node.js.',
    'Every program but lingd has a channel to the benchmark: one descriptor. Idle CPU is CPU time per second of doing nothing.',
    'wake-ups: how often any thread has gone to sleep again (voluntary context switches).',
  ],
  measures: [
    { key: 'rss', title: 'RSS', format: mebibytes },
    { key: 'pss', title: 'PSS', format: mebibytes },
    { key: 'descriptors', title: 'descriptors', format: whole },
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
    async measure(world) {
      const acceptor = start(world, { domain: true });
      const opener = start(world, { domain: true, tubes: { peer: await acceptor.hear(), count: tubes } });
      await opener.hear();
      try {
        return await look(opener.pid, seconds);
      } finally {
        await opener.end();
        await acceptor.end();
      }
    },
  };
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

async function look(pid: number, seconds: number): Promise<Sample> {
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
