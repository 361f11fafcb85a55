import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** What this OS process holds that a test may have left behind: descriptors, shared pages, child processes. */
export interface Holdings {
  readonly descriptors: readonly string[];
  readonly mappings: number;
  readonly children: readonly number[];
}

export function holdings(): Holdings {
  return { descriptors: descriptorsOf('self'), mappings: tubeMappings(), children: childProcesses() };
}

/** What every open descriptor of a process leads to, sorted. Where it lies is left out of what a socket is called. */
export function descriptorsOf(pid: number | 'self'): string[] {
  const directory = `/proc/${pid}/fd`;
  return fs
    .readdirSync(directory)
    .flatMap((fd) => {
      try {
        return [fs.readlinkSync(`${directory}/${fd}`).replace(/^(socket|pipe):.*/, '$1')];
      } catch {
        // The one that readdir itself had open.
        return [];
      }
    })
    .filter((target) => !target.startsWith('/proc/'))
    .sort();
}

/** How many mappings of shared pages this OS process has. */
export function tubeMappings(): number {
  return fs.readFileSync('/proc/self/maps', 'latin1').split('memfd:ling-tube').length - 1;
}

/** Those that run: one that has ended is Node's to reap, at its own time. */
export function childProcesses(): number[] {
  return fs
    .readdirSync('/proc/self/task')
    .flatMap((task) => fs.readFileSync(`/proc/self/task/${task}/children`, 'latin1').split(' '))
    .filter((pid) => pid !== '' && isRunning(pid))
    .map(Number);
}

function isRunning(pid: string): boolean {
  try {
    return !/\) Z /.test(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

/** OS processes with that text in their command line. */
export function processesWith(text: string): number[] {
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .filter((pid) => {
      try {
        return fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').includes(text);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Waits until the two are equal; at the end of its patience says how they differ, as expect does. */
export async function eventually<T>(look: () => T | Promise<T>, expected: T, patience = 5000): Promise<void> {
  const deadline = Date.now() + patience;
  for (;;) {
    const seen = await look();
    try {
      expect(seen).toEqual(expected);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await sleep(20);
  }
}
