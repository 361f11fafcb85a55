import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeFd, createPipe, type ProgramToStart, startProgram } from '#native';
import { changesSince, eventually, holdings } from '../support/residue';

const before = holdings();
afterAll(() => eventually(() => changesSince(before), []));

interface Ended {
  readonly pid: number;
  readonly status: number | undefined;
  readonly output: string;
}

const bytes = (text: string): Buffer => Buffer.from(text);

/** Runs a command of the shell to its end; its output is descriptor 1, unless `stdio` says otherwise. */
async function run(
  command: string,
  more: Partial<ProgramToStart> = {},
  others: number[] = [],
): Promise<Ended> {
  const [input, output] = createPipe();
  const [status, report] = createPipe();
  const theirs = [output, report];
  try {
    const pid = startProgram({
      file: bytes('/bin/sh'),
      args: ['sh', '-c', command].map(bytes),
      env: [],
      cwd: bytes(''),
      stdio: [0, output, 2, ...others],
      report,
      ...more,
    });
    const answer = new Int32Array(1);
    for (const fd of theirs.splice(0)) closeFd(fd);
    const text = fs.readFileSync(input, 'utf8');
    return { pid, status: fs.readSync(status, answer) === 4 ? answer[0] : undefined, output: text };
  } finally {
    for (const fd of [input, status, ...theirs]) closeFd(fd);
  }
}

test.each([0, 1, 127, 128, 255])('tells of exit status %i', async (status) => {
  expect(await run(`exit ${status}`)).toMatchObject({ status });
});

const DEFAULT_IGNORED = [17, 18, 19, 20, 21, 22, 23, 28];
const deadly = Array.from({ length: 64 }, (_, i) => i + 1).filter((n) => !DEFAULT_IGNORED.includes(n));

test.each(deadly)('tells of signal %i, which is at its default', async (signal) => {
  expect(await run(`ulimit -c 0; kill -${signal} $$; exit 99`)).toMatchObject({ status: 128 + signal });
});

test('is in a session of its own, with no signal blocked or ignored', async () => {
  const { pid, output } = await run(
    // Not asked by a child of the shell, which blocks signals while it starts one.
    'echo $$; cut -d " " -f 6 /proc/$$/stat; exec grep -E "Sig(Blk|Ign)" /proc/self/status',
  );
  expect(output.split(/\s+/)).toEqual([
    `${pid}`,
    `${pid}`,
    'SigBlk:',
    '0000000000000000',
    'SigIgn:',
    '0000000000000000',
    '',
  ]);
});

const DESCRIPTORS = 'cd /proc/$$/fd; for fd in 0 1 2 3 4 5 6 7 8 9 ??*; do test -e $fd && echo $fd; done';

test.each<[others: number[], expected: string]>([
  [[], '0\n1\n2\n'],
  [[1], '0\n1\n2\n3\n'],
  [[-1, 1], '0\n1\n2\n4\n'],
  [[1, 2, 0, 1], '0\n1\n2\n3\n4\n5\n6\n'],
])('has the descriptors it is given, and no others: 0, 1, 2 and %j', async (others, expected) => {
  expect(await run(DESCRIPTORS, {}, others)).toMatchObject({ output: expected, status: 1 });
});

test.each<[call: string, code: string, more: Partial<ProgramToStart>]>([
  ['execve', 'ENOENT', { file: bytes('/no/such') }],
  ['execve', 'EACCES', { file: bytes('/etc') }],
  ['execve', 'E2BIG', { args: [Buffer.alloc(3_000_000, 'x')] }],
  ['chdir', 'ENOENT', { cwd: bytes('/no/such') }],
  ['dup', 'EBADF', { stdio: [0, 9999, 2] }],
  ['fcntl', 'EBADF', { report: 9999 }],
])('%s that fails with %s starts nothing', async (call, code, more) => {
  const syscall = call === 'dup' ? 'fcntl' : call;
  await expect(run('exit 0', more)).rejects.toMatchObject({ code, syscall });
});

test('is reaped when nobody asks for its end', async () => {
  const [status, report] = createPipe();
  const pid = startProgram({
    file: bytes('/bin/sleep'),
    args: ['sleep', '0.1'].map(bytes),
    env: [],
    cwd: bytes(''),
    stdio: [0, 1, 2],
    report,
  });
  for (const fd of [status, report]) closeFd(fd);
  await sleep(0);
  await eventually(() => fs.existsSync(`/proc/${pid}`), false);
});
