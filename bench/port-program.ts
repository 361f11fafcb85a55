import { bytesPerSecond, mebibytes, nanoseconds, perSecond } from './format.js';
import type { Copied, Copier, PortProgram } from './programs/port-program.js';
import type { Case, Question } from './question.js';

const SIZES = [4096, 65536];
const MEBIBYTE = 1024 * 1024;

export const portProgram: Question = {
  name: 'port-program',
  title: 'Through a program and back: cat',
  notes: [
    'port: {spawn, "cat"} with {packet, 4}, one process commands it, its owner receives; commands suspend while the port is busy.',
    'child_process: the same packets with their headers, written as fast as drain allows; what comes back is counted, not taken apart.',
    'CPU time and peak memory (RSS at its highest) are those of the Node.js side, without cat.',
  ],
  measures: [
    { key: 'bytes', title: 'bytes', format: bytesPerSecond },
    { key: 'packets', title: 'packets', format: perSecond },
    { key: 'cpu', title: 'CPU/packet', format: nanoseconds },
    { key: 'peak', title: 'peak memory', format: mebibytes },
  ],
  compared: ['bytes'],
  mostRounds: 3,
  cases: (effort) => {
    const total = (effort === 'quick' ? 16 : 1024) * MEBIBYTE;
    return SIZES.flatMap((size) =>
      (['port', 'child_process'] as const).map((who) => copying(who, { size, packets: total / size })),
    );
  },
};

export function copying(copier: Copier, load: { size: number; packets: number }): Case {
  return {
    subject: `${load.size} B`,
    who: copier,
    async measure(world) {
      const program = world.start('port-program', { copier, ...load } satisfies PortProgram);
      const { elapsed, cpu, peak } = await program.hear<Copied>();
      await program.end();
      const packets = (load.packets * 1e9) / elapsed;
      return { bytes: packets * load.size, packets, cpu: cpu / load.packets, peak };
    },
  };
}
