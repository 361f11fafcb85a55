import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from '../support/run';

const source = path.join(__dirname, 'ring_test.cc');
let directory: string;

beforeAll(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'lt-ring-'));
});
afterAll(() => fs.rmSync(directory, { recursive: true }));

test.each([
  ['as it is', [], 1_000_000, 10_000],
  ['under the thread sanitizer', ['-fsanitize=thread', '-Wno-tsan'], 50_000, 1_000],
  ['under the address sanitizer', ['-fsanitize=address,undefined', '-fno-sanitize-recover'], 200_000, 10_000],
])(
  'the ring, %s: two threads in order, and nothing outside touched whatever the peer writes',
  async (name, flags, packets, rounds) => {
    const program = path.join(directory, name.replaceAll(' ', '-'));
    const compile = ['-std=c++17', '-O2', '-pthread', ...flags, source, '-o', program];
    expect(await run('g++', compile, { patience: 60_000 })).toMatchObject({ status: 0, stderr: '' });
    const counts = [String(packets), String(rounds)];
    expect(await run(program, counts, { patience: 60_000 })).toMatchObject({ status: 0, stderr: '' });
  },
  // On a machine that is busy with the other suites.
  130_000,
);
