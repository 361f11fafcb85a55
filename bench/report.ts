import type { Machine } from './machine.js';
import type { Answer, Result } from './measure.js';
import type { Effort, Question } from './question.js';
import { type Spread, spreadOf } from './statistics.js';
import { markdownTable } from './table.js';

/** `notes`: what holds for all questions. */
export function header(machine: Machine, rounds: number, effort: Effort, notes: readonly string[]): string {
  const { cpu, cores, load, kernel, node, commit, date } = machine;
  return [
    `${cpu}, ${cores} cores (load ${load}), ${kernel}, Node ${node}, commit ${commit}, ${date}`,
    ...(rounds > 1 ? [`Medians of ${rounds} interleaved rounds (min..max).`] : []),
    ...(effort === 'quick' ? ['quick: to see that it works, not to quote'] : []),
    ...list(notes),
  ].join('\n');
}

/** A table with a row for each case, with the notes below. */
export function report({ question, results }: Answer): string {
  const { title, notes, measures, compared } = question;
  const head = ['', ...measures.map((measure) => measure.title), ...ratioTitles(question)];
  const rows = results.map((result) => {
    const cells = measures.map((measure) => spread(result.spreads[measure.key] as Spread, measure.format));
    const ratios = compared.map((key) => showRatio(results, result, key));
    return [`${result.subject}, ${result.who}`, ...cells, ...ratios];
  });
  return [`## ${title}`, '', markdownTable(head, rows), ...list(notes)].join('\n');
}

/** One table of all ratios: a row for each subject and compared measure, a column for each of those they are to. */
export function summary(answers: readonly Answer[]): string {
  const compared = answers.filter(({ question }) => question.compared.length > 0);
  const [, ...others] = new Set(compared.flatMap(({ results }) => results.map(({ who }) => who)));
  const rows = compared.flatMap(({ question, results }) =>
    Array.from(new Set(results.map(({ subject }) => subject)), (subject) =>
      question.compared.map((key) => [
        `${question.name}, ${subject}: ${titleOf(question, key)}`,
        ...others.map((other) => {
          const result = results.find(({ who, ...each }) => each.subject === subject && who === other);
          return result === undefined ? '' : showRatio(results, result, key);
        }),
      ]),
    ).flat(),
  );
  return ['## All ratios', '', markdownTable(['', ...others], rows)].join('\n');
}

/** Everything that was measured, for other programs. */
export function toJson(machine: Machine, answers: readonly Answer[]): string {
  const questions = answers.map(({ question: { name, title, notes, measures, compared }, results }) => ({
    name,
    title,
    notes,
    measures: measures.map(({ key, title }) => ({ key, title })),
    results: results.map((result) => ({
      ...result,
      ratios: Object.fromEntries(compared.map((key) => [key, ratioOf(results, result, key)])),
    })),
  }));
  return `${JSON.stringify({ machine, questions }, undefined, 2)}\n`;
}

function list(notes: readonly string[]): string[] {
  return notes.length === 0 ? [] : ['', ...notes.map((note) => `- ${note}`)];
}

function spread({ median, min, max }: Spread, format: (value: number) => string): string {
  return min === max ? format(median) : `${format(median)} (${format(min)}..${format(max)})`;
}

/** Where there are several, each says what of. */
function ratioTitles(question: Question): string[] {
  if (question.compared.length === 1) return ['ratio'];
  return question.compared.map((key) => `ratio of ${titleOf(question, key)}`);
}

function titleOf({ measures }: Question, key: string): string {
  return measures.find((measure) => measure.key === key)?.title as string;
}

function showRatio(results: readonly Result[], result: Result, key: string): string {
  const ratio = ratioOf(results, result, key);
  if (ratio === undefined) return '';
  return spread(ratio, (value) => value.toFixed(2));
}

/** First case of the same subject to this one, round by round; undefined for the first itself. */
function ratioOf(results: readonly Result[], result: Result, key: string): Spread | undefined {
  const first = results.find(({ subject }) => subject === result.subject) as Result;
  if (first === result) return undefined;
  const pairs = result.samples.map((sample, i) => [first.samples[i]?.[key] as number, sample[key] as number]);
  return spreadOf(pairs.map(([ours, theirs]) => (ours as number) / (theirs as number)));
}
