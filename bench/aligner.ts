import type { Transport } from './aligner/channels.js';
import type { Work } from './aligner/work.js';
import { nanoseconds, perSecond } from './format.js';
import type { Aligned, AlignerProgram } from './programs/aligner.js';
import type { Case, Effort, Question } from './question.js';

export const aligner: Question = {
  name: 'aligner',
  title: 'The genome aligner (examples/aligner): reads answered by all workers',
  notes: [
    'search: each worker finds batches of 250 reads in its share of the genome of phage lambda; at most 4 are with it. Their hits are merged and compared with those of one search of everything.',
    'echo: each worker sends every read back as it is, a message each; at most 256 are with it.',
    'Each worker is an OS process, and so is the master. Over tubes a byte before each packet says whether it is the last of its message; over Unix sockets (node:net) a length goes before each message, and those of one turn of the event loop leave together.',
    'CPU: of all threads of the master and its workers. Ratio: reads/s over tubes to those over Unix sockets, round by round.',
  ],
  measures: [
    { key: 'reads', title: 'reads', format: perSecond },
    { key: 'cpu', title: 'CPU/read', format: nanoseconds },
  ],
  compared: ['reads'],
  charts: ['reads'],
  cases: (effort) =>
    (['search', 'echo'] as const).flatMap((work) =>
      [1, 2, 4].flatMap((workers) =>
        (['tube', 'unix socket'] as const).map((transport) => aligning(work, workers, transport, effort)),
      ),
    ),
};

function aligning(work: Work, count: number, transport: Transport, effort: Effort): Case {
  const time = effort === 'quick' ? { warmUp: 0.1, seconds: 0.1 } : { warmUp: 0.5, seconds: 1 };
  return {
    subject: `${work}, ${count} ${count === 1 ? 'worker' : 'workers'}`,
    who: transport,
    async measure(world) {
      const start = (program: AlignerProgram) => world.start('aligner', program);
      const programs = Array.from({ length: count }, () =>
        start({ role: 'worker', transport, work, path: world.path() }),
      );
      const workers = await Promise.all(
        programs.map(async (program) => ({ address: await program.hear(), pid: program.pid })),
      );
      const master = start({ role: 'master', transport, work, workers, ...time });
      const { reads, elapsed, cpu } = await master.hear<Aligned>();
      await master.end();
      await Promise.all(programs.map((program) => program.end()));
      return { reads: (reads * 1e9) / elapsed, cpu: cpu / reads };
    },
  };
}
