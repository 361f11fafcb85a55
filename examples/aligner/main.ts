/**
 * The aligner: one master domain, this OS process, and a number of worker domains, OS processes of their own.
 *
 * Exit status: 0; 1 when it could not be done; 2 for options or input that make no sense; 128 + n after signal n.
 * Unless it is 0, no result is left behind, and in no case any process.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { SingleBar } from 'cli-progress';
import pc from 'picocolors';
import { boot, type Domain, RunDirectoryError } from '../../lib/index.js';
import { CleanUp } from './clean-up.js';
import { Crew } from './crew.js';
import { InputError, OutputError } from './errors.js';
import { readFasta } from './fasta.js';
import { surveyFastq } from './fastq.js';
import { type Figures, toFigures, toTable } from './figures.js';
import { align } from './master.js';
import { type Options, parseOptions, UsageError } from './options.js';
import { partition } from './partition.js';
import type { Program } from './sam.js';
import { SamWriter } from './sam-writer.js';
import { WorkerError } from './share-keeper.js';

/** How long workers may take to notice that their master is done, in milliseconds. */
const PATIENCE = 3000;

class Interrupted extends Error {
  constructor(readonly signal: NodeJS.Signals) {
    super(`ended by ${signal}`);
  }
}

/** Signals that ask to end: the first is an interruption, further ones change nothing. */
class Signals {
  readonly interruption: Promise<never>;
  #ignored = false;

  constructor() {
    this.interruption = new Promise((_resolve, reject) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        process.on(signal, () => {
          if (!this.#ignored) reject(new Interrupted(signal));
        });
      }
    });
  }

  ignore(): void {
    this.#ignored = true;
  }
}

void main(process.argv.slice(2)).then((status) => process.exit(status));

async function main(args: readonly string[]): Promise<number> {
  // Nobody has to read what this prints; the result is in a file.
  process.stdout.on('error', () => {});
  const cleanUp = new CleanUp();
  try {
    const options = parseOptions(args);
    if (options === undefined) return 0;
    const signals = new Signals();
    const figures = await Promise.race([run(options, cleanUp, signals), signals.interruption]);
    await cleanUp.run();
    process.stdout.write(`${options.json ? JSON.stringify(figures) : toTable(figures)}\n`);
    return 0;
  } catch (error) {
    await cleanUp.run();
    process.stderr.write(`${explain(error)}\n`);
    return statusOf(error);
  }
}

async function run(options: Options, cleanUp: CleanUp, signals: Signals): Promise<Figures> {
  checkInput(options.reads);
  checkInput(options.genome);
  const { reads, longest } = await surveyFastq(options.reads);
  const genome = await readFasta(options.genome);
  const shares = partition(genome, options.workers, Math.max(0, longest - 1));
  const writer = await openOutput(options);
  cleanUp.add(() => writer.abort());

  const domain = await boot({ name: 'aligner', rundir: options.rundir });
  const crew = new Crew(domain.domid, domain.rundir);
  cleanUp.add(async () => {
    // Its end is the end of all tubes, and so of the workers.
    await domain.stop();
    await crew.dismiss(PATIENCE);
  });
  process.stderr.write(pc.dim(`to see the domains: XENSTORED_RUNDIR=${domain.rundir} xenstore-ls -p\n`));

  const bar = showProgress(reads);
  cleanUp.add(async () => bar?.stop());
  const { batch, maxMismatches } = options;
  const alignment = { genome, shares, reads: options.reads, longest, batch, maxMismatches };
  const outcome = await Promise.race([
    domain.run((self) =>
      align(self, domain, {
        ...alignment,
        program: program(),
        crew,
        writer,
        onProgress: (done) => bar?.update(done),
      }),
    ),
    stranded(domain, crew),
  ]);
  // From here on there is a result, and it would be wrong to say that there is none.
  signals.ignore();
  await writer.close();
  return toFigures(path.resolve(options.out), shares.length, outcome);
}

/**
 * Without lingd, should it not come back, nobody is told that a tube's other side has died, nor can another worker join:
 * rejects then.
 */
function stranded(domain: Domain, crew: Crew): Promise<never> {
  return new Promise((_resolve, reject) => {
    domain.once('disconnected', () => {
      crew.watch((name, how) => reject(new WorkerError(`${name} has ended (${how}), and lingd is gone`)));
    });
  });
}

/** Reads are gone through twice, which a pipe does not allow; what is not there is told by whoever reads it. */
function checkInput(file: string): void {
  const status = fs.statSync(file, { throwIfNoEntry: false });
  if (status && !status.isFile()) throw new InputError(file, undefined, 'expected a regular file');
}

/** A file to write that is neither of those to read. */
async function openOutput({ genome, reads, out }: Options): Promise<SamWriter> {
  const target = fs.statSync(out, { throwIfNoEntry: false });
  for (const input of [genome, reads]) {
    const { dev, ino } = fs.statSync(input);
    if (target?.dev === dev && target.ino === ino)
      throw new UsageError(`${out} is to be read and to be written`);
  }
  try {
    return await SamWriter.open(out);
  } catch (error) {
    if (error instanceof OutputError) throw new UsageError(error.message);
    throw error;
  }
}

function program(): Program {
  const file = path.join(__dirname, '../../../package.json');
  const { version } = JSON.parse(fs.readFileSync(file, 'utf8')) as { version: string };
  return { name: 'ling-tubes-aligner', version };
}

function showProgress(reads: number): SingleBar | undefined {
  if (!process.stderr.isTTY) return undefined;
  const bar = new SingleBar({ stream: process.stderr, format: '{bar} {value}/{total} reads, {eta} s left' });
  bar.start(reads, 0);
  return bar;
}

function explain(error: unknown): string {
  // Those begin with the name of the file.
  if (error instanceof InputError || error instanceof OutputError) return error.message;
  return `aligner: ${(error as Error).message}`;
}

function statusOf(error: unknown): number {
  if ([InputError, UsageError, RunDirectoryError].some((Misuse) => error instanceof Misuse)) return 2;
  return error instanceof Interrupted ? 128 + os.constants.signals[error.signal] : 1;
}
