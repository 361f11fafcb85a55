import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import type * as ling from 'ling-tubes';

/** What the body of a program has: the package, and messages to and from the test. */
export interface World {
  readonly ling: typeof ling;
  say(message: unknown): void;
  /** The next message that the test tells. */
  listen(): Promise<unknown>;
}

/** An OS process of its own that runs a function of the test, which therefore sees nothing but its arguments. */
export class Program {
  readonly #child: ChildProcess;
  readonly #heard: unknown[] = [];
  /** It has ended, and all that it has said has been heard. */
  #isOver = false;
  readonly #over: Promise<void>;
  #wake = (): void => {};
  #output = '';

  static run<A extends unknown[]>(
    rundir: string,
    body: (world: World, ...args: A) => unknown,
    ...args: A
  ): Program {
    return new Program(rundir, body.toString(), args);
  }

  /** As another user, which only root can become. */
  static runAs<A extends unknown[]>(
    uid: number,
    rundir: string,
    body: (world: World, ...args: A) => unknown,
    ...args: A
  ): Program {
    return new Program(rundir, body.toString(), args, uid);
  }

  private constructor(rundir: string, source: string, args: unknown[], uid?: number) {
    this.#child = fork(path.join(__dirname, 'run-program.js'), {
      env: { ...process.env, XENSTORED_RUNDIR: rundir },
      execArgv: [],
      silent: true,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
      });
    }
    this.#child.on('message', (message) => {
      this.#heard.push(message);
      this.#wake();
    });
    this.#over = new Promise((resolve) => {
      this.#child.on('close', () => {
        this.#isOver = true;
        this.#wake();
        resolve();
      });
    });
    this.#child.send({ source, args, uid });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** What it has printed. */
  get output(): string {
    return this.#output;
  }

  /** The next message it says. */
  async hear<T = unknown>(): Promise<T> {
    while (this.#heard.length === 0) {
      if (this.#isOver) throw new Error(`the program has ended without a word:\n${this.#output}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#heard.shift() as T;
  }

  tell(message: unknown): void {
    this.#child.send(message as object);
  }

  /** Ends it from outside, if it has not ended; resolves when the operating system has forgotten it. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#child.kill(signal);
    await this.#over;
  }

  /** Waits for its own end: the exit status, or the signal. */
  async end(): Promise<number | NodeJS.Signals | null> {
    await this.#over;
    return this.#child.exitCode ?? this.#child.signalCode;
  }
}
