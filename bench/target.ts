/** Figures to reach: each is a ratio within one run, or a number that does not depend on the machine. */
import type { Answer, Result } from './measure.js';
import { type Spread, spreadOf } from './statistics.js';
import { markdownTable } from './table.js';

export interface Target {
  readonly title: string;
  /** The figure that it takes: at least or at most so much, of the median or of the worst round. */
  readonly bound: Bound;
  format(value: number): string;
  /** Of each round; undefined when that has not been measured. */
  figures(find: Find): readonly number[] | undefined;
}

export interface Bound {
  readonly atLeast?: number;
  readonly atMost?: number;
  /** In every round, not only by the median. */
  readonly always?: true;
}

/** What one case of a question has come to, round by round. */
export type Find = (
  question: string,
  subject: string,
  who: string,
  key: string,
) => readonly number[] | undefined;

/** A row for each: what it takes, what it is, and whether that is enough. Undefined when none of them has been measured. */
export function targetTable(targets: readonly Target[], answers: readonly Answer[]): string | undefined {
  const find = findIn(answers);
  const figures = targets.map((target) => target.figures(find));
  if (figures.every((each) => each === undefined)) return undefined;
  const rows = targets.map((target, i) => [target.title, bound(target), ...verdict(target, figures[i])]);
  return ['## Figures to reach', '', markdownTable(['', 'to reach', 'measured', 'reached'], rows)].join('\n');
}

function findIn(answers: readonly Answer[]): Find {
  return (name, subject, who, key) => {
    const results: readonly Result[] = answers.find(({ question }) => question.name === name)?.results ?? [];
    const result = results.find((each) => each.subject === subject && each.who === who);
    return result?.samples.map((sample) => sample[key] as number);
  };
}

function bound({ bound: { atLeast, atMost, always }, format }: Target): string {
  const limit = atLeast === undefined ? `at most ${format(atMost as number)}` : `at least ${format(atLeast)}`;
  return always ? `${limit}, always` : limit;
}

function verdict(
  target: Target,
  figures: readonly number[] | undefined,
): readonly [measured: string, reached: string] {
  if (figures === undefined) return ['not measured', ''];
  const spread = spreadOf(figures);
  const { median, min, max } = spread;
  const { format } = target;
  const shown = min === max ? format(median) : `${format(median)} (${format(min)}..${format(max)})`;
  return [shown, isReached(target.bound, spread) ? 'yes' : 'no'];
}

function isReached({ atLeast, atMost, always }: Bound, { median, min, max }: Spread): boolean {
  if (atLeast !== undefined) return (always ? min : median) >= atLeast;
  return (always ? max : median) <= (atMost as number);
}
