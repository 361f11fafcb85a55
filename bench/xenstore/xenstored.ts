/** Xen's own xenstored, where the machine has one, in a directory of its own and without a hypervisor. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { World } from '../world.js';
import type { RunningServer } from './servers.js';

const NO_HYPERVISOR = path.resolve(__dirname, '../../../bench/xenstore/no-hypervisor.c');
/** Where Debian has what belongs to one version of Xen. */
const LIBRARIES = '/usr/lib';
/** How long it may take to listen, in milliseconds. */
const PATIENCE = 10_000;

/** The file of a xenstored that can be run: `$XENSTORED`, or Debian's. Undefined without one or a C compiler. */
export function findXenstored(): string | undefined {
  const named = process.env.XENSTORED;
  const files = named === undefined ? installed() : [named];
  const compiler = spawnSync('cc', ['--version']);
  return compiler.error === undefined ? files.find(isRunnable) : undefined;
}

function installed(): string[] {
  const versions = existsSync(LIBRARIES) ? readdirSync(LIBRARIES) : [];
  return versions
    .filter((name) => name.startsWith('xen-'))
    .map((name) => path.join(LIBRARIES, name, 'bin/xenstored'));
}

/** Its libraries may be missing. */
function isRunnable(file: string): boolean {
  return spawnSync(file, ['--help']).status === 0;
}

export async function startXenstored(file: string, world: World): Promise<RunningServer> {
  const directory = world.path();
  mkdirSync(directory, { mode: 0o700 });
  const library = compile(world.directory);
  const child = spawn(file, ['--no-fork'], {
    env: { ...process.env, XENSTORED_RUNDIR: directory, LD_PRELOAD: library },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const gone = once(child, 'exit');
  const socket = path.join(directory, 'socket');
  for (let waited = 0; !existsSync(socket); waited++) {
    if (child.exitCode !== null || child.signalCode !== null || waited > PATIENCE) {
      child.kill('SIGKILL');
      throw new Error(`${file} does not listen`);
    }
    await sleep(1);
  }
  return {
    socket,
    pid: child.pid as number,
    async end() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await gone;
    },
  };
}

function compile(directory: string): string {
  const library = path.join(directory, 'no-hypervisor.so');
  if (!existsSync(library))
    execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, NO_HYPERVISOR], { stdio: 'inherit' });
  return library;
}
