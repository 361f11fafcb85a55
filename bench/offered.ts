import { count, nanoseconds, perSecond } from './format.js';
import type { Blocked } from './programs/rival.js';
import type { Case, Question, Sample } from './question.js';
import type { Rival } from './rival.js';
import { LOSSY } from './rivals/index.js';
import { type Flow, flowOf, runSides } from './sides.js';
import { oneOf } from './sizes.js';
import type { Load } from './stream.js';
import { vethCases, vethNote } from './veth.js';

const RATES = [500_000, 1_000_000, 2_000_000, 4_000_000];
const BLOCKED: Blocked = { ms: 5, every: 100 };

export const offered: Question = {
  name: 'offered',
  title: 'A load that does not wait: what finds no room is dropped',
  get notes() {
    return [
      'The sender sends what is due, sleeps 0.2 ms when nothing is, and lets its event loop have a turn; offered: what it came to.',
      'tube: in its mode drop, with rings of 128 KiB unless it says otherwise. Sockets: the sender drops what finds 1 MiB of its own waiting. dropped: of 1000 that were offered.',
      vethNote(),
      `blocked: the receiver's event loop computes ${BLOCKED.ms} ms in every ${BLOCKED.every}, which is part of its CPU time.`,
      'CPU: nanoseconds a packet that was delivered, all threads. Ratio: that of both sides, of the tube to that of this rival.',
    ];
  },
  measures: [
    { key: 'offered', title: 'offered', format: perSecond },
    { key: 'delivered', title: 'delivered', format: perSecond },
    { key: 'dropped', title: 'dropped', format: count },
    { key: 'share', title: 'dropped/1000', format: (value) => value.toFixed(2) },
    { key: 'senderCpu', title: 'CPU, sender', format: nanoseconds },
    { key: 'receiverCpu', title: 'CPU, receiver', format: nanoseconds },
    { key: 'cpu', title: 'CPU, both', format: nanoseconds },
    { key: 'switches', title: 'switches/1000', format: (value) => value.toFixed(2) },
  ],
  compared: ['cpu'],
  charts: ['delivered', 'cpu'],
  cases: (effort, sizes) => {
    const bytes = oneOf(sizes);
    const time = {
      quick: { warmUp: 0.1, seconds: 0.3 },
      usual: { warmUp: 1, seconds: 1 },
      full: { warmUp: 1, seconds: 10 },
    }[effort];
    const rates = effort === 'quick' ? [500_000] : RATES;
    const rivals = effort === 'usual' ? LOSSY.slice(0, 3) : LOSSY;
    return [undefined, BLOCKED].flatMap((blocked) =>
      rates.flatMap((rate) => {
        const load = { bytes, ...time, rate };
        return [
          ...rivals.map((rival) => offering(rival, load, blocked)),
          ...vethCases(subjectOf(load, blocked), load, offeredSample, blocked),
        ];
      }),
    );
  },
};

export function offering(rival: Rival, load: RatedLoad, blocked?: Blocked): Case {
  return {
    subject: subjectOf(load, blocked),
    who: rival.name,
    measure: async (world) =>
      offeredSample(flowOf(rival, await runSides(world, rival, [{ role: 'send', load }], blocked))),
  };
}

type RatedLoad = Load & { readonly rate: number };

function subjectOf({ bytes, rate }: RatedLoad, blocked: Blocked | undefined): string {
  return `${bytes} B, ${rate / 1e6} Mpps${blocked ? ', blocked' : ''}`;
}

function offeredSample({ packets, sent, lost, lostOf1000, cpu, switches }: Flow): Sample {
  const [senderCpu, receiverCpu] = cpu.map((used) => used / packets) as [number, number];
  return {
    offered: sent,
    delivered: packets,
    dropped: lost,
    share: lostOf1000,
    senderCpu,
    receiverCpu,
    cpu: senderCpu + receiverCpu,
    switches: (switches * 1000) / packets,
  };
}
