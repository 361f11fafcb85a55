/** A client of a Xenstore that is measured, with one or more connections; says what that took. */
import { Watcher } from '../../native/watcher.js';
import type { XenstoreClient } from '../../xen/xenstore/client.js';
import { Meter, type Reading } from '../meter.js';
import { cpuTimeOf } from '../proc.js';
import type { Pace } from '../rival.js';
import { connect } from '../xenstore/connect.js';
import type { Command } from '../xenstore/tools.js';
import {
  Counting,
  fill,
  reading,
  repeat,
  type Step,
  type Time,
  timeEvents,
  timeLines,
  writing,
} from '../xenstore/work.js';
import { argument, say } from './parent.js';

export interface XenstoreProgram {
  readonly socket: string;
  /** Of the server. */
  readonly pid: number;
  readonly task: Task;
}

export type Task =
  | (Load & { readonly kind: 'read' | 'write' | 'transactions' })
  | { readonly kind: 'fill'; readonly count: number }
  | { readonly kind: 'watch'; readonly pace: Pace; readonly command: Command | undefined };

export interface Load {
  readonly connections: number;
  /** So many are under way at the same time, of all connections together. */
  readonly workers: number;
  readonly time: Time;
  /** Transactions only: all are about the same node. */
  readonly shared?: boolean;
}

/** Says this, or `number[]` of the events, in nanoseconds. */
export interface Worked extends Reading {
  readonly count: number;
  /** CPU time of the server. */
  readonly server: number;
  /** Transactions that had to begin again. */
  readonly retries: number;
}

const { socket, pid, task } = argument<XenstoreProgram>();

void main();

async function main(): Promise<void> {
  const watcher = Watcher.onLoop();
  const count = task.kind === 'watch' ? 2 : task.kind === 'fill' ? 1 : task.connections;
  const stores: [XenstoreClient, ...XenstoreClient[]] = [await connect(watcher, socket)];
  while (stores.length < count) stores.push(await connect(watcher, socket));
  say(await perform(stores));
  for (const store of stores) store.close();
  await watcher.close();
  process.disconnect();
}

type Stores = readonly [XenstoreClient, ...XenstoreClient[]];

async function perform(stores: Stores): Promise<Worked | number[]> {
  const [store, other = store] = stores;
  switch (task.kind) {
    case 'read':
      return measure(stores, await reading(store, task.workers), task);
    case 'write':
      return measure(stores, await writing(store, task.workers), task);
    case 'transactions': {
      const counting = new Counting(task.shared ?? false, task.workers);
      const worked = await measure(stores, await counting.begin(store), task, counting);
      await counting.end(store);
      return worked;
    }
    case 'fill':
      return metered(async () => {
        await fill(store, task.count);
        return task.count;
      });
    case 'watch':
      return task.command === undefined
        ? timeEvents(store, other, task.pace)
        : timeLines(store, socket, task.command, task.pace);
  }
}

async function measure(
  stores: Stores,
  step: Step,
  { workers, time }: Load,
  counter: { readonly retries: number } = { retries: 0 },
): Promise<Worked> {
  await repeat(stores, workers, step, time.warmUp);
  const { retries } = counter;
  const worked = await metered(() => repeat(stores, workers, step, time.measured));
  return { ...worked, retries: counter.retries - retries };
}

async function metered(work: () => Promise<number>): Promise<Worked> {
  const before = cpuTimeOf(pid);
  const meter = new Meter();
  meter.start();
  const count = await work();
  const reading = meter.read();
  return { ...reading, count, server: cpuTimeOf(pid) - before, retries: 0 };
}
