import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';

const PROGRAM = path.join(__dirname, 'worker.js');

/** The OS processes of the workers. */
export class Crew {
  readonly #living = new Map<ChildProcess, Promise<void>>();
  /** Workers that have ended while the work goes on, and that nobody has given up yet, and how. */
  readonly #fallen = new Map<string, string>();
  #onFallen: (name: string, how: string) => void = () => {};
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
        if (this.#isOver) return;
        this.#fallen.set(name, how);
        this.#onFallen(name, how);
      };
      child.once('error', (error) => end(error.message));
      child.once('exit', (status, signal) => end(signal === null ? `status ${status}` : signal));
    });
    this.#living.set(child, ended);
    const giveUp = (): void => {
      this.#fallen.delete(name);
      child.kill('SIGKILL');
    };
    return { name, giveUp };
  }

  /** From now on a worker that ends is told of, as is at once one that has ended and has not been given up. */
  watch(onFallen: (name: string, how: string) => void): void {
    this.#onFallen = onFallen;
    for (const [name, how] of this.#fallen) onFallen(name, how);
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
  /** Ends it, if it has not ended yet: its user knows that it is of no use any more. */
  giveUp(): void;
}
