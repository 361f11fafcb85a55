/** Command lines that make no sense: one line on stderr, which names what is wrong, and no stack trace. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { assertOtherUsers, USERS } from '../support/as-user';
import { Box } from '../support/box';
import { type Ended, run } from '../support/run';

const DIST = path.resolve('dist');
const PROGRAMS = {
  lingd: 'bin/lingd.js',
  'ling-xenstore': 'bin/ling-xenstore.js',
  aligner: 'examples/aligner/main.js',
  navel: 'examples/navel/main.js',
  bench: 'bench/main.js',
  'bench:actors': 'bench/actors.js',
  'bench:xenstore': 'bench/xenstore.js',
  soak: 'bench/soak.js',
  fuzz: '../test/fuzz/main.ts',
} as const;
type Name = keyof typeof PROGRAMS;

/** Compiles what is TypeScript. */
const HOOKS = path.resolve('test/fuzz/hooks.js');

const MISUSED = 2;
const FAILED = 1;

let box: Box;
let directory: string;
let file: string;
let rundir: string;
beforeAll(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'lt-'));
  file = path.join(directory, 'file');
  fs.chmodSync(directory, 0o755);
  fs.writeFileSync(file, 'x', { mode: 0o600 });
  box = new Box();
  await box.boot({ name: 'guest' });
  rundir = box.rundir;
});
afterAll(async () => {
  fs.rmSync(directory, { recursive: true });
  await box.close();
});

function start(name: Name, args: readonly string[], uid?: number): Promise<Ended> {
  const env = { XENSTORED_RUNDIR: rundir };
  const loader = PROGRAMS[name].endsWith('.ts') ? ['-r', HOOKS] : [];
  return run(process.execPath, [...loader, path.join(DIST, PROGRAMS[name]), ...args.map(filled)], {
    cwd: directory,
    env,
    uid,
  });
}

/** Names of what is only there once the tests run. */
function filled(arg: string): string {
  return arg
    .replace('RUNDIR', rundir)
    .replace('FILE', file)
    .replace('DIRECTORY', directory)
    .replace('MISSING', path.join(directory, 'missing/x'));
}

type Case = [line: string, named: string, status?: number];

/** Words are separated by spaces; '' is an empty one. */
function words(line: string): string[] {
  return line.split(' ').map((word) => (word === "''" ? '' : word));
}

