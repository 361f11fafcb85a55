import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';

/** How long a program may say nothing: far more than any measurement takes. */
const PATIENCE = 120_000;

/**
 * A run directory with a lingd of its own, so that benchmarks disturb nobody, and the programs that run in it, each
 * in a fresh OS process.
 */
export class World {
  readonly directory = mkdtempSync(path.join(os.tmpdir(), 'ling-tubes-bench-'));
  readonly lingd: ChildProcess;
  readonly #programs = new Set<Program>();
  #count = 0;

  /** With a directory for them, lingd and every program leave a CPU profile there. */
  constructor(readonly profiles?: string) {
    // Longer than any question that needs no domain.
    const args = ['--rundir', this.directory, '--foreground', '--linger', '3600', '--log-level', 'warn'];
    this.lingd = fork(path.join(__dirname, '../bin/lingd.js'), args, {
      execArgv: this.#flags(),
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
  }

  /** Resolves once lingd serves. */
  async ready(): Promise<this> {
    await new Promise((resolve, reject) => {
      this.lingd.stdout?.once('data', resolve);
      this.lingd.once('exit', () => reject(new Error('lingd has not started')));
    });
    return this;
  }

  /** A name for a socket that nothing else uses. */
  path(): string {
    return path.join(this.directory, `bench-${++this.#count}`);
  }

  /** Starts bench/programs/`name`.js. */
  start(name: string, argument: object): Program {
    const program = new Program(name, { ...argument, rundir: this.directory }, this.#flags());
    this.#programs.add(program);
    return program;
  }

  async end(): Promise<void> {
    for (const program of this.#programs) await program.end();
    const gone = new Promise((resolve) => this.lingd.once('exit', resolve));
    if (this.lingd.exitCode === null && this.lingd.kill('SIGTERM')) await gone;
    rmSync(this.directory, { recursive: true, force: true });
  }

  #flags(): string[] {
    return this.profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${this.profiles}`];
  }
}

/** A program of the benchmark: it says things, in an order that both sides know. */
export class Program {
  readonly #child: ChildProcess;
  readonly #said: unknown[] = [];
  readonly #gone: Promise<void>;
  /** How it has ended; all that it has said is here then. */
  #ended: string | undefined;
  #complaints = '';
  #heard = () => {};

  constructor(
    readonly name: string,
    argument: object,
    execArgv: string[],
  ) {
    const file = path.join(__dirname, 'programs', `${name}.js`);
    this.#child = fork(file, [JSON.stringify(argument)], {
      execArgv,
      serialization: 'advanced',
      stdio: ['inherit', 'inherit', 'pipe', 'ipc'],
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints += text;
    });
    this.#child.on('message', (message) => {
      this.#said.push(message);
      this.#heard();
    });
    this.#gone = this.#untilGone();
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** The next thing it says. @throws Error, with how it ended and what was on its stderr, when it ends or is silent instead */
  async hear<T>(): Promise<T> {
    if (this.#said.length === 0 && this.#ended === undefined) await this.#something();
    if (this.#said.length === 0) {
      const what = `program ${this.name}, pid ${this.pid}, ${this.#ended ?? 'is silent'}`;
      throw new Error([what, ...this.#takeComplaints()].join('; on its stderr:\n'));
    }
    return this.#said.shift() as T;
  }

  tell(message: unknown): void {
    this.#child.send(message as object);
  }

  /** Tells it to go, and waits until it has. */
  async end(): Promise<void> {
    if (this.#ended === undefined) {
      if (this.#child.connected) this.#child.disconnect();
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
      await this.#gone;
      clearTimeout(timer);
    }
    for (const text of this.#takeComplaints()) process.stderr.write(text);
  }

  /** Its last words may come after its end has been seen; `close` would say when, but not where this side disconnects. */
  async #untilGone(): Promise<void> {
    const [[status, signal]] = await Promise.all([
      once(this.#child, 'exit'),
      once(this.#child, 'disconnect'),
      once(this.#child.stderr as Readable, 'close'),
    ]);
    this.#ended = signal ? `was ended by ${signal}` : `has ended with status ${status}`;
    this.#heard();
  }

  /** What nobody has been told of yet. */
  #takeComplaints(): string[] {
    const text = this.#complaints;
    this.#complaints = '';
    return text === '' ? [] : [text];
  }

  #something(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, PATIENCE);
      this.#heard = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
