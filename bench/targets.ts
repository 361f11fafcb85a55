import { count, perSecond } from './format.js';
import type { Find, Target } from './target.js';

const percent = (value: number): string => `${(value * 100).toFixed(0)} %`;
const times = (value: number): string => `${value.toFixed(2)} x`;
const SOCKETS = ['unix socket', 'tcp'];

/** What a tube is to come up to. */
export const TARGETS: readonly Target[] = [
  ...throughput(64, 0.35, 1.3),
  {
    title: '64 B: to a MessagePort',
    bound: { atLeast: 10 },
    format: times,
    figures: (find) => ratio(packets(find, 64, 'tube'), packets(find, 64, 'MessagePort')),
  },
  {
    title: '64 B: packets',
    bound: { atLeast: 5e6, always: true },
    format: perSecond,
    figures: (find) => packets(find, 64, 'tube'),
  },
  ...throughput(1500, 0.65, 1.5),
  ...throughput(4096, 0.8, 1.6),
  {
    title: '64 B: round trip at once, p50, to a Unix socket',
    bound: { atMost: 0.7 },
    format: times,
    figures: (find) => {
      const p50 = (who: string) => find('round-trip', '64 B, at once', who, 'p50');
      return ratio(p50('tube'), p50('unix socket'));
    },
  },
  dropped('tube', '128 KiB'),
  dropped('tube of 1 MiB', '1 MiB'),
  {
    title: '64 B: CPU of both sides at 1 Mpps, to a Unix socket',
    bound: { atMost: 0.5 },
    format: times,
    figures: (find) => {
      const cpu = (who: string) => find('offered', '64 B, 1 Mpps', who, 'cpu');
      return ratio(cpu('tube'), cpu('unix socket'));
    },
  },
  {
    title: '100 idle tubes: wake-ups a second',
    bound: { atMost: 0 },
    format: count,
    figures: (find) => find('footprint', 'domain', '100 open tubes', 'wakeUps'),
  },
];

function throughput(bytes: number, ofLimit: number, ofSocket: number): Target[] {
  return [
    {
      title: `${bytes} B: of the C limit`,
      bound: { atLeast: ofLimit },
      format: percent,
      figures: (find) => ratio(packets(find, bytes, 'tube'), packets(find, bytes, 'C limit')),
    },
    {
      title: `${bytes} B: to the best socket`,
      bound: { atLeast: ofSocket },
      format: times,
      figures: (find) => ratio(packets(find, bytes, 'tube'), best(find, bytes)),
    },
  ];
}

function dropped(who: string, ring: string): Target {
  return {
    title: `64 B: dropped of 2 Mpps, receiver blocked, rings of ${ring} (10 s with --full)`,
    bound: { atMost: 0, always: true },
    format: count,
    figures: (find) => find('offered', '64 B, 2 Mpps, blocked', who, 'dropped'),
  };
}

type Figures = readonly number[] | undefined;

function packets(find: Find, bytes: number, who: string): Figures {
  return find('throughput', `${bytes} B`, who, 'packets');
}

/** The best of them in each round; undefined when one is missing. */
function best(find: Find, bytes: number): Figures {
  const all = SOCKETS.map((who) => packets(find, bytes, who));
  if (!all.every((figures) => figures !== undefined)) return undefined;
  return all[0]?.map((_, round) => Math.max(...all.map((figures) => figures[round] as number)));
}

/** Round by round. */
function ratio(ours: Figures, theirs: Figures): Figures {
  return theirs && ours?.map((figure, round) => figure / (theirs[round] as number));
}
