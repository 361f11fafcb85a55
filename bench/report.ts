import Table from 'cli-table3';
import type { Machine } from './machine.js';
import type { Answer, Result } from './measure.js';
import type { Question } from './question.js';
import { type Spread, spreadOf } from './statistics.js';

/** `notes`: what holds for all questions. */
export function header(machine: Machine, rounds: number, notes: readonly string[]): string {
  const { cpu, cores, load, kernel, node, commit, date } = machine;
  return [
    `${cpu}, ${cores} cores (load ${load}), ${kernel}, Node ${node}, commit ${commit}, ${date}`,
    `Medians of ${rounds} interleaved rounds (min..max).`,
    ...(notes.length === 0 ? [] : ['', ...notes.map((note) => `- ${note}`)]),
  ].join('\n');
}

/** A Markdown table that a terminal shows as well, with the notes below. */
export function report({ question, results }: Answer): string {
  const { title, notes, measures, compared } = question;
  const table = new Table({
    head: ['', ...measures.map((measure) => measure.title), ...ratioTitles(question)],
    chars: MARKDOWN,
    style: { head: [], border: [] },
    colAligns: ['left', ...Array.from({ length: measures.length + compared.length }, () => 'right' as const)],
  });
  for (const result of results) {
    const cells = measures.map((measure) => spread(result.spreads[measure.key] as Spread, measure.format));
    const ratios = compared.map((key) => showRatio(results, result, key));
    table.push([`${result.subject}, ${result.who}`, ...cells, ...ratios]);
  }
  const [head, ...rows] = table.toString().split('\n');
  const rule = (head as string).replace(/[^|]/g, '-');
  return [`## ${title}`, '', head, rule, ...rows, '', ...notes.map((note) => `- ${note}`)].join('\n');
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

const MARKDOWN = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '|', 'left-mid': '', mid: '', 'mid-mid': '', right: '|', 'right-mid': '', middle: '|' },
};

function spread({ median, min, max }: Spread, format: (value: number) => string): string {
  return min === max ? format(median) : `${format(median)} (${format(min)}..${format(max)})`;
}

/** Where there are several, each says what of. */
function ratioTitles({ measures, compared }: Question): string[] {
  if (compared.length === 1) return ['ratio'];
  return compared.map((key) => `ratio of ${measures.find((measure) => measure.key === key)?.title}`);
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
