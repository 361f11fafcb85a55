import { readdirSync, readFileSync } from 'node:fs';

/** What an OS process costs, as Linux tells it: bytes, counts, and nanoseconds of CPU time so far. */
export interface Footprint {
  readonly rss: number;
  /** Shared pages count by the share: what would be free if it ended. */
  readonly pss: number;
  readonly descriptors: number;
  readonly threads: number;
  readonly cpu: number;
  /** Voluntary context switches so far: how often any of its threads has gone to sleep. */
  readonly switches: number;
}

/** @throws Error with code ENOENT or ESRCH for a process that has gone, EACCES for another user's */
export function footprintOf(pid: number): Footprint {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return {
    rss: kilobytes(rollup, 'Rss'),
    pss: kilobytes(rollup, 'Pss'),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    threads: readdirSync(`/proc/${pid}/task`).length,
    cpu: cpuTimeOf(pid),
    switches: sumOverThreads(pid, switchesOf),
  };
}

/** Nanoseconds of CPU time so far, of all threads of all of them; see {@link footprintOf} for what it throws. */
export function cpuTimeOf(...pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + sumOverThreads(pid, cpuOf), 0);
}

function sumOverThreads(pid: number, of: (task: string) => number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce((sum, thread) => sum + of(`/proc/${pid}/task/${thread}`), 0);
}

function kilobytes(rollup: string, name: string): number {
  return Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(rollup)?.[1]) * 1024;
}

function cpuOf(task: string): number {
  return Number(readFileSync(`${task}/schedstat`, 'utf8').split(' ')[0]);
}

function switchesOf(task: string): number {
  return Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(readFileSync(`${task}/status`, 'utf8'))?.[1]);
}
