import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { run } from '../support/run';

/** How long an attack lasts, in milliseconds. Longer ones are for who looks for something. */
export const ATTACK = Number(process.env.HOSTILE_MS ?? 300);

const SOURCES = ['hostile.cc', 'attacks_on_tubes.cc', 'attacks_on_lingd.cc'];

/** Compiles the hostile program (hostile.cc) into a directory of its own: its path. */
export async function compileHostile(): Promise<string> {
  const program = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'lt-hostile-')), 'hostile');
  const files = SOURCES.map((source) => path.join(__dirname, source));
  const compile = ['-std=c++17', '-O1', '-Wall', '-Wextra', '-pthread', ...files, '-o', program];
  expect(await run('c++', compile, { patience: 60_000 })).toMatchObject({ status: 0, stderr: '' });
  return program;
}

export function removeHostile(program: string): void {
  fs.rmSync(path.dirname(program), { recursive: true });
}

/** The hostile program as it runs. */
export class Hostile {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  #stderr = '';

  constructor(program: string, ...args: readonly (string | number)[]) {
    this.#child = spawn(program, args.map(String));
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
  }

  /** The next line that it prints. */
  async hear(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the hostile program has ended:\n${this.#stderr}`);
    return value;
  }

  /** Its number as a domain, which is the first that it says. */
  async domid(): Promise<number> {
    return Number((await this.hear()).replace('domain ', ''));
  }

  /** Once it is ready: begins, and answers when the attack is over, with what it said meanwhile. */
  async attack(): Promise<string[]> {
    const said: string[] = [];
    this.#child.stdin.write('\n');
    for (;;) {
      const line = await this.hear();
      if (line.startsWith('attacked ')) return said;
      said.push(line);
    }
  }

  /** Tells it to end, if it has not. */
  async leave(): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'close');
    expect([this.#child.exitCode, this.#stderr]).toEqual([0, '']);
  }

  /** Without a word. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'close');
  }
}