const USUAL: Record<string, Case[]> = {
  lingd: [
    ['--nonsense', "'--nonsense'"],
    ['--rundr x', "'--rundr'"],
    ['nonsense', "'nonsense'"],
    ['--rundir', "'--rundir <directory>' argument missing"],
    ["--rundir ''", "'--rundir <directory>' argument '' is invalid"],
    ['--rundir FILE', 'FILE is no directory', FAILED],
    ['--rundir MISSING', 'MISSING cannot be made: ENOENT', FAILED],
    ['--rundir /proc/nonsense', '/proc/nonsense cannot be made', FAILED],
    ['--linger x', "'--linger <seconds>' argument 'x' is invalid"],
    ['--linger -1', "'--linger <seconds>' argument '-1' is invalid"],
    ['--linger 1e9', "'--linger <seconds>' argument '1e9' is invalid"],
    ['--linger NaN', "'--linger <seconds>' argument 'NaN' is invalid"],
    ['--quota x', "argument 'x' is invalid"],
    ['--quota nodes=1e99', "argument 'nodes=1e99' is invalid"],
    ["--policy ''", "'--policy <file>' argument '' is invalid"],
    ['--policy MISSING --rundir DIRECTORY/run', 'MISSING'],
    ['--policy DIRECTORY --rundir DIRECTORY/run', 'DIRECTORY'],
    ['--policy FILE --rundir DIRECTORY/run', 'FILE'],
    ['--log-level loud', "argument 'loud' is invalid"],
    ['--log-format xml', "argument 'xml' is invalid"],
    ['--lock x', "argument 'x' is invalid"],
    ['--lock -1', "argument '-1' is invalid"],
    ['--lock 1.5', "argument '1.5' is invalid"],
    ['--lock 999 --rundir DIRECTORY', 'EBADF', FAILED],
    ['status x', 'too many arguments'],
    ['status --nonsense', "'--nonsense'"],
    ['status --rundir FILE', 'FILE is no directory', 4],
    ['status --rundir MISSING', 'none serves MISSING', 3],
    ['log-level loud', "value 'loud' is invalid"],
    ['log-level info info', 'too many arguments'],
    ['quota x', "value 'x' is invalid"],
    ['quota nodes=-1', "value 'nodes=-1' is invalid"],
  ],
  'ling-xenstore': [
    ['--nonsense', "'--nonsense'"],
    ['nonsense', "'nonsense'"],
    ['--rundir', "'--rundir <directory>' argument missing"],
    ["--rundir '' ls", "'--rundir <directory>' argument '' is invalid"],
    ['--rundir FILE ls', 'FILE/socket', FAILED],
    ['--rundir MISSING ls', 'MISSING/socket', FAILED],
    ...['ls', 'read', 'write', 'list', 'exists', 'rm', 'chmod', 'watch', 'tubes'].map(
      (command): Case => [`${command} --nonsense`, "'--nonsense'"],
    ),
    ...['read', 'write', 'list', 'exists', 'rm', 'chmod', 'watch'].map(
      (command): Case => [command, "'path'"],
    ),
    ['write /x', "'value'"],
    ['write /x 1 /y', 'no value for /y'],
    ['chmod /x', "'permission'"],
    ['chmod /x z1', "value 'z1' is invalid"],
    ['chmod /x n', "value 'n' is invalid"],
    ['watch -n x /', "argument 'x' is invalid"],
    ['watch -n 1.5 /', "argument '1.5' is invalid"],
    ['watch -n', "'-n, --number <number>' argument missing"],
    ['tubes x', 'too many arguments'],
    ...['ls', 'read', 'list', 'watch'].map((command): Case => [`${command} bad//path`, 'bad//path', FAILED]),
    ['write bad//path 1', 'bad//path', FAILED],
    ['rm bad//path', 'bad//path', FAILED],
    ['chmod bad//path n0', 'bad//path', FAILED],
    ['read /missing', '/missing', FAILED],
  ],
  aligner: [
    ['--nonsense', "'--nonsense'"],
    ['a b c', 'too many arguments'],
    ['--workers 1e99', "argument '1e99' is invalid"],
    ['--batch NaN', "argument 'NaN' is invalid"],
    ['--max-mismatches -1', "argument '-1' is invalid"],
    ["--rundir ''", "argument '' is invalid"],
    ['--rundir FILE', 'FILE is no directory'],
    ['--rundir MISSING', 'MISSING cannot be made', FAILED],
    ['MISSING', 'MISSING: '],
    ['DIRECTORY', 'DIRECTORY: expected a regular file'],
    ['FILE', 'FILE'],
    ['--out DIRECTORY', 'DIRECTORY'],
    ['--out MISSING', 'MISSING'],
    ["''", "value '' is invalid"],
  ],
  navel: [
    ['nonsense', "'nonsense'"],
    ['pong', "'pong'"],
    ['pong x', "'pong x'"],
    ['pong -1', "'pong -1'"],
    ['pong 1 2', "'pong 1 2'"],
  ],
  soak: [
    ['--nonsense', "'--nonsense'"],
    ['--secnods 3', "'--secnods'"],
    ['nonsense', 'too many arguments'],
    ['--packets 0', "argument '0' is invalid"],
    ['--seconds -1', "argument '-1' is invalid"],
    ['--seed -1', "argument '-1' is invalid"],
    ['--mode other', "argument 'other' is invalid"],
    ['--report FILE', "'--report': EEXIST"],
    ['load --nonsense', "'--nonsense'"],
    ['load --domains many', "argument 'many' is invalid"],
  ],
  fuzz: [
    ['--nonsense', "'--nonsense'"],
    ['nonsense', "value 'nonsense' is invalid"],
    ['term --seconds x', "argument 'x' is invalid"],
    ['term --seconds 0', "argument '0' is invalid"],
    ['term --seed 1.5', "argument '1.5' is invalid"],
    ['term --patience -1', "argument '-1' is invalid"],
    ['term --input !!', "argument '!!' is invalid"],
    ['term --input', "'--input <base64>' argument missing"],
  ],
};

