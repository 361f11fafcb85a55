/** Real Erlang: the programs in bench/erlang, compiled when the benchmark runs. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

const SOURCES = path.resolve(__dirname, '../../../bench/erlang');
/** As `Program` has patience: far more than any measurement takes. */
const PATIENCE = 120_000;

/** The version, as `erl` says it; undefined where there is no `erl` or no `erlc`. */
export function erlangVersion(): string | undefined {
  const erlc = spawnSync('erlc', ['+version']);
  const erl = spawnSync('erl', ['-version'], { encoding: 'utf8' });
  if (erlc.error !== undefined || erl.error !== undefined) return undefined;
  return `${erl.stdout}${erl.stderr}`.trim();
}

/** Runs one of the programs in an OS process of its own, and resolves with what it says. */
export async function runErlang<T>(
  directory: string,
  program: string,
  flags: readonly string[],
  args: readonly (string | number)[],
): Promise<T> {
  const compiled = compile(directory);
  const { stdout } = await promisify(execFile)(
    'erl',
    [...flags, '-noinput', '-pa', compiled, '-eval', `${program}:main().`, '-extra', ...args.map(String)],
    { timeout: PATIENCE },
  );
  return JSON.parse(stdout) as T;
}

function compile(directory: string): string {
  const compiled = path.join(directory, 'erlang');
  if (existsSync(compiled)) return compiled;
  mkdirSync(compiled);
  const sources = readdirSync(SOURCES).map((name) => path.join(SOURCES, name));
  execFileSync('erlc', ['-o', compiled, ...sources], { stdio: 'inherit' });
  return compiled;
}
