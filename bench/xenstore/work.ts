/** What clients do while a server is measured. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { XenstoreClient } from '../../xen/xenstore/client.js';
import { type Pace, timeTrips } from '../rival.js';
import { type Command, toolEnvironment } from './tools.js';

export const TOP = '/bench';
const BYTES = 16;

/** How long, in milliseconds; what is done in the first time does not count. */
export interface Time {
  readonly warmUp: number;
  readonly measured: number;
}

/** Does one thing, as one of several at the same time; checks what comes back. */
export type Step = (store: XenstoreClient, worker: number) => Promise<void>;

export async function reading(store: XenstoreClient, workers: number): Promise<Step> {
  for (let i = 0; i < workers; i++) await store.write(`${TOP}/${i}`, padded(i));
  return async (store, worker) => {
    check(String(await store.read(`${TOP}/${worker}`)), padded(worker));
  };
}

export async function writing(store: XenstoreClient, workers: number): Promise<Step> {
  const turns = new Array<number>(workers).fill(0);
  for (let i = 0; i < workers; i++) await store.write(`${TOP}/${i}`, '');
  return async (store, worker) => {
    turns[worker] = (turns[worker] as number) + 1;
    await store.write(`${TOP}/${worker}`, padded(turns[worker] as number));
  };
}

/** Adds 1 to a number of its own, or all to the same one; counts how often it had to begin again. */
export class Counting {
  retries = 0;
  commits = 0;

  constructor(
    private readonly shared: boolean,
    private readonly workers: number,
  ) {}

  async begin(store: XenstoreClient): Promise<Step> {
    for (let i = 0; i < this.workers; i++) await store.write(`${TOP}/${i}/count`, '0');
    return async (store, worker) => {
      const path = this.#path(worker);
      let attempts = 0;
      await store.transaction(async (tx) => {
        attempts += 1;
        const count = Number(await store.readString(path, tx));
        await store.write(path, String(count + 1), tx);
      }, Number.POSITIVE_INFINITY);
      this.retries += attempts - 1;
      this.commits += 1;
    };
  }

  /** No addition has been lost. */
  async end(store: XenstoreClient): Promise<void> {
    let sum = 0;
    for (let i = 0; i < this.workers; i++) sum += Number(await store.readString(`${TOP}/${i}/count`));
    check(sum, this.commits);
  }

  #path(worker: number): string {
    return `${TOP}/${this.shared ? 0 : worker}/count`;
  }
}

/** All workers do it again and again, each when its last has been done; resolves with how often that was. */
export async function repeat(
  stores: readonly XenstoreClient[],
  workers: number,
  step: Step,
  ms: number,
): Promise<number> {
  const until = performance.now() + ms;
  let count = 0;
  const work = async (worker: number): Promise<void> => {
    const store = stores[worker % stores.length] as XenstoreClient;
    while (performance.now() < until) {
      await step(store, worker);
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
  return count;
}

/** A hundredth of them are directories, which have the others. Resolves when all are there. */
export async function fill(store: XenstoreClient, count: number): Promise<void> {
  const writes: string[] = [];
  for (let i = 0; i < count / 100; i++) {
    writes.push(`${TOP}/${i}`);
    for (let j = 1; j < 100; j++) writes.push(`${TOP}/${i}/${j}`);
  }
  const AT_ONCE = 64;
  let next = 0;
  const work = async (): Promise<void> => {
    for (let i = next++; i < writes.length; i = next++) await store.write(writes[i] as string, padded(i));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** From writes of one connection to the events of the other, in nanoseconds. */
export async function timeEvents(
  writer: XenstoreClient,
  watcher: XenstoreClient,
  pace: Pace,
): Promise<number[]> {
  let heard = () => {};
  const first = new Promise<void>((resolve) => {
    heard = resolve;
  });
  await watcher.watch(TOP, () => heard());
  await first;
  let written: Promise<void> | undefined;
  const times = await timeTrips(pace, () => {
    const event = new Promise<void>((resolve) => {
      heard = resolve;
    });
    written = writer.write(`${TOP}/0`, padded(0));
    return event;
  });
  await written;
  return times;
}

/** The same, to the lines that a program prints which watches. */
export async function timeLines(
  writer: XenstoreClient,
  socket: string,
  [file, ...args]: Command,
  pace: Pace,
): Promise<number[]> {
  const child = spawn(file, args, { env: toolEnvironment(socket), stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const lines = createInterface(child.stdout);
    await once(lines, 'line');
    // What starting has left to do is done by then.
    await sleep(100);
    let written: Promise<void> | undefined;
    const times = await timeTrips(pace, async () => {
      const line = once(lines, 'line');
      written = writer.write(`${TOP}/0`, padded(0));
      check((await line)[0], `${TOP}/0`);
    });
    await written;
    return times;
  } finally {
    child.kill();
  }
}

function padded(number: number): string {
  return String(number).padEnd(BYTES, '.');
}

function check(got: unknown, expected: unknown): void {
  if (got !== expected) throw new Error(`got ${got} instead of ${expected}`);
}
