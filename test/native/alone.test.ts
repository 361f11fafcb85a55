import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from '../support/run';

let directory: string;

beforeAll(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'lt-alone-'));
});
afterAll(() => fs.rmSync(directory, { recursive: true }));

const native = ['packed_tube.cc', 'relief.cc', 'reactor.cc', 'os.cc'];

/** What is compiled with it, and its arguments: as it is, under the thread sanitizer, under that of addresses. */
const PROGRAMS: Record<string, [sources: string[], ...counts: number[][]]> = {
  'the rings: two threads in order, and nothing outside touched whatever the peer writes': [
    ['ring_test.cc'],
    [1_000_000, 10_000],
    [50_000, 1_000],
    [200_000, 10_000],
  ],
  'the relief: every packet once and in order however late its owner is, and ends at any time': [
    ['relief_test.cc', ...native.map((source) => `../../native/${source}`)],
    [300],
    [100],
    [200],
  ],
};

const MODES = [
  ['as it is', []],
  ['under the thread sanitizer', ['-fsanitize=thread', '-Wno-tsan']],
  ['under the address sanitizer', ['-fsanitize=address,undefined', '-fno-sanitize-recover']],
] as const;

describe.each(Object.entries(PROGRAMS))('%s', (_name, [sources, ...counts]) => {
  test.each(MODES.map(([name, flags], i) => [name, flags, counts[i]!] as const))(
    '%s',
    async (name, flags, counts) => {
      const program = path.join(directory, `${path.parse(sources[0]!).name}-${name.replaceAll(' ', '-')}`);
      const files = sources.map((source) => path.join(__dirname, source));
      const compile = ['-std=c++17', '-O2', '-pthread', ...flags, ...files, '-o', program];
      expect(await run('g++', compile, { patience: 60_000 })).toMatchObject({ status: 0, stderr: '' });
      const result = await run(program, counts.map(String), { patience: 60_000 });
      expect(result).toMatchObject({ status: 0, stderr: '' });
    },
    // On a machine that is busy with the other suites.
    130_000,
  );
});
