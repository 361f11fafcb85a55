/** What `npm run bench` and its relatives have in common: the questions, the report, a world to measure in. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { drawCharts } from './chart.js';
import { machine } from './machine.js';
import { type Answer, ask } from './measure.js';
import { type Options, parse } from './options.js';
import type { Question } from './question.js';
import { header, report, summary, toJson } from './report.js';
import { type Target, targetTable } from './target.js';
import { World } from './world.js';

export interface Benchmark {
  readonly name: string;
  readonly description: string;
  readonly questions: readonly Question[];
  /** What holds for all of them. */
  readonly notes?: readonly string[];
  /** How often each case is measured, unless the command line says it. */
  readonly rounds: number;
  /** Of packets, in bytes, where they are asked about. */
  readonly sizes?: Sizes;
  /** What the figures are to come up to. */
  readonly targets?: readonly Target[];
}

export interface Sizes {
  readonly quick: readonly number[];
  readonly usual: readonly number[];
  readonly full: readonly number[];
}

/** Reads the command line, asks the questions and prints the answers. */
export async function benchmark(benchmark: Benchmark): Promise<void> {
  const { questions, notes = [], targets = [] } = benchmark;
  const options = parse(benchmark);
  const { effort, rounds } = options;
  // Until all is said: where nothing is left to wait for, Node.js would end as if all had gone well.
  process.exitCode = 1;
  const here = machine();
  const pages = [header(here, rounds, effort, notes)];
  console.log(`${pages[0]}\n`);
  const answers: Answer[] = [];
  if (options.profile !== undefined) mkdirSync(options.profile, { recursive: true });
  const world = await new World(options.profile && path.resolve(options.profile)).ready();
  const print = (page: string): void => {
    if (process.stderr.isTTY) process.stderr.write(CLEAR_LINE);
    console.log(`${page}\n`);
    pages.push(page);
  };
  try {
    for (const question of questions) {
      if (!options.isWanted(question)) continue;
      const answer = await ask(question, options.casesOf(question), world, { rounds, progress });
      print(report(answer));
      answers.push(answer);
    }
  } finally {
    // Of a long run that fails in the end, too, all that was measured.
    await world.end();
    if (answers.length > 1) print(summary(answers));
    const reached = targetTable(targets, answers);
    if (reached !== undefined) print(reached);
    save(options, pages, answers, toJson(here, answers));
  }
  process.exitCode = 0;
}

function save(
  { report, json }: Options,
  pages: readonly string[],
  answers: readonly Answer[],
  all: string,
): void {
  if (json !== undefined) writeFileSync(json, all);
  if (report === undefined) return;
  mkdirSync(report, { recursive: true });
  const charts = drawCharts(answers);
  for (const { file, svg } of charts) writeFileSync(path.join(report, file), svg);
  const pictures = charts.map(({ file, title }) => `![${title}](${file})`);
  writeFileSync(path.join(report, 'report.md'), `${[...pages, ...pictures].join('\n\n')}\n`);
}

const CLEAR_LINE = '\r\x1b[K';

function progress(round: number, at: { subject: string; who: string }): void {
  if (process.stderr.isTTY) process.stderr.write(`${CLEAR_LINE}round ${round}: ${at.subject}, ${at.who}`);
}
