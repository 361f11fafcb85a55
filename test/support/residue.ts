import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** What this OS process holds that a test may have left behind: descriptors, shared pages, child processes. */
export function holdings(): string[] {
  return [
    ...descriptorsOf('self'),
    ...Array.from({ length: tubeMappings() }, () => 'mapping'),
    ...childProcesses().map((pid) => `child ${pid}`),
  ];
}

/** What only the tests' subject makes; all else may be on its way out still when somebody looks for the first time. */
const IS_OURS = /^(anon_inode:|mapping$|.*memfd:)/;

/** What is held that was not held before, and `-` what of ours was, and is no longer: closed in another's place. */
export function changesSince(before: readonly string[]): string[] {
  const gone = [...before];
  const added = holdings().filter((held) => {
    const at = gone.indexOf(held);
    if (at !== -1) gone.splice(at, 1);
    return at === -1;
  });
  return [...added, ...gone.filter((held) => IS_OURS.test(held)).map((held) => `-${held}`)];
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

/** How many mappings of shared pages an OS process has. */
export function tubeMappings(pid: number | 'self' = 'self'): number {
  return fs.readFileSync(`/proc/${pid}/maps`, 'latin1').split('memfd:ling-tube').length - 1;
}

/** Those that run: one that has ended is Node's to reap, at its own time. */
function childProcesses(): number[] {
  return fs
    .readdirSync('/proc/self/task')
    .flatMap((task) => read(`/proc/self/task/${task}/children`).split(' '))
    .filter((pid) => pid !== '' && isRunning(pid))
    .map(Number);
}

function isRunning(pid: string): boolean {
  return /\) [^ZX] /.test(read(`/proc/${pid}/stat`));
}

/** OS processes with that text as an argument. */
export function processesWith(text: string): number[] {
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .filter((pid) => read(`/proc/${pid}/cmdline`).split('\0').includes(text))
    .map(Number);
}

/** Of a thread or an OS process that has gone meanwhile: nothing. */
function read(file: string): string {
  try {
    return fs.readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

/** Sends a signal to who may have ended by itself. */
export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Waits until the two are equal; at the end of its patience says how they differ, as expect does, or why it could not look. */
export async function eventually<T>(
  look: () => T | Promise<T>,
  expected: T,
  patience = 15_000,
): Promise<void> {
  const deadline = Date.now() + patience;
  for (;;) {
    try {
      expect(await look()).toEqual(expected);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await sleep(20);
  }
}
