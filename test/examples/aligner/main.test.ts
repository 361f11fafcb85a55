import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readFasta } from '#examples/aligner/fasta';
import { readFastq } from '#examples/aligner/fastq';
import { partition } from '#examples/aligner/partition';
import { samHeader, samLines } from '#examples/aligner/sam';
import { PartSearch } from '#examples/aligner/search';
import { boot, ok, xenstore } from '#lib/index';
import { simulateReads } from '../../support/simulate-reads';

const ROOT = path.resolve(__dirname, '../../..');
const MAIN = path.join(ROOT, 'dist/examples/aligner/main.js');
const LAMBDA = path.join(ROOT, 'examples/aligner/data/lambda.fa');
const READS = path.join(ROOT, 'examples/aligner/data/reads.fq');
const { version } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8'));

const MANY = 20_000;
// Each of these runs several OS processes, on a machine that may be busy with others.
jest.setTimeout(90_000);

const shared = fs.mkdtempSync(path.join(os.tmpdir(), 'aligner-reads-'));
const manyReads = path.join(shared, 'many.fq');
let expectedOfMany: string;

beforeAll(async () => {
  await writeManyReads(manyReads);
  expectedOfMany = await expected(LAMBDA, manyReads);
});

afterAll(() => fs.rmSync(shared, { recursive: true }));

let directory: string;
let rundir: string;
let out: string;
const masters: ChildProcess[] = [];

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'aligner-'));
  rundir = path.join(directory, 'run');
  out = path.join(directory, 'out.sam');
});

afterEach(async () => {
  for (const master of masters.splice(0)) master.kill('SIGKILL');
  // lingd, too, and whatever domain is left, would show here.
  await until(() => processes().length === 0 && !fs.existsSync(rundir));
  fs.rmSync(directory, { recursive: true });
});

interface Run {
  readonly master: ChildProcess;
  readonly ended: Promise<{ status: number | null; signal: string | null; stdout: string; stderr: string }>;
}

function start(...args: string[]): Run {
  // Whoever runs this in CI has colours everywhere.
  const env = { ...process.env, LINGD_LINGER: '0.5', NO_COLOR: '1' };
  const master = spawn(process.execPath, [MAIN, '--rundir', rundir, ...args], { cwd: directory, env });
  masters.push(master);
  let stdout = '';
  let stderr = '';
  master.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  master.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = once(master, 'close').then(([status, signal]) => ({ status, signal, stdout, stderr }));
  return { master, ended };
}

const run = (...args: string[]) => start(...args).ended;

/** The OS processes that have to do with this test: the run directory is in their arguments or environment. */
function processes(program = ''): number[] {
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        const [command, environment] = ['cmdline', 'environ'].map((file) =>
          fs.readFileSync(`/proc/${pid}/${file}`, 'latin1'),
        ) as [string, string];
        const isZombie = /\) Z /.test(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'));
        return !isZombie && command.includes(program) && (command + environment).includes(rundir);
      } catch {
        return false; // Gone meanwhile, or not ours.
      }
    })
    .map(Number);
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It was quicker.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`still false: ${condition}`);
    await sleep(5);
  }
}

