/**
 * `npm run fuzz`: gives each target (all of them, if none is named) so many seconds of new inputs, beginning with its corpus, and
 * prints a line. Status 1 when something was wrong: then it prints how to execute the culprit again, by --input.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { fuzzNatively } from './native';
import { supervise } from './supervisor';
import type { Task } from './worker';

const folder = path.join(__dirname, 'targets');
const targets = fs.readdirSync(folder).filter((file) => /\.(ts|cc)$/.test(file));
const names = targets.map((file) => path.parse(file).name);
const MISUSED = 2;

void new Command('fuzz')
  .description(`Feeds what reads untrusted bytes with bytes that are made up. Targets: ${names.join(', ')}.`)
  .showSuggestionAfterError(false)
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : MISUSED))
  .argument('[target...]', 'default: all of them', addTarget)
  .option('--seconds <n>', 'of new inputs, for each', positiveInteger, 10)
  .option('--seed <n>', 'of all that is random', positiveInteger)
  // Also on a machine that is busy with others.
  .option('--patience <ms>', 'that one input may take', positiveInteger, 10_000)
  .option('--keep', 'put into the corpus what has reached something new', false)
  .option('--input <base64>', 'execute this one alone', base64)
  .action(main)
  .parseAsync();

interface Given extends Pick<Task, 'seconds' | 'patience' | 'input'> {
  readonly seed?: number;
  readonly keep: boolean;
}

async function main(chosen: readonly string[], given: Given): Promise<void> {
  const { seconds, patience, input, keep: isKept } = given;
  const seed = given.seed ?? 1 + Math.floor(Math.random() * 0x7fff_fffe);
  for (const name of chosen.length > 0 ? chosen : names) {
    const task: Task = { name, seconds, seed, patience, isKept, input };
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'fuzz-'));
    try {
      const fuzz = targets.includes(`${name}.cc`) ? fuzzNatively : supervise;
      if (!(await fuzz(task, directory))) process.exitCode = 1;
    } finally {
      fs.rmSync(directory, { recursive: true, force: true });
    }
  }
}

function addTarget(name: string, chosen: readonly string[] = []): readonly string[] {
  if (!['ts', 'cc'].some((extension) => fs.existsSync(path.join(folder, `${name}.${extension}`))))
    throw new InvalidArgumentError(`expected some of ${names.join(', ')}`);
  return [...chosen, name];
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a positive integer');
  return value;
}

function base64(text: string): string {
  if (Buffer.from(text, 'base64').toString('base64') !== text)
    throw new InvalidArgumentError('expected base64');
  return text;
}
