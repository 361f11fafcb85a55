/** The C limit: what is left of a tube without JavaScript and without sleep. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LEAST_RING } from '../native/index.js';
import { compiled, compilerVersion } from './compiler.js';
import type { Case } from './question.js';
import type { Load } from './stream.js';

const NAME = 'C limit';
/** Far more than any measurement takes, in milliseconds. */
const PATIENCE = 120_000;

export const LIMIT = `${NAME}: the tube's ring and nothing else, C++ at both ends, which spin; compiled when the benchmark runs`;

/** None without a C++ compiler. */
export function limitOf(load: Load): readonly Case[] {
  return compilerVersion() === undefined ? [] : [measured(load)];
}

function measured({ bytes, warmUp, seconds }: Load): Case {
  return {
    subject: `${bytes} B`,
    who: NAME,
    async measure({ directory }) {
      const args = [bytes, LEAST_RING, warmUp, seconds].map(String);
      const limit = compiled('limit', directory);
      const { stdout } = await promisify(execFile)(limit, args, { timeout: PATIENCE });
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
