/** The C limit: what is left of a tube without JavaScript and without sleep. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { LEAST_RING } from '../native/index.js';
import type { Case } from './question.js';
import type { Load } from './stream.js';
import type { World } from './world.js';

const ROOT = path.resolve(__dirname, '../..');
const NAME = 'C limit';
/** Far more than any measurement takes, in milliseconds. */
const PATIENCE = 120_000;

export const LIMIT = `${NAME}: the tube's ring and nothing else, C++ at both ends, which spin; compiled when the benchmark runs`;

/** None without a C++ compiler. */
export function limitOf(load: Load): readonly Case[] {
  return spawnSync('c++', ['--version']).error === undefined ? [measured(load)] : [];
}

function measured({ bytes, warmUp, seconds }: Load): Case {
  return {
    subject: `${bytes} B`,
    who: NAME,
    async measure(world) {
      const args = [bytes, LEAST_RING, warmUp, seconds].map(String);
      const { stdout } = await promisify(execFile)(compile(world), args, { timeout: PATIENCE });
      const { packets, cpu, switches } = JSON.parse(stdout) as Limit;
      return { packets, bytes: packets * bytes, cpu, switches: switches * 1000, lost: 0 };
    },
  };
}

/** As limit/limit.cc prints it. */
interface Limit {
  readonly packets: number;
  readonly cpu: number;
  readonly switches: number;
}

function compile({ directory }: World): string {
  const file = path.join(directory, 'limit');
  if (!existsSync(file)) {
    const source = path.join(ROOT, 'bench/limit/limit.cc');
    const flags = ['-std=c++17', '-O2', '-I', path.join(ROOT, 'native')];
    execFileSync('c++', [...flags, '-o', file, source], { stdio: 'inherit' });
  }
  return file;
}
