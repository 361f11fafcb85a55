/** Targets in C++: compiled by clang with libFuzzer and its sanitizers. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { readCorpus, writeCorpus } from './corpus';
import { MOST_BYTES } from './fuzzer';
import type { Task } from './worker';

/** What else each is compiled with. */
const SOURCES: Readonly<Record<string, readonly string[]>> = {
  rings: [],
  tubes: ['packed_tube.cc', 'ling_tube.cc', 'relief.cc', 'reactor.cc', 'os.cc'],
};
const COMPILER = process.env.FUZZ_CXX ?? 'clang++';
const FLAGS = ['-std=c++17', '-O1', '-g', '-pthread', '-fno-omit-frame-pointer'];
const SANITIZERS = ['-fsanitize=fuzzer,address,undefined', '-fno-sanitize-recover=all'];
const LIMITS = [`-max_len=${MOST_BYTES}`, '-rss_limit_mb=1024', '-print_final_stats=1'];

/** As supervise(). */
export async function fuzzNatively(task: Task, directory: string): Promise<boolean> {
  const { name, seconds, seed, patience, isKept, input } = task;
  const program = path.join(directory, name);
  const native = SOURCES[name]!.map((source) => path.join(__dirname, '../../native', source));
  const sources = [path.join(__dirname, 'targets', `${name}.cc`), ...native];
  const { status, output } = await run(COMPILER, [...FLAGS, ...SANITIZERS, ...sources, '-o', program]);
  if (status !== 0) return tell(`${name} does not compile:\n${output}`);

  const artifact = path.join(directory, 'finding');
  const limits = [...LIMITS, `-timeout=${Math.ceil(patience / 1000)}`, `-exact_artifact_path=${artifact}`];
  const execute = (...args: string[]) => run(program, [...limits, ...args]);
  if (input !== undefined) {
    const file = path.join(directory, 'input');
    fs.writeFileSync(file, Buffer.from(input, 'base64'));
    const replayed = await execute(file);
    console.log(replayed.output);
    return replayed.status === 0;
  }
  const corpus = readCorpus(name);
  const [old, found, needed] = ['old', 'found', 'needed'].map((folder) => path.join(directory, folder));
  for (const folder of [old!, found!, needed!]) fs.mkdirSync(folder);
  for (const [i, bytes] of corpus.entries()) fs.writeFileSync(path.join(old!, String(i)), bytes);
  /** So few inputs that they reach together what all do become the corpus; how many there are, or undefined if it went wrong. */
  const keep = async (): Promise<number | undefined> => {
    const merged = await execute('-merge=1', needed!, found!, old!);
    if (merged.status !== 0) return void tell(`${name}, seed ${seed}:\n${merged.output}`);
    const inputs = fs.readdirSync(needed!).map((file) => fs.readFileSync(path.join(needed!, file)));
    writeCorpus(name, inputs);
    return inputs.length;
  };
  const fuzzed = await execute(`-seed=${seed}`, `-max_total_time=${seconds}`, found!, old!);
  if (fuzzed.status !== 0) {
    const culprit = fs.existsSync(artifact) ? fs.readFileSync(artifact).toString('base64') : '(unknown)';
    return tell(`${name}, seed ${seed}:\n${fuzzed.output}\nnpm run fuzz -- ${name} --input ${culprit}`);
  }
  const kept = isKept ? await keep() : corpus.length;
  if (kept === undefined) return false;
  const figure = (pattern: RegExp) => [...fuzzed.output.matchAll(pattern)].at(-1)?.[1];
  console.log(
    [
      `${name}: ${figure(/number_of_executed_units: +(\d+)/g)} executions, new inputs for ${seconds} s, the slowest ${figure(/slowest_unit_time_sec: +(\d+)/g)} s`,
      `corpus ${corpus.length} -> ${kept}`,
      `reached ${figure(/ cov: (\d+) /g)} edges`,
      `memory ${figure(/peak_rss_mb: +(\d+)/g)} MiB at most`,
      `seed ${seed}`,
    ].join('; '),
  );
  return true;
}

function tell(what: string): false {
  console.log(what);
  return false;
}

/** All that it prints, on whichever stream. */
async function run(file: string, args: readonly string[]): Promise<{ status: unknown; output: string }> {
  const child: ChildProcess = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [[status], ...printed] = await Promise.all([
    once(child, 'close'),
    text(child.stdout!),
    text(child.stderr!),
  ]);
  return { status, output: printed.join('') };
}
