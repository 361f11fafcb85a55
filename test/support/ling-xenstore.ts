/** The command line `ling-xenstore`, and Debian's xenstore-utils to compare it with. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { XenstoreClient } from '#xen/xenstore/client';
import { childPath } from '#xen/xenstore/path';
import { type Ended, run } from './run';

export const LING_XENSTORE = path.join(__dirname, '../../dist/bin/ling-xenstore.js');

export type Env = Readonly<Record<string, string>>;

/** Output as latin1, which keeps all bytes apart. */
export function lingXenstore(env: Env, ...args: string[]): Promise<Ended> {
  return run(process.execPath, [LING_XENSTORE, ...args], { env, encoding: 'latin1' });
}

export function xenTool(env: Env, command: string, ...args: string[]): Promise<Ended> {
  return run(`xenstore-${command}`, args, { env, encoding: 'latin1' });
}

/** What a script can see; of what is said on stderr only whether it is. */
export function seen({ status, stdout, stderr }: Ended): object {
  return { status, stdout, complains: stderr !== '' };
}

/** A program on a terminal of so many columns and rows, and what it prints there. */
export function onTerminal(columns: number, rows: number, env: Env, ...command: string[]): Running {
  const line = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const script = `stty cols ${columns} rows ${rows}; exec ${line}`;
  return new Running('script', ['-qefc', script, '/dev/null'], env);
}

/** A program that goes on, and what it has printed. */
export class Running {
  readonly child: ChildProcess;
  printed = '';
  readonly #closed: Promise<unknown>;

  constructor(file: string, args: readonly string[], env: Env) {
    this.child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('latin1').on('data', (text: string) => {
        this.printed += text;
      });
    }
    this.#closed = once(this.child, 'close');
  }

  static lingXenstore(env: Env, ...args: string[]): Running {
    return new Running(process.execPath, [LING_XENSTORE, ...args], env);
  }

  async until(isEnough: (printed: string) => boolean): Promise<string> {
    for (const deadline = Date.now() + 20_000; !isEnough(this.printed); await sleep(10)) {
      if (Date.now() > deadline) throw new Error(`that has not come; printed so far:\n${this.printed}`);
    }
    return this.printed;
  }

  /** Waits for its end: the exit status, or the signal. */
  async end(): Promise<number | NodeJS.Signals | null> {
    await this.#closed;
    return this.child.exitCode ?? this.child.signalCode;
  }

  async kill(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null> {
    this.child.kill(signal);
    return this.end();
  }
}

/** All that is in a Xenstore: values and permissions by path. */
export async function contents(store: XenstoreClient, top = '/'): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const visit = async (node: string): Promise<void> => {
    const [value, permissions, names] = [
      await store.read(node),
      await store.getPerms(node),
      await store.directory(node),
    ];
    found[node] = `${JSON.stringify(value.toString('latin1'))} ${permissions.join(',')}`;
    for (const name of names) await visit(childPath(node, name));
  };
  await visit(top);
  return found;
}
