/** `npm run bench`: how fast, how soon, how big; see docs of each question in the file of its name. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { footprint } from './footprint.js';
import { machine } from './machine.js';
import { type Answer, ask } from './measure.js';
import type { Question } from './question.js';
import { header, report, toJson } from './report.js';
import { roundTrip } from './round-trip.js';
import { throughput } from './throughput.js';
import { World } from './world.js';

const QUESTIONS: readonly Question[] = [throughput, roundTrip, footprint];

interface Options {
  readonly quick?: true;
  readonly json?: string;
  readonly only?: string;
  readonly profile?: string;
  readonly rounds?: number;
}

const options = new Command('bench')
  .description('Measures tubes beside what one would use instead, each side in an OS process of its own.')
  .option('--quick', 'one short round: to see that it works, not to quote')
  .option('--json <file>', 'write everything that was measured to a file')
  .addOption(new Option('--only <name>', 'one question').choices(QUESTIONS.map(({ name }) => name)))
  .option('--profile <directory>', 'leave a CPU profile of every program there; slows them down')
  .option('--rounds <n>', 'how often to measure each case (default: 5; quick: 1)', positiveInteger)
  .parse()
  .opts<Options>();

void main();

async function main(): Promise<void> {
  const rounds = options.rounds ?? (options.quick ? 1 : 5);
  const effort = options.quick ? 'quick' : 'full';
  const here = machine();
  console.log(`${header(here, rounds)}\n`);
  const answers: Answer[] = [];
  if (options.profile !== undefined) mkdirSync(options.profile, { recursive: true });
  const world = await new World(options.profile && path.resolve(options.profile)).ready();
  try {
    for (const question of QUESTIONS) {
      if (options.only !== undefined && question.name !== options.only) continue;
      const answer = await ask(question, world, { effort, rounds, progress });
      if (process.stderr.isTTY) process.stderr.write(CLEAR_LINE);
      console.log(`${report(answer)}\n`);
      answers.push(answer);
    }
  } finally {
    await world.end();
  }
  if (options.json !== undefined) writeFileSync(options.json, toJson(here, answers));
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
