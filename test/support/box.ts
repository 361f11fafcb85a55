import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type BootOptions, boot, type Domain } from 'ling-tubes';
import { Watcher } from '#native/watcher';
import { connectXenstore } from '#xen/connect-xenstore';
import type { XenstoreClient } from '#xen/xenstore/client';
import { Program, type World } from './program';
import { changesSince, eventually, holdings, kill, processesWith } from './residue';

export const LINGD = path.join(__dirname, '../../dist/bin/lingd.js');

/** A box for one test or suite: a run directory of its own, who lives there, and proof that nothing is left of it. */
export class Box {
  readonly #parent = fs.mkdtempSync(path.join(os.tmpdir(), 'lt-'));
  /** Not there yet: whoever starts lingd makes it, and lingd removes it. */
  readonly rundir = path.join(this.#parent, 'run');
  readonly #before = holdings();
  readonly #domains: Domain[] = [];
  readonly #programs: Program[] = [];
  readonly #clients: (() => Promise<void>)[] = [];

  async boot(options: BootOptions = {}): Promise<Domain> {
    const domain = await boot({ rundir: this.rundir, ...options });
    this.#domains.push(domain);
    return domain;
  }

  run<A extends unknown[]>(body: (world: World, ...args: A) => unknown, ...args: A): Program {
    const program = Program.run(this.rundir, body, ...args);
    this.#programs.push(program);
    return program;
  }

  /** The same as another user. */
  runAs<A extends unknown[]>(uid: number, body: (world: World, ...args: A) => unknown, ...args: A): Program {
    const program = Program.runAs(uid, this.rundir, body, ...args);
    this.#programs.push(program);
    return program;
  }

  /** A plain Xenstore client: on `socket` a part of domain 0, on `domain` a guest. */
  client(name: 'socket' | 'domain'): XenstoreClient {
    const { client, close } = connectClient(path.join(this.rundir, name));
    this.#clients.push(close);
    return client;
  }

  /** A lingd in the foreground, that is listening. */
  async lingd(...args: string[]): Promise<ChildProcess> {
    const child = spawn(process.execPath, [LINGD, '--foreground', '--rundir', this.rundir, ...args]);
    const said = once(child.stdout, 'data').then(() => true);
    if (!(await Promise.race([said, once(child, 'exit').then(() => false)])))
      throw new Error('lingd has ended at once');
    return child;
  }

  /** Everybody who lives here leaves; then there has to be nothing that was not there before. */
  async close(): Promise<void> {
    for (const close of this.#clients) await close();
    await Promise.all(this.#domains.map((domain) => domain.stop()));
    await Promise.all(this.#programs.map((program) => program.kill()));
    // It would leave by itself, a little later.
    for (const pid of processesWith(this.rundir)) kill(pid, 'SIGTERM');
    await eventually(() => processesWith(this.rundir), []);
    await this.#assertCleanedUp();
  }

  async #assertCleanedUp(): Promise<void> {
    await eventually(() => changesSince(this.#before), []);
    if (fs.existsSync(this.rundir)) expect(fs.readdirSync(this.rundir)).toEqual([]);
    fs.rmSync(this.#parent, { recursive: true });
  }
}

/** A plain Xenstore client, whoever closes it. */
export function connectClient(socket: string): { client: XenstoreClient; close: () => Promise<void> } {
  const watcher = Watcher.onLoop();
  const client = connectXenstore(watcher, socket);
  const close = async (): Promise<void> => {
    client.close();
    await watcher.close();
  };
  return { client, close };
}