/** Reads enough to keep workers busy for a while. */
async function writeManyReads(file: string): Promise<void> {
  const genome = await readFasta(LAMBDA);
  const simulated = simulateReads(genome, { reads: MANY, length: 100, maxMismatches: 3, seed: 7 });
  const text = simulated.map(
    ({ read }) => `@${read.name}\n${latin1(read.sequence)}\n+\n${latin1(read.quality)}\n`,
  );
  fs.writeFileSync(file, text.join(''), 'latin1');
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

/** What has to come out, made in this process from the genome as a whole. */
async function expected(genomeFile: string, reads: string, maxMismatches = 2): Promise<string> {
  const genome = await readFasta(genomeFile);
  const search = new PartSearch(partition(genome, 1, 0)[0]!, { maxMismatches });
  let text = samHeader(genome, { name: 'ling-tubes-aligner', version });
  for await (const batch of readFastq(reads)) {
    for (const read of batch) text += samLines(genome, read, search.search(read.sequence));
  }
  return text;
}

const result = () => fs.readFileSync(out, 'latin1');

/** A first part of the result has been written, and more is to come. */
async function isUnderWay(): Promise<void> {
  await until(() =>
    fs
      .readdirSync(directory)
      .some((name) => name.endsWith('.tmp') && fs.statSync(path.join(directory, name)).size > 0),
  );
}

function expectNoResult(): void {
  expect(fs.readdirSync(directory).filter((name) => name.startsWith('out.sam'))).toEqual([]);
}

describe('the result', () => {
  test.each([
    { workers: 1, batch: 250, maxMismatches: 2 },
    { workers: 3, batch: 250, maxMismatches: 2 },
    { workers: 4, batch: 7, maxMismatches: 0 },
    { workers: 2, batch: 1000, maxMismatches: 1 },
  ])('is that of one search of everything, with $workers workers and batches of $batch', async (some) => {
    const args = ['--workers', some.workers, '--batch', some.batch, '--max-mismatches', some.maxMismatches];
    const { status, stdout } = await run(LAMBDA, READS, '--out', out, '--json', ...args.map(String));
    expect(status).toBe(0);
    expect(result()).toBe(await expected(LAMBDA, READS, some.maxMismatches));
    const figures = JSON.parse(stdout);
    expect(stdout.trim().split('\n')).toHaveLength(1);
    expect(figures).toMatchObject({ out, workers: some.workers, workersLost: 0, reads: 500, drops: 0 });
    if (some.maxMismatches === 2) expect(figures.mapped).toBe(291);
    expect(figures.packetsSent).toBeGreaterThan(figures.bytesSent / 4001);
    expect(figures.bytesReceived).toBeGreaterThan(0);
  });

  test('is the same for several records, more workers than bases, reads of no letters and too long ones', async () => {
    const genome = path.join(directory, 'small.fa');
    const reads = path.join(directory, 'small.fq');
    fs.writeFileSync(genome, '>a\nACGTN\n>b\nAC\n');
    fs.writeFileSync(reads, '@1\nAC\n+\nII\n@2\n\n+\n\n@3\nACGTNACGTN\n+\nIIIIIIIIII\n@4\nGT\n+\nII\n');
    const { status, stdout } = await run(genome, reads, '--out', out, '--json', '--workers', '9');
    expect(status).toBe(0);
    expect(result()).toBe(await expected(genome, reads));
    expect(JSON.parse(stdout).workers).toBe(7);
  });

  test('is aligned.sam, of the sample data, by three workers, with a table, where nothing else is said', async () => {
    const { status, stdout, stderr } = await run();
    expect(status).toBe(0);
    expect(fs.readFileSync(path.join(directory, 'aligned.sam'), 'latin1')).toBe(
      await expected(LAMBDA, READS),
    );
    expect(stdout).toMatch(/workers .* 3 /);
    expect(stdout).toMatch(/mapped .* 291 \(58\.2 %\)/);
    expect(stdout).toMatch(/drops .* 0 /);
    expect(stderr).toContain(`XENSTORED_RUNDIR=${rundir} xenstore-ls -p`);
  });

  test('takes the place of an older one', async () => {
    fs.writeFileSync(out, 'old');
    expect((await run(LAMBDA, READS, '--out', out)).status).toBe(0);
    expect(result()).toBe(await expected(LAMBDA, READS));
  });
});

describe('while it runs', () => {
  test('a domain of its own for the master and for each worker is there, all to be seen in Xenstore', async () => {
    const { master } = start(LAMBDA, manyReads, '--out', out, '--workers', '3');
    await isUnderWay();
    const observer = await boot({ name: 'observer', rundir });
    const names = await observer.run(async (self) => {
      const domids = ok(await xenstore.list(self, '/local/domain'));
      const read = (domid: string) => xenstore.read(self, `/local/domain/${domid}/name`);
      return (await Promise.all(domids.map(read))).map(([, name]) => name);
    });
    await observer.stop();
    expect(names).toEqual(expect.arrayContaining(['aligner', 'worker-1', 'worker-2', 'worker-3']));
    expect(processes('worker.js')).toHaveLength(3);
    master.kill();
    await once(master, 'close');
  });

  test.each([1, 3])(
    '%i of 3 workers can be killed, and the result is the same to the byte',
    async (count) => {
      const { ended } = start(LAMBDA, manyReads, '--out', out, '--json', '--workers', '3');
      await isUnderWay();
      for (const pid of processes('worker.js').slice(0, count)) kill(pid, 'SIGKILL');
      const { status, stdout } = await ended;
      expect(status).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ reads: MANY, workersLost: count, drops: 0 });
      expect(result() === expectedOfMany).toBe(true);
    },
  );

  test.each([
    ['lingd', 0],
    ['lingd and a worker', 1],
    ['a worker that lingd is too late to tell of, and lingd', 1],
    ['lingd, and a worker after that', 1],
  ])('%s can be killed, and the result is the same to the byte', async (target, workersLost) => {
    const { ended } = start(LAMBDA, manyReads, '--out', out, '--json', '--workers', '2');
    await isUnderWay();
    await killAll(target);
    const { status, stdout } = await ended;
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ reads: MANY, workersLost, drops: 0 });
    expect(result() === expectedOfMany).toBe(true);
  });

  test.each([
    ['lingd', true],
    ['lingd and a worker', false],
    ['a worker that lingd is too late to tell of, and lingd', false],
  ])(
    'where lingd cannot be started again, %s can be killed (%p): otherwise that is said',
    async (target, can) => {
      const { ended } = start(LAMBDA, manyReads, '--out', out, '--workers', '2');
      await isUnderWay();
      // Nobody trusts such a directory.
      fs.chmodSync(rundir, 0o777);
      await killAll(target);
      const { status, stderr } = await ended;
      expect(status).toBe(can ? 0 : 1);
      if (can) expect(result() === expectedOfMany).toBe(true);
      else {
        expect(stderr).toMatch(/^aligner: worker-\d has ended \(SIGKILL\), and lingd is gone$/m);
        expectNoResult();
      }
      // What a lingd that was killed has left.
      await until(() => processes().length === 0);
      fs.rmSync(rundir, { recursive: true, force: true });
    },
  );

  async function killAll(target: string): Promise<void> {
    const lingd = processes('lingd.js')[0]!;
    const worker = processes('worker.js')[0]!;
    if (target.startsWith('a worker')) {
      kill(lingd, 'SIGSTOP');
      kill(worker, 'SIGKILL');
      // The master has seen that.
      await until(() => !fs.existsSync(`/proc/${worker}`));
    }
    kill(lingd, 'SIGKILL');
    if (target.endsWith('after that')) await until(() => processes('lingd.js').some((pid) => pid !== lingd));
    if (target.startsWith('lingd') && target.includes('worker')) kill(worker, 'SIGKILL');
  }

  test('workers that die again and again end it with status 1 and no result', async () => {
    const { master, ended } = start(LAMBDA, READS, '--out', out);
    while (master.exitCode === null && master.signalCode === null) {
      for (const pid of processes('worker.js')) kill(pid, 'SIGKILL');
      await sleep(5);
    }
    const { status, stdout, stderr } = await ended;
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^aligner: 3 workers died in a row: worker-\d-3: /m);
    expectNoResult();
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s ends it with status %i, and leaves nothing', async (signal, expectedStatus) => {
    fs.writeFileSync(out, 'old');
    const { master, ended } = start(LAMBDA, manyReads, '--out', out);
    await isUnderWay();
    master.kill(signal);
    const { status, stdout } = await ended;
    expect([status, stdout]).toEqual([expectedStatus, '']);
    expect(processes('worker.js')).toEqual([]);
    expect(result()).toBe('old');
    fs.rmSync(out);
    expectNoResult();
  });

  test.each([0, 100, 200, 300, 400, 600])(
    'a signal after %i ms, in whatever state, leaves nothing either',
    async (delay) => {
      const { master, ended } = start(LAMBDA, READS, '--out', out);
      await sleep(delay);
      // What Ctrl-C in a terminal does: all of them get it.
      for (const pid of processes('aligner')) if (pid !== master.pid) kill(pid, 'SIGINT');
      master.kill('SIGINT');
      const { status } = await ended;
      expect(processes('worker.js')).toEqual([]);
      if (status !== 0) expectNoResult();
    },
  );

  test('the end of the master is the end of the workers, even when it is killed', async () => {
    const { master, ended } = start(LAMBDA, manyReads, '--out', out);
    await isUnderWay();
    expect(processes('worker.js')).toHaveLength(3);
    master.kill('SIGKILL');
    await ended;
    await until(() => processes().length === 0);
  });
});

