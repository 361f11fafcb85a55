import { accessSync, closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Benchmark } from './benchmark.js';
import type { Case, Effort, Question } from './question.js';

/** What the command line asks for. */
export interface Options {
  readonly effort: Effort;
  readonly rounds: number;
  readonly json?: string;
  readonly report?: string;
  readonly profile?: string;
  isWanted(question: Question): boolean;
  casesOf(question: Question): readonly Case[];
}

/** Files and directories that are to be written. */
interface Written {
  readonly json?: string;
  readonly report?: string;
  readonly profile?: string;
}

interface Given extends Written {
  readonly quick?: true;
  readonly full?: true;
  readonly only?: readonly string[];
  readonly rounds?: number;
  readonly sizes?: readonly number[];
  readonly rivals?: readonly string[];
}

const MISUSED = 2;

/** A command that ends this OS process, with one line and status 2, when what it is asked for makes no sense. */
export function strictCommand(name: string): Command {
  return new Command(name)
    .showSuggestionAfterError(false)
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : MISUSED));
}

/** Ends this OS process, with a reason and status 2, when it makes no sense. */
export function parse({ name, description, questions, sizes, rounds }: Benchmark): Options {
  const names = questions.map((question) => question.name);
  const command = strictCommand(name)
    .description(description)
    .option('--quick', 'one short round: to see that it works, not to quote')
    .option('--json <file>', 'write everything that was measured to a file')
    .option('--report <directory>', 'write report.md there, with charts')
    .addOption(new Option('--only <names...>', 'some of the questions').choices(names))
    .option('--rivals <names>', 'some of those compared, with commas between', (text) => text.split(','))
    .option('--profile <directory>', 'leave a CPU profile of every program there; slows them down')
    .option('--rounds <n>', `how often to measure each case (default: ${rounds}; quick: 1)`, positiveInteger);
  if (sizes !== undefined) {
    command
      .option('--sizes <bytes>', `of packets, with commas between (default: ${sizes.usual})`, packetSizes)
      .addOption(new Option('--full', `all sizes (${sizes.full}), and longer`).conflicts('quick'));
  }
  const given = command.parse().opts<Given>();
  const effort = given.quick ? 'quick' : given.full ? 'full' : 'usual';
  const asked = given.sizes ?? sizes?.[effort] ?? [];
  const { rivals, only } = given;
  const casesOf = (question: Question): readonly Case[] => {
    const cases = question.cases(effort, asked);
    return rivals === undefined ? cases : cases.filter(({ who }) => rivals.includes(who));
  };
  if (rivals !== undefined)
    refuseStrangers(command, rivals, questions, (question) => question.cases(effort, asked));
  refuseUnwritable(command, given);
  return {
    ...given,
    effort,
    rounds: given.rounds ?? (given.quick ? 1 : rounds),
    isWanted: (question) => (only?.includes(question.name) ?? true) && casesOf(question).length > 0,
    casesOf,
  };
}

function refuseStrangers(
  command: Command,
  rivals: readonly string[],
  questions: readonly Question[],
  casesOf: (question: Question) => readonly Case[],
): void {
  const known = new Set(questions.flatMap((question) => casesOf(question).map(({ who }) => who)));
  for (const rival of rivals) {
    if (!known.has(rival)) command.error(`error: nobody is called '${rival}', but ${[...known].join(', ')}`);
  }
}

/** Now, and not after an hour of measuring. */
export function refuseUnwritable(command: Command, { json, report, profile }: Written): void {
  const attempt = (option: string, write: () => void): void => {
    try {
      write();
    } catch (error) {
      command.error(`error: option '--${option}': ${(error as Error).message}`);
    }
  };
  if (json !== undefined) attempt('json', () => closeSync(openSync(json, 'a')));
  for (const [option, directory] of Object.entries({ report, profile })) {
    if (directory === undefined) continue;
    attempt(option, () => {
      mkdirSync(directory, { recursive: true });
      accessSync(directory, constants.W_OK);
    });
  }
}

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a positive integer');
  return value;
}

const LEAST_PACKET = 5;
const MOST_PACKET = 4096;

function packetSizes(text: string): readonly number[] {
  const sizes = text.split(',').map(positiveInteger);
  if (sizes.some((size) => size < LEAST_PACKET || size > MOST_PACKET))
    throw new InvalidArgumentError(`expected ${LEAST_PACKET} to ${MOST_PACKET} bytes`);
  return sizes;
}
