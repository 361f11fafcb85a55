import { bytes, nanoseconds } from '../format.js';
import type { Case, Question } from '../question.js';
import { SIDES, type Side } from './sides.js';

export const idle = population('idle', 'Memory of a process that waits in a receive', 100_000);
export const million = population('million', 'One million processes alive', 1_000_000);

function population(name: string, title: string, count: number): Question {
  return {
    name,
    title,
    notes: [
      'start: until all wait in a receive. talk: a message to each, and an answer of each. end: a message to each, and all have exited. CPU time: of the three.',
      'RSS, of one process: by how much the OS process has grown. Heap: as the runtime says it, after a garbage collection (V8: heapUsed; BEAM: process_info memory).',
      'BEAM runs with +P 2000000; its default are 262,144 processes.',
    ],
    measures: [
      { key: 'rss', title: 'RSS', format: bytes },
      { key: 'heap', title: 'heap', format: bytes },
      { key: 'start', title: 'start', format: nanoseconds },
      { key: 'talk', title: 'talk', format: nanoseconds },
      { key: 'end', title: 'end', format: nanoseconds },
      { key: 'cpu', title: 'CPU time', format: nanoseconds },
    ],
    compared: ['rss', 'heap', 'start', 'talk', 'end', 'cpu'],
    mostRounds: 3,
    cases: (effort) => SIDES.map((side) => caseOf(side, effort === 'quick' ? count / 10 : count)),
  };
}

function caseOf(side: Side, count: number): Case {
  return {
    subject: `${count.toLocaleString('en')} processes`,
    who: side.name,
    async measure(world) {
      return { ...(await side.populate(world, count)) };
    },
  };
}