describe('bad input', () => {
  const fasta = '>a\nACGT\n';
  const fastq = '@1\nAC\n+\nII\n';

  test.each([
    ['a genome that is not there', undefined, fastq, /^genome: no such file or directory$/],
    ['reads that are not there', fasta, undefined, /^reads: no such file or directory$/],
    ['an empty genome', '', fastq, /^genome:1: expected '>', found the end of the file$/],
    ['a genome without a header', 'ACGT\n', fastq, /^genome:1: expected '>', found 'ACGT'$/],
    ['a header without a name', '>\nA\n', fastq, /^genome:1: expected a name after '>'/],
    ['a record without letters', '>a\n>b\nA\n', fastq, /^genome:2: expected the sequence of 'a'/],
    ['two records of one name', '>a\nA\n>a\nA\n', fastq, /^genome:3: expected a new name, found 'a' again$/],
    ['a letter of no base', '>a\nAC!\n', fastq, /^genome:2: expected nucleotide letters or '>', found '!'$/],
    ['empty reads', fasta, '', /^reads:1: expected '@', found the end of the file$/],
    ['a read without @', fasta, 'x\n', /^reads:1: expected '@', found 'x'$/],
    ['a read without +', fasta, '@1\nAC\nII\n', /^reads:3: expected '\+', found 'II'$/],
    ['too few qualities', fasta, '@1\nAC\n+\nI\n', /^reads:4: expected 2 qualities, one a base, found 1$/],
    [
      'a quality out of range',
      fasta,
      '@1\nAC\n+\nI\x07\n',
      /^reads:4: expected qualities from '!' to '~', found/,
    ],
    ['reads cut short', fasta, `${fastq}@2\nAC\n`, /^reads:7: expected '\+', found the end of the file$/],
    ['packed reads', fasta, '\x1f\x8b\x08\x00', /^reads:1: expected '@', found gzip data/],
    [
      'a bad read behind many good ones',
      fasta,
      `${fastq.repeat(3000)}@`,
      /^reads:12001: expected a name of 1 to/,
    ],
  ])('%s: one line, status 2, no result', async (_name, genome, reads, message) => {
    if (genome !== undefined) fs.writeFileSync(path.join(directory, 'genome'), genome, 'latin1');
    if (reads !== undefined) fs.writeFileSync(path.join(directory, 'reads'), reads, 'latin1');
    const { status, stdout, stderr } = await run('genome', 'reads', '--out', out);
    expect(stderr.trimEnd()).toMatch(message);
    expect([status, stdout, stderr.split('\n').length]).toEqual([2, '', 2]);
    expectNoResult();
  });

  test('a directory is no input', async () => {
    const { status, stderr } = await run(directory, READS, '--out', out);
    expect([status, stderr]).toEqual([2, `${directory}: expected a regular file\n`]);
  });
});

