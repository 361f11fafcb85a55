/** What `npm run bench` and `npm run bench:actors` have in common: options, the report, a world to measure in. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { machine } from './machine.js';
import { type Answer, ask } from './measure.js';
import type { Question } from './question.js';
import { header, report, summary, toJson } from './report.js';
import { World } from './world.js';

interface Options {
  readonly quick?: true;
  readonly json?: string;
  readonly only?: readonly string[];
  readonly profile?: string;
  readonly rounds?: number;
}

/** Reads the command line, asks the questions and prints the answers; `notes` hold for all of them. */
export async function benchmark(
  name: string,
  description: string,
  questions: readonly Question[],
  notes: readonly string[] = [],
): Promise<void> {
  // Until all is said: where nothing is left to wait for, Node.js would end as if all had gone well.
  process.exitCode = 1;
  const options = parse(name, description, questions);
  const rounds = options.rounds ?? (options.quick ? 1 : 5);
  const effort = options.quick ? 'quick' : 'full';
  const here = machine();
  console.log(`${header(here, rounds, effort, notes)}\n`);
  const answers: Answer[] = [];
  if (options.profile !== undefined) mkdirSync(options.profile, { recursive: true });
  const world = await new World(options.profile && path.resolve(options.profile)).ready();
  try {
    for (const question of questions) {
      if (options.only !== undefined && !options.only.includes(question.name)) continue;
      const answer = await ask(question, world, { effort, rounds, progress });
      if (process.stderr.isTTY) process.stderr.write(CLEAR_LINE);
      console.log(`${report(answer)}\n`);
      answers.push(answer);
    }
  } finally {
    await world.end();
  }
  if (answers.length > 1) console.log(`${summary(answers)}\n`);
  if (options.json !== undefined) writeFileSync(options.json, toJson(here, answers));
  process.exitCode = 0;
}

function parse(name: string, description: string, questions: readonly Question[]): Options {
  return new Command(name)
    .description(description)
    .option('--quick', 'one short round: to see that it works, not to quote')
    .option('--json <file>', 'write everything that was measured to a file')
    .addOption(
      new Option('--only <names...>', 'some of the questions').choices(questions.map(({ name }) => name)),
    )
    .option('--profile <directory>', 'leave a CPU profile of every program there; slows them down')
    .option('--rounds <n>', 'how often to measure each case (default: 5; quick: 1)', positiveInteger)
    .parse()
    .opts<Options>();
}

const CLEAR_LINE = '\r\x1b[K';

function progress(round: number, at: { subject: string; who: string }): void {
  if (process.stderr.isTTY) process.stderr.write(`${CLEAR_LINE}round ${round}: ${at.subject}, ${at.who}`);
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a positive integer');
  return value;
}