const OF_BENCHES: Case[] = [
  ['--nonsense', "'--nonsense'"],
  ['nonsense', 'too many arguments'],
  ['--only', "'--only <names...>' argument missing"],
  ['--only nonsense', "argument 'nonsense' is invalid"],
  ['--rivals nobody', "'nobody'"],
  ['--rounds 0', "argument '0' is invalid"],
  ['--rounds x', "argument 'x' is invalid"],
  ['--rounds 1.5', "argument '1.5' is invalid"],
  ['--json DIRECTORY', "'--json': EISDIR"],
  ['--json MISSING', "'--json': ENOENT"],
  ['--report FILE', "'--report': EEXIST"],
  ["--report ''", "'--report': ENOENT"],
  ['--profile FILE/x', "'--profile': ENOTDIR"],
];
for (const bench of ['bench', 'bench:actors', 'bench:xenstore']) USUAL[bench] = OF_BENCHES;
USUAL.bench = [
  ...OF_BENCHES,
  ['--sizes 4', "argument '4' is invalid"],
  ['--sizes x', "argument 'x' is invalid"],
  ['--full --quick', "'--full'"],
];

describe.each(Object.entries(USUAL))('%s', (name, cases) => {
  test.each(cases)('%s', async (line, named, status = MISUSED) => {
    expectComplaint(await start(name as Name, words(line)), named, status);
  });
});

describe('without permission', () => {
  beforeAll(assertOtherUsers);
  test.each<[name: Name, ...Case]>([
    ['lingd', '--rundir DIRECTORY', 'DIRECTORY', FAILED],
    ['lingd', '--rundir DIRECTORY/run', 'DIRECTORY/run cannot be made: EACCES', FAILED],
    ['lingd', '--policy FILE --rundir /tmp/lt-nobody', 'FILE'],
    ['lingd', 'status --rundir RUNDIR', 'RUNDIR', 4],
    ['ling-xenstore', '--rundir RUNDIR ls', 'RUNDIR', FAILED],
    ['aligner', 'FILE', 'FILE'],
    ['aligner', '--out DIRECTORY/out', 'DIRECTORY/out'],
    ['bench', '--json DIRECTORY/out', "'--json': EACCES"],
    ['bench', '--report DIRECTORY/out', "'--report': EACCES"],
    ['bench', '--report DIRECTORY', "'--report': EACCES"],
  ])('%s %s', async (name, line, named, status = MISUSED) => {
    const ended = await start(name, words(line), USERS.owner);
    expectComplaint(ended, named, status);
  });
});

function expectComplaint(ended: Ended, named: string, status: number): void {
  expect(ended.stderr).toContain(filled(named));
  expect([ended.status, ended.stdout]).toEqual([status, '']);
  expect(ended.stderr).toMatch(/^.*\n$/);
  expect(ended.stderr).not.toMatch(/^ +at |Error: /m);
}

// Of the two ways not to be read, the one that shells have and the one that ends a pipe.
describe('nobody reads what it prints', () => {
  const LINES: [name: Name, line: string][] = [
    ['lingd', '--help'],
    ['lingd', 'status'],
    ['lingd', 'quota'],
    ['ling-xenstore', '--help'],
    ['ling-xenstore', 'ls'],
    ['ling-xenstore', 'tubes'],
    ['ling-xenstore', 'watch -n 1 /'],
    ['aligner', '--help'],
    ['bench', '--help'],
  ];
  test.each(LINES)('%s %s', async (name, line) => {
    for (const redirection of ['>&-', '| true']) {
      const program = path.join(DIST, PROGRAMS[name]);
      const shell = spawn('bash', ['-c', `"${process.execPath}" "${program}" ${line} ${redirection}`], {
        cwd: directory,
        env: { ...process.env, XENSTORED_RUNDIR: rundir },
      });
      let complaints = '';
      shell.stderr.on('data', (text) => (complaints += text));
      await once(shell, 'close');
      expect(complaints).not.toMatch(/^ +at /m);
      expect(complaints.split('\n').length).toBeLessThanOrEqual(2);
    }
  });
});
