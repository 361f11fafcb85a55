import { bytesPerSecond, count, nanoseconds, perSecond } from './format.js';
import { LIMIT, limitOf } from './limit.js';
import type { Case, Effort, Measure, Question } from './question.js';
import type { Rival } from './rival.js';
import { RIVALS } from './rivals/index.js';
import { streamed, streamSample } from './sides.js';
import type { Load } from './stream.js';
import { vethCases, vethNote } from './veth.js';

const ELSEWHERE = [
  'LING, on Xen: up to 2 Mpps through a tube, "preliminary" (its design notes on tubes); those say of XenSocket (Zhang et al., Middleware 2007) that it is about as fast as a Unix socket',
  'netmap(4): 14.88 Mpps on a 10 Gbit NIC with less than one core, about 20 Mpps per core between ports of VALE, over 100 Mpps through a netmap pipe; C, batches, no process is woken for a packet',
];

/** Of streams without loss. */
export const STREAM_MEASURES: readonly Measure[] = [
  { key: 'packets', title: 'packets', format: perSecond },
  { key: 'bytes', title: 'bytes', format: bytesPerSecond },
  { key: 'cpu', title: 'CPU/packet', format: nanoseconds },
  { key: 'switches', title: 'switches/1000', format: (value) => value.toFixed(2) },
  { key: 'lost', title: 'lost', format: count },
];

export const STREAM_NOTES: readonly string[] = [
  'CPU time is that of all threads of both sides. switches/1000: context switches of both sides for 1000 packets.',
  'Ratio: packets/s of the tube to those of this rival, round by round.',
];

/** Before it has run for a second Node.js compiles, and gets and grows its memory. */
export function streamTime(effort: Effort): Pick<Load, 'warmUp' | 'seconds'> {
  return effort === 'quick' ? { warmUp: 0.1, seconds: 0.2 } : { warmUp: 1, seconds: 1 };
}

export const throughput: Question = {
  name: 'throughput',
  title: 'Throughput without loss, one OS process to another',
  get notes() {
    return [
      ...RIVALS.map(({ name, guarantees }) => `${name}: ${guarantees}`),
      vethNote(),
      LIMIT,
      'Every packet is numbered and checked by the receiver: a process that awaits its mailbox (tube), a callback (all others of Node.js).',
      ...STREAM_NOTES,
      ...ELSEWHERE.map((line) => `Published, not measured here. ${line}.`),
    ];
  },
  measures: STREAM_MEASURES,
  compared: ['packets'],
  charts: ['packets', 'cpu'],
  cases: (effort, sizes) => {
    const time = streamTime(effort);
    return sizes.flatMap((bytes) => {
      const load = { bytes, ...time };
      return [
        ...RIVALS.map((rival) => throughputOf(rival, load)),
        ...vethCases(`${bytes} B`, load, (flow) => streamSample(flow, bytes)),
        ...limitOf(load),
      ];
    });
  },
};

export function throughputOf(rival: Rival, load: Load): Case {
  return {
    subject: `${load.bytes} B`,
    who: rival.name,
    measure: (world) => streamed(world, rival, load.bytes, [{ role: 'send', load }]),
  };
}
