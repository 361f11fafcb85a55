import { count, mebibytes, perSecond, whole } from '../format.js';
import type { Footprint } from '../proc.js';

/** How it stands. */
export interface Sample {
  readonly seconds: number;
  /** Checked so far. */
  readonly packets: number;
  /** Of tubes that are closed, as `tubes` is. */
  readonly dropped: number;
  readonly tubes: number;
  /** See {@link HOLDERS}. */
  readonly holders: readonly Footprint[];
}

/** The two sides, and who has brought them together. */
export const HOLDERS: readonly string[] = ['a', 'b', 'lingd'];

/** What is told of each of them. */
export const HELD: readonly {
  readonly key: 'rss' | 'descriptors' | 'threads';
  readonly title: string;
  readonly format: (value: number) => string;
}[] = [
  { key: 'rss', title: 'RSS', format: mebibytes },
  { key: 'descriptors', title: 'descriptors', format: whole },
  { key: 'threads', title: 'threads', format: whole },
];

export const HEAD: readonly string[] = [
  'time',
  'packets',
  'packets/s',
  'dropped',
  'tubes',
  ...HELD.map(({ title }) => `${title}: ${HOLDERS.join(', ')}`),
];

/** Its cells in a table; packets a second are those since the last one. */
export function cellsOf(sample: Sample, last: Sample | undefined): string[] {
  const { seconds, packets, dropped, tubes, holders } = sample;
  return [
    `${whole(seconds)} s`,
    count(packets),
    perSecond(rateOf(sample, last)),
    count(dropped),
    whole(tubes),
    ...HELD.map(({ key, format }) => holders.map((holder) => format(holder[key])).join(', ')),
  ];
}

export function rateOf(sample: Sample, last: Sample | undefined): number {
  return last === undefined ? 0 : (sample.packets - last.packets) / (sample.seconds - last.seconds);
}
