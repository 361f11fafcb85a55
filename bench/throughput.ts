import { bytesPerSecond, count, nanoseconds, perSecond } from './format.js';
import type { RivalProgram } from './programs/rival.js';
import type { Case, Question } from './question.js';
import type { Rival } from './rival.js';
import { RIVALS } from './rivals/index.js';
import type { Load, Seen } from './stream.js';

const SIZES = [64, 4096];

export const throughput: Question = {
  name: 'throughput',
  title: 'Throughput without loss, one OS process to another',
  notes: [
    ...RIVALS.map(({ name, guarantees }) => `${name}: ${guarantees}`),
    'Every packet is numbered and checked by the receiver. CPU time is that of all threads of both sides.',
    'Ratio: packets/s of the tube to those of this rival, round by round.',
  ],
  measures: [
    { key: 'packets', title: 'packets', format: perSecond },
    { key: 'bytes', title: 'bytes', format: bytesPerSecond },
    { key: 'senderCpu', title: 'CPU/packet, sender', format: nanoseconds },
    { key: 'receiverCpu', title: 'CPU/packet, receiver', format: nanoseconds },
    { key: 'lost', title: 'lost', format: count },
  ],
  compared: ['packets'],
  cases: (effort) => {
    const time = effort === 'quick' ? { warmUp: 0.2, seconds: 0.3 } : { warmUp: 0.5, seconds: 2 };
    return SIZES.flatMap((bytes) => RIVALS.map((rival) => throughputOf(rival, { bytes, ...time })));
  },
};

export function throughputOf(rival: Rival, load: Load): Case {
  return {
    subject: `${load.bytes} B`,
    who: rival.name,
    async measure(world) {
      const common = { rival: rival.name, load, path: world.path() };
      const receiver = world.start('rival', { ...common, role: 'receive' } satisfies RivalProgram);
      const address = await receiver.hear();
      const sender = world.start('rival', { ...common, role: 'send', address } satisfies RivalProgram);
      const [received, sent] = await Promise.all([receiver.hear<Seen>(), sender.hear<Seen>()]);
      await Promise.all([receiver.end(), sender.end()]);
      const packets = (received.packets * 1e9) / received.elapsed;
      return {
        packets,
        bytes: packets * load.bytes,
        senderCpu: sent.cpu / sent.packets,
        receiverCpu: received.cpu / received.packets,
        lost: received.lost,
      };
    },
  };
}
