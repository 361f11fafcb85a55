import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';

const PROGRAM = path.join(__dirname, 'worker.js');

/** The OS processes of the workers. */
export class Crew {
  readonly #living = new Map<ChildProcess, Promise<void>>();
  /** Called when a worker has ended while the work goes on. */
  onEnd: (name: string, how: string) => void = () => {};
  #isOver = false;

  constructor(
    private readonly master: number,
    private readonly rundir: string,
  ) {}

  /** Starts a worker; `onEnd` is told, once, how it has ended, also where it could not be started. */
  start(name: string, onEnd: (how: string) => void): Worker {
    // A worker that dies while all is being ended must not be replaced.
    if (this.#isOver) throw new Error('the crew is dismissed');
    const child = spawn(process.execPath, [PROGRAM, name, String(this.master)], {
      env: { ...process.env, XENSTORED_RUNDIR: this.rundir },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const ended = new Promise<void>((resolve) => {
      const end = (how: string) => {
        this.#living.delete(child);
        resolve();
        onEnd(how);
        if (!this.#isOver) this.onEnd(name, how);
      };
      child.once('error', (error) => end(error.message));
      child.once('exit', (status, signal) => end(signal === null ? `status ${status}` : signal));
    });
    this.#living.set(child, ended);
    return { name, kill: () => void child.kill('SIGKILL') };
  }

  /** Resolves when none is left: those that do not end by themselves in so many milliseconds are killed. */
  async dismiss(patience: number): Promise<void> {
    this.#isOver = true;
    const timer = setTimeout(() => {
      for (const child of this.#living.keys()) child.kill('SIGKILL');
    }, patience);
    await Promise.all(this.#living.values());
    clearTimeout(timer);
  }
}

export interface Worker {
  readonly name: string;
  kill(): void;
}
