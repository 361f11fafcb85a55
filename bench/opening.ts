import { nanoseconds, perSecond } from './format.js';
import type { Opened, OpeningProgram, Transport } from './programs/opening.js';
import type { Case, Effort, Question } from './question.js';
import { percentile } from './statistics.js';

/** How many are opened at the same time. */
const AT_ONCE = 32;

export const opening: Question = {
  name: 'opening',
  title: 'Opening and closing',
  notes: [
    'One opening: from tube.open, or net.connect, until a byte is here that the other side sends when it has accepted.',
    `Then it is closed, and the next one is opened; ${AT_ONCE} at once: by so many processes, or loops, each of which does that.`,
    'CPU: of all threads of both sides, and of lingd for tubes. Ratio: p50 of the tube to that of this rival, round by round.',
  ],
  measures: [
    { key: 'rate', title: 'opened and closed', format: perSecond },
    { key: 'p50', title: 'opening, p50', format: nanoseconds },
    { key: 'p99', title: 'p99', format: nanoseconds },
    { key: 'cpu', title: 'CPU of each', format: nanoseconds },
  ],
  compared: ['p50'],
  cases: (effort) =>
    [1, AT_ONCE].flatMap((atOnce) =>
      (['tube', 'unix socket'] as const).map((transport) => openingOf(transport, atOnce, effort)),
    ),
};

function openingOf(transport: Transport, atOnce: number, effort: Effort): Case {
  const each = { quick: 64, usual: 512, full: 4096 }[effort] / atOnce;
  return {
    subject: atOnce === 1 ? 'one after the other' : `${atOnce} at once`,
    who: transport,
    async measure(world) {
      const start = (program: OpeningProgram) => world.start('opening', program);
      const acceptor = start({ role: 'accept', transport, path: world.path() });
      const address = await acceptor.hear<number | string>();
      const others = [acceptor.pid, ...(transport === 'tube' ? [world.lingd.pid as number] : [])];
      const opener = start({ role: 'open', transport, address, each, atOnce, others });
      const { elapsed, cpu, times } = await opener.hear<Opened>();
      await opener.end();
      await acceptor.end();
      const sorted = [...times].sort((a, b) => a - b);
      return {
        rate: (times.length * 1e9) / elapsed,
        p50: percentile(sorted, 50),
        p99: percentile(sorted, 99),
        cpu: cpu / times.length,
      };
    },
  };
}
