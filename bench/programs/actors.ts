/** One rival of the benchmark of processes at one thing; says what it took. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  BATCHES,
  type Operated,
  type Operation,
  type Populated,
  type Population,
  type Repeat,
} from '../actors/rival.js';
import { RIVALS } from '../actors/rivals/index.js';
import { Meter, type Reading } from '../meter.js';
import { argument, say } from './parent.js';

export type ActorsProgram = { readonly rival: string } & (Operate | Populate);

interface Operate {
  readonly operation: Operation;
  /** How long to do it before the measurement begins, and how long that takes at least, in milliseconds. */
  readonly warmUp: number;
  readonly measured: number;
}

interface Populate {
  readonly population: number;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

void main();

async function main(): Promise<void> {
  const what = argument<ActorsProgram & { rundir: string }>();
  const rival = RIVALS.find(({ name }) => name === what.rival);
  if (!rival) throw new Error(`there is no rival ${what.rival}`);
  if ('operation' in what)
    say(await rival.operate(what.operation, what.rundir, (repeat) => operated(repeat, what)));
  else say(await rival.populate(what.rundir, (population) => populated(population, what.population)));
  process.disconnect();
}

async function operated(repeat: Repeat, { operation, warmUp, measured }: Operate): Promise<Operated> {
  const batch = BATCHES[operation];
  await repeatFor(repeat, batch, warmUp);
  const meter = new Meter();
  meter.start();
  const count = await repeatFor(repeat, batch, measured);
  return { ...meter.read(), count };
}

/** Answers how often that was. */
async function repeatFor(repeat: Repeat, batch: number, ms: number): Promise<number> {
  const until = performance.now() + ms;
  let count = 0;
  do {
    await repeat(batch);
    count += batch;
  } while (performance.now() < until);
  return count;
}

async function populated(population: Population, count: number): Promise<Populated> {
  const before = memory();
  const start = await timed(() => population.start(count));
  const after = memory();
  const talk = await timed(() => population.talk());
  const end = await timed(() => population.end());
  return {
    start: start.elapsed,
    talk: talk.elapsed,
    end: end.elapsed,
    cpu: start.cpu + talk.cpu + end.cpu,
    rss: (after.rss - before.rss) / count,
    heap: (after.heapUsed - before.heapUsed) / count,
  };
}

async function timed(action: () => Promise<void>): Promise<Reading> {
  const meter = new Meter();
  meter.start();
  await action();
  return meter.read();
}

/** Of what is in use; garbage is none of the figures. */
function memory(): NodeJS.MemoryUsage {
  collectGarbage();
  return process.memoryUsage();
}
