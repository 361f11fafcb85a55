import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

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
    const args = ['--rundir', this.directory, '--foreground', '--linger', '30'];
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
    });
    this.#child.on('message', (message) => {
      this.#said.push(message);
      this.#heard();
    });
    this.#child.once('exit', () => this.#heard());
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** The next thing it says. @throws Error when it ends instead, or is silent for too long */
  async hear<T>(): Promise<T> {
    if (this.#said.length === 0 && this.#isAlive()) await this.#something();
    if (this.#said.length === 0)
      throw new Error(`program ${this.name} ${this.#isAlive() ? 'is silent' : 'has failed'}`);
    return this.#said.shift() as T;
  }

  /** Tells it to go, and waits until it has. */
  async end(): Promise<void> {
    if (!this.#isAlive()) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await gone;
    clearTimeout(timer);
  }

  #isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
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
