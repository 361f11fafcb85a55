import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Chart, COLOURS, draw } from '../chart.js';
import { mebibytes, perSecond } from '../format.js';
import { machine } from '../machine.js';
import { header } from '../report.js';
import { markdownTable } from '../table.js';
import type { Exact } from './exact.js';
import { cellsOf, HEAD, HELD, HOLDERS, rateOf, type Sample } from './sample.js';

/** Says what has been found: of packets, and of memory where there is something to be said. */
export function summary(soaked: Exact, seed: number): string {
  const growth = growthOf(soaked.samples);
  const held = growth?.map(([early, late], i) => `${HOLDERS[i]} ${mebibytes(early)}, ${mebibytes(late)}`);
  const memory = held && `\n\nRSS, means of the second quarter and of the last: ${held.join('; ')}`;
  return balanceOf(soaked, seed) + (memory ?? '');
}

function balanceOf({ ledger, samples }: Exact, seed: number): string {
  const { mode, tubes, total } = ledger;
  const whole = (value: number): string => value.toLocaleString('en');
  const took = `${Math.round((samples.at(-1) as Sample).seconds)} s`;
  const books =
    mode === 'lossless'
      ? 'none lost, doubled, reordered or torn'
      : `none doubled, reordered or torn; ${whole(total.received)} received + ${whole(total.dropped)} dropped = ${whole(total.made)} sent`;
  return `${mode}, seed ${seed}: ${whole(total.received)} packets through ${whole(tubes)} tubes in ${took}: ${books}`;
}

/** From how many samples on there is something to be said about memory. */
const ENOUGH = 16;

/**
 * What each has used in the second quarter of the time, when all has been warmed up, and in the last one: means in bytes;
 * undefined for too few samples.
 */
export function growthOf(
  samples: readonly Sample[],
): readonly (readonly [early: number, late: number])[] | undefined {
  if (samples.length < ENOUGH) return undefined;
  const quarter = Math.floor(samples.length / 4);
  const meanOf = (some: readonly Sample[], holder: number): number =>
    some.reduce((sum, { holders }) => sum + (holders[holder]?.rss ?? 0), 0) / some.length;
  return HOLDERS.map((_, holder) => [
    meanOf(samples.slice(quarter, 2 * quarter), holder),
    meanOf(samples.slice(-quarter), holder),
  ]);
}

/** Writes report.md there, with charts. */
export function writeReport(directory: string, soaked: Exact, seed: number): void {
  const { samples } = soaked;
  const rows = samples.map((sample, i) => cellsOf(sample, samples[i - 1]));
  const charts = chartsOf(samples);
  const pages = [
    header(machine(), 1, 'usual', []),
    summary(soaked, seed),
    ...charts.map(({ file, title }) => `![${title}](${file})`),
    markdownTable(HEAD, rows),
  ];
  mkdirSync(directory, { recursive: true });
  for (const { file, svg } of charts) writeFileSync(path.join(directory, file), svg);
  writeFileSync(path.join(directory, 'report.md'), `${pages.join('\n\n')}\n`);
}

interface Line {
  readonly name: string;
  readonly points: readonly (readonly [seconds: number, value: number])[];
}

function chartsOf(samples: readonly Sample[]): readonly Chart[] {
  const rates = samples.slice(1).map((sample, i) => [sample.seconds, rateOf(sample, samples[i])] as const);
  return [
    chart('packets', 'packets a second', perSecond, [{ name: 'both directions', points: rates }]),
    ...HELD.map(({ key, title, format }) =>
      chart(
        key,
        title,
        format,
        HOLDERS.map((name, i) => ({
          name,
          points: samples.map(({ seconds, holders }) => [seconds, holders[i]?.[key] ?? 0] as const),
        })),
      ),
    ),
  ];
}

function chart(
  name: string,
  title: string,
  format: (value: number) => string,
  lines: readonly Line[],
): Chart {
  const svg = draw({
    title: { text: title, left: 'center', textStyle: { fontSize: 14 } },
    legend: { bottom: 0, itemGap: 24 },
    grid: { left: 16, right: 24, top: 48, bottom: 36, containLabel: true },
    xAxis: { type: 'value', axisLabel: { formatter: (seconds: number) => `${seconds} s` } },
    yAxis: { type: 'value', axisLabel: { formatter: format } },
    series: lines.map(({ name, points }, i) => ({
      name,
      type: 'line',
      showSymbol: false,
      lineStyle: { color: COLOURS[i] },
      itemStyle: { color: COLOURS[i] },
      data: points,
    })),
  });
  return { file: `soak-${name}.svg`, title, svg };
}
