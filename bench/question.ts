/** What a benchmark asks: one question a file, several cases each, all of which are measured in every round. */
import type { World } from './world.js';

export interface Question {
  /** For --only. */
  readonly name: string;
  readonly title: string;
  /** What a reader has to know to make sense of the figures. */
  readonly notes: readonly string[];
  /** Columns, from left to right. */
  readonly measures: readonly Measure[];
  /** Keys of the measures whose ratio to the first rival's is worth a column of its own, where cases compare. */
  readonly compared: readonly string[];
  /** For questions whose answer hardly varies. */
  readonly mostRounds?: number;
  /** Keys of the measures worth a chart: a bar for each case, those of a subject side by side. */
  readonly charts?: readonly string[];
  /** `sizes`: of packets, in bytes, for who asks about several. */
  cases(effort: Effort, sizes: readonly number[]): readonly Case[];
}

/** How much to measure: `quick` to see that all works, `usual` for figures to quote, `full` for all of them. */
export type Effort = 'quick' | 'usual' | 'full';

export interface Measure {
  readonly key: string;
  readonly title: string;
  format(value: number): string;
}

export interface Case {
  /** Cases of the same subject compare: "64 bytes". */
  readonly subject: string;
  /** Who is measured: "tube". */
  readonly who: string;
  /** One sample of every measure. */
  measure(world: World): Promise<Sample>;
}

export type Sample = Readonly<Record<string, number>>;
