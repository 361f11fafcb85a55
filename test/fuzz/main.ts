/**
 * `npm run fuzz -- [target ...] [--seconds N] [--seed N] [--patience ms] [--keep] [--input base64]`: gives each target (all of them, if none is
 * named) so many seconds of new inputs, beginning with its corpus, and prints a line. With --keep what has reached something new
 * goes into the corpus. Status 1 when something was wrong: then it prints how to execute the culprit again, by --input.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { fuzzNatively } from './native';
import { supervise } from './supervisor';

const folder = path.join(__dirname, 'targets');
const targets = fs.readdirSync(folder).filter((file) => /\.(ts|cc)$/.test(file));

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(1 + Math.floor(Math.random() * 0x7fff_fffe)) },
      // Also on a machine that is busy with others.
      patience: { type: 'string', default: '10000' },
      keep: { type: 'boolean', default: false },
      input: { type: 'string' },
    },
  });
  const names = positionals.length > 0 ? positionals : targets.map((file) => path.parse(file).name);
  for (const name of names) {
    const { input } = values;
    const [seconds, seed, patience] = [values.seconds, values.seed, values.patience].map(Number) as [
      number,
      number,
      number,
    ];
    const task = { name, seconds, seed, patience, isKept: values.keep, input };
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'fuzz-'));
    try {
      const fuzz = targets.includes(`${name}.cc`) ? fuzzNatively : supervise;
      if (!(await fuzz(task, directory))) process.exitCode = 1;
    } finally {
      fs.rmSync(directory, { recursive: true, force: true });
    }
  }
}

void main();