describe('options that make no sense', () => {
  test.each([
    [['--workers', '0'], /'--workers <n>' argument '0' is invalid. Expected an integer from 1 to 64/],
    [['--workers', '65'], /from 1 to 64/],
    [['--workers', 'three'], /from 1 to 64/],
    [['--workers', '1.5'], /from 1 to 64/],
    [['--workers', '-1'], /from 1 to 64/],
    [['--workers'], /argument missing/],
    [['--batch', '0'], /from 1 to 100000/],
    [['--max-mismatches', '10'], /from 0 to 9/],
    [['--out', ''], /Expected a name/],
    [['--rundir', ''], /Expected a name/],
    [['--nonsense'], /unknown option '--nonsense'/],
    [['a', 'b', 'c'], /too many arguments/],
    [['--out', '.'], /expected a regular file or a new name/],
    [['--out', 'missing/out.sam'], /missing\/out.sam: cannot write: no such file or directory/],
  ])('%j: one line, status 2', async (args, message) => {
    const { status, stdout, stderr } = await run(...args);
    expect(stderr).toMatch(message);
    expect([status, stdout, stderr.split('\n').length]).toEqual([2, '', 2]);
    expect(stderr).toMatch(/^aligner: /);
  });

  test('the result cannot be written over what it is made of', async () => {
    const genome = path.join(directory, 'genome.fa');
    fs.copyFileSync(LAMBDA, genome);
    const { status, stderr } = await run(genome, READS, '--out', genome);
    expect([status, stderr]).toEqual([2, `aligner: ${genome} is to be read and to be written\n`]);
  });

  test('--help is none of them', async () => {
    const { status, stdout, stderr } = await run('--help');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^Usage: aligner \[options\] \[genome\] \[reads\]/);
  });
});
