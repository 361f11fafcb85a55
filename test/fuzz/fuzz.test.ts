/** Every target with its whole corpus and, for a moment, with inputs that nobody has seen yet. For longer: npm run fuzz. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Ended, run } from '../support/run';
import { readCorpus } from './corpus';

const SECONDS = process.env.FUZZ_SECONDS ?? '2';
const targets = fs.readdirSync(path.join(__dirname, 'targets')).filter((file) => /\.(ts|cc)$/.test(file));

let directory: string;

beforeAll(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'lt-fuzz-'));
});
afterAll(() => fs.rmSync(directory, { recursive: true }));

function fuzz(...args: string[]): Promise<Ended> {
  const program = ['-r', path.join(__dirname, 'hooks.js'), path.join(__dirname, 'main.ts')];
  const patience = 120_000 + Number(SECONDS) * 1000;
  return run(process.execPath, [...program, ...args], { patience, env: { TMPDIR: directory } });
}

describe.each(targets.map((file) => path.parse(file).name))('%s', (name) => {
  test('has a corpus', () => {
    const corpus = readCorpus(name);
    expect(corpus.length).toBeGreaterThan(10);
    expect(corpus.filter(({ length }) => length === 0 || length > 1024)).toEqual([]);
  });

  test(
    'stands every input',
    async () => {
      const { status, stdout, stderr } = await fuzz(name, '--seconds', SECONDS);
      // With the seed, by which all of it can be done again.
      process.stdout.write(stdout);
      expect({ status, stderr, stdout }).toEqual({
        ...{ status: 0, stderr: '' },
        stdout: expect.stringContaining(' executions, '),
      });
    },
    150_000 + Number(SECONDS) * 1000,
  );
});

describe('the fuzzer itself', () => {
  const FAULTS: [name: string, said: RegExp, begins: RegExp][] = [
    ['deep', /too deep/, /^deep/],
    ['endless', /has taken more than 1000 ms/, /^[\x80-\xff]/],
    ['ending', /has ended the OS process \(SIGSEGV\)/, /^[\x80-\xff]/],
  ];

  test.each(FAULTS)('finds out what is %s, and the input', async (name, said, begins) => {
    const target = `../faulty/${name}`;
    const args = ['--seconds', '20', '--seed', '1', '--patience', '1000'];
    const { status, stdout } = await fuzz(target, ...args);
    expect({ status, stdout }).toEqual({ status: 1, stdout: expect.stringMatching(said) });
    const input = /--input (\S+)/.exec(stdout)![1]!;
    expect(Buffer.from(input, 'base64').toString('latin1')).toMatch(begins);
    // That alone, too, and another one not.
    const again = await fuzz(target, '--input', input, '--patience', '1000');
    expect({ ...again, status }).toMatchObject({ status: 1, stdout: expect.stringMatching(said) });
    expect(await fuzz(target, '--input', 'eA==')).toMatchObject({ status: 0, stderr: '' });
  });

  test('finds out who keeps memory', async () => {
    const { status, stdout } = await fuzz('../faulty/hoarding', '--seconds', '2');
    expect({ status, stdout }).toEqual({
      status: 1,
      stdout: expect.stringMatching(/memory has grown by \d+/),
    });
  });

  test('has left nothing of all that', () => {
    expect(fs.readdirSync(directory)).toEqual([]);
  });
});
