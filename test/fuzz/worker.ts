/**
 * Fuzzes one target, in an OS process of its own: started by supervisor.ts, which sees on descriptor 3 the input that is
 * executed, should nothing more be heard from here. Prints one line, or what is wrong with which input.
 */
import fs from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { readCorpus, writeCorpus } from './corpus';
import { Coverage, type Share } from './coverage';
import { Finding, Fuzzer, type Target } from './fuzzer';
import { Random } from './random';

const LAST_WORDS = 3;
const MIB = 1024 * 1024;
/** What may be in use at the end, in bytes, that was not after the first quarter. */
const MOST_GROWTH = 8 * MIB;

export interface Task {
  /** Of the target. */
  readonly name: string;
  readonly seconds: number;
  readonly seed: number;
  /** How long one input may take, in milliseconds. */
  readonly patience: number;
  /** Whether to put into the corpus what reaches something new. */
  readonly isKept: boolean;
  /** Instead of all that: the one input to execute, in base64. */
  readonly input?: string | undefined;
}

async function work({ name, seconds, seed, isKept, input }: Task): Promise<string> {
  const target = (await import(`./targets/${name}`)) as Target;
  const coverage = new Coverage(target.watches);
  const fuzzer = new Fuzzer(target, coverage, new Random(seed), announce);
  if (input !== undefined) {
    await fuzzer.execute(Buffer.from(input, 'base64'));
    return `${name}: nothing is wrong with that input`;
  }
  const corpus = readCorpus(name);
  await fuzzer.replay(['', ...target.seeds, ...corpus]);
  const start = performance.now();
  await fuzzer.fuzz(seconds * 250);
  const before = await memoryInUse();
  await fuzzer.fuzz(seconds * 750);
  const growth = (await memoryInUse()) - before;
  const took = (performance.now() - start) / 1000;
  if (growth > MOST_GROWTH) throw new Error(`memory has grown by ${(growth / MIB).toFixed(1)} MiB`);
  const needed = isKept ? await fuzzer.minimise() : corpus;
  if (isKept) writeCorpus(name, needed);
  return [
    `${name}: ${fuzzer.executions} executions, new inputs for ${took.toFixed(1)} s, the slowest ${fuzzer.slowest.toFixed(0)} ms`,
    `corpus ${corpus.length} -> ${needed.length}`,
    `reached ${percent(coverage.statements)} statements, ${percent(coverage.branches)} functions and branches`,
    `memory ${(growth / MIB).toFixed(1)} MiB`,
    `seed ${seed}`,
  ].join('; ');
}

let executions = 0;

function announce(input: Buffer): void {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(++executions >>> 0);
  header.writeUInt32LE(input.length, 4);
  fs.writevSync(LAST_WORDS, [header, input], 0);
}

/** In bytes, when the garbage is gone, for some of which it takes a turn of the event loop to let go of more. */
async function memoryInUse(): Promise<number> {
  for (let turns = 0; turns < 3; turns++) {
    await turn();
    globalThis.gc!();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function percent([reached, all]: Share): string {
  return `${((100 * reached) / all).toFixed(1)} % of ${all}`;
}

const task = JSON.parse(process.argv[2]!) as Task;
work(task)
  .then((report) => console.log(report))
  .catch((error: unknown) => {
    console.log(`${task.name}, seed ${task.seed}:`, inspect(error instanceof Finding ? error.cause : error));
    if (error instanceof Finding) {
      console.log(`npm run fuzz -- ${task.name} --input ${error.input.toString('base64') || "''"}`);
    }
    process.exitCode = 1;
  })
  // A target may have left open what it uses every time.
  .finally(() => process.exit());
