import path from 'node:path';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { DEFAULT_MAX_MISMATCHES } from './search.js';

export interface Options {
  readonly genome: string;
  readonly reads: string;
  readonly workers: number;
  readonly out: string;
  readonly maxMismatches: number;
  /** Reads in a batch. */
  readonly batch: number;
  readonly rundir: string | undefined;
  readonly json: boolean;
}

/** What a person typed makes no sense; the message is one line. */
export class UsageError extends Error {
  readonly code = 'usage';
}

const MOST_WORKERS = 64;
const LARGEST_BATCH = 100_000;
const MOST_MISMATCHES = 9;
const DATA = path.join(__dirname, '../../../examples/aligner/data');

/** @throws UsageError; undefined when only help was asked for, which has been printed */
export function parseOptions(args: readonly string[]): Options | undefined {
  const command = new Command('aligner')
    .description('Finds reads in a genome: one master domain, and workers linked to it by tubes.')
    .argument('[genome]', 'FASTA file', nonEmpty, path.join(DATA, 'lambda.fa'))
    .argument('[reads]', 'FASTQ file', nonEmpty, path.join(DATA, 'reads.fq'))
    .option('--workers <n>', 'worker domains, each with a share of the genome', integer(1, MOST_WORKERS), 3)
    .option('--out <file>', 'SAM file to write', nonEmpty, 'aligned.sam')
    .option(
      '--max-mismatches <n>',
      'letters in which a read may differ',
      integer(0, MOST_MISMATCHES),
      DEFAULT_MAX_MISMATCHES,
    )
    .option('--batch <n>', 'reads that go to the workers at a time', integer(1, LARGEST_BATCH), 250)
    .option('--rundir <dir>', "lingd's directory (default: as for every domain)", nonEmpty)
    .option('--json', 'print one JSON object of figures instead of a table', false)
    .showSuggestionAfterError(false)
    .configureOutput({ writeErr: () => undefined })
    .exitOverride();
  try {
    command.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    throw new UsageError(error.message.replace(/^error: /, '').replace(/\s+/g, ' '));
  }
  const [genome, reads] = command.processedArgs as [string, string];
  return { ...command.opts<Omit<Options, 'genome' | 'reads'>>(), genome, reads };
}

function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected an integer from ${least} to ${most}.`);
  };
}

function nonEmpty(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('Expected a name.');
}
