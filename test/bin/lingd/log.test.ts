/** What lingd says of itself on stderr. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { closeFd, connectUnix } from '#native';
import { LinuxHypervisor } from '#xen/linux-hypervisor';
import { Box, LINGD } from '../../support/box';
import { eventually } from '../../support/residue';
import { run } from '../../support/run';

let box: Box;
const hypervisors: LinuxHypervisor[] = [];

beforeEach(() => {
  box = new Box();
});
afterEach(async () => {
  await leave();
  await box.close();
});

/** Ends all domains of this OS process. */
async function leave(): Promise<void> {
  await Promise.all(hypervisors.splice(0).map((hypervisor) => hypervisor.close()));
}

async function join(name = 'test', directory = box.rundir): Promise<LinuxHypervisor> {
  const hypervisor = await LinuxHypervisor.connect({ name, directory });
  hypervisors.push(hypervisor);
  return hypervisor;
}

/** Ends a lingd without domains. */
async function stop(lingd: ChildProcess): Promise<void> {
  await leave();
  lingd.kill('SIGTERM');
  await once(lingd, 'close');
  expect(lingd.exitCode).toBe(0);
}

/** What a lingd has said when it has ended. */
async function endOf(lingd: ChildProcess): Promise<string[]> {
  let said = '';
  lingd.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await stop(lingd);
  return said.split('\n').slice(0, -1);
}

const UID = process.getuid?.();
const LEVELS = ['silent', 'error', 'warn', 'info', 'debug'];
const EVENTS: readonly (readonly [level: string, event: RegExp])[] = [
  ['warn', /^domains of before cannot come back$/],
  ['info', /^serving$/],
  ['debug', /^tool connected$/],
  ['info', /^domain joined$/],
  ['debug', /^request refused$/],
  ['info', /^guest joined$/],
  ['warn', /^connection cut off$/],
  ['info', /^domain left$/],
  ['info', /^stopping$/],
  ['info', /^stopped$/],
];

/** A lingd to which something of every level happens. */
async function story(...args: string[]): Promise<string[]> {
  fs.mkdirSync(box.rundir, { mode: 0o700 });
  fs.writeFileSync(path.join(box.rundir, 'lingd.state'), 'damaged\n');
  const lingd = await box.lingd(...args);
  await box.client('socket').read('/');
  const domain = await join('the client');
  await expect(domain.xenstore.write('data/x', 'x'.repeat(4000))).resolves.toBeUndefined();
  for (let i = 0; i < 3; i++) await domain.xenstore.write(`data/${i}`, '').catch(() => {});
  const guest = box.client('domain');
  await guest.read('domid');
  const sender = box.client('domain');
  await sender.read('domid');
  // Longer than a packet may be.
  await run('perl', ['-e', CUT_OFF, path.join(box.rundir, 'domain')]);
  await domain.close();
  await eventually(() => box.client('socket').directory('/local/domain'), ['2', '3']);
  const lines = await endOf(lingd);
  fs.rmSync(box.rundir, { recursive: true, force: true });
  return lines;
}

const CUT_OFF = `use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0); connect(S, pack_sockaddr_un(shift)) or die $!;
  syswrite S, pack('V4', 2, 1, 0, 5000); sysread S, my $b, 1;`;

describe.each(LEVELS)('--log-level %s', (level) => {
  const isSaid = (at: string) => LEVELS.indexOf(at) <= LEVELS.indexOf(level);

  test('as JSON', async () => {
    const args = ['--log-level', level, '--log-format', 'json', '--quota', 'nodes=4'];
    const lines = (await story(...args)).map((line) => JSON.parse(line));
    expect(lines.filter((line) => !isSaid(line.level))).toEqual([]);
    for (const [at, event] of EVENTS) {
      const found = lines.filter(({ level, msg }) => level === at && event.test(msg));
      expect([event, found.length > 0]).toEqual([event, isSaid(at)]);
    }
    for (const { time, pid } of lines)
      expect([new Date(time).toISOString(), typeof pid]).toEqual([time, 'number']);
    // It is lingd's own, also where another one is told of.
    expect(new Set(lines.map(({ pid }) => pid)).size).toBe(Math.min(1, lines.length));
    if (!isSaid('info')) return;
    expect(lines).toContainEqual(
      expect.objectContaining({ msg: 'domain joined', domid: 1, name: 'the client' }),
    );
    expect(lines).toContainEqual(
      expect.objectContaining({
        msg: 'domain left',
        domid: 1,
        name: 'the client',
        seconds: expect.any(Number),
      }),
    );
    expect(lines).toContainEqual(expect.objectContaining({ msg: 'stopping', why: 'SIGTERM' }));
    expect(lines).toContainEqual(
      expect.objectContaining({
        msg: 'domains of before cannot come back',
        why: expect.stringMatching(/ is damaged in line 1$/),
      }),
    );
  });

  test('as text', async () => {
    const lines = await story('--log-level', level, '--quota', 'nodes=4');
    const parts = lines.map(
      (line) => /^\d{4}-\d\d-\d\dT[\d:.]+Z lingd\[\d+\] (\w+): (.*)$/.exec(line) ?? [line],
    );
    expect(parts.filter(([, at]) => at === undefined || !isSaid(at))).toEqual([]);
    for (const [at, event] of EVENTS) {
      const text = new RegExp(event.source.replace(/\$$/, '( [a-z]+=|$)'));
      const found = parts.filter(([, level, said = '']) => level === at && text.test(said));
      expect([event, found.length > 0]).toEqual([event, isSaid(at)]);
    }
    if (isSaid('info'))
      expect(parts.map(([, , said]) => said)).toContain(`domain joined domid=1 name="the client" uid=${UID}`);
  });
});

test.each([['--log-level', 'loud'], ['--log-level'], ['--log-format', 'xml'], ['--log-level', '']])(
  'status 2 for %s %s',
  async (...args) => {
    const { status, stderr } = await run(process.execPath, [LINGD, ...args.map((arg) => arg ?? '')]);
    expect([status, stderr]).toEqual([2, expect.stringMatching(/^lingd: .*\n$/)]);
  },
);

describe('nobody forges a line', () => {
  const NAMES = [
    'a\u2028b',
    'a\u2029b',
    'a\u202eb',
    'a" domid=7 name="b',
    'a\\nb',
    '\u{e0001}x',
    'a level=error',
  ];

  test.each(['text', 'json'])('by the name of a domain, as %s', async (format) => {
    const lingd = await box.lingd('--log-format', format);
    for (const name of NAMES) await (await join(name)).close();
    await eventually(() => box.client('socket').directory('/local/domain'), []);
    const lines = await endOf(lingd);
    for (const line of lines) expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    const joined = lines.filter((line) => line.includes('domain joined'));
    const names = joined.map((line) => (format === 'json' ? JSON.parse(line).name : nameIn(line)));
    expect(names).toEqual(NAMES);
  });

  /** The name that a reader of `name=value` finds. */
  function nameIn(line: string): string {
    const [, text] = /domain joined domid=\d+ name=("(?:[^"\\]|\\.)*"|\S+) uid=\d+$/.exec(line) ?? [];
    return text?.startsWith('"') ? JSON.parse(text) : String(text);
  }

  test('by the name of a directory', async () => {
    const parent = fs.mkdtempSync(`${box.rundir}-`);
    const directory = path.join(parent, 'a\n2026 lingd[1] error: forged\u001b[2J');
    const args = ['--foreground', '--linger', '0', '--rundir', directory];
    const { status, stderr } = await run(process.execPath, [LINGD, ...args]);
    expect(status).toBe(0);
    expect(stderr.split('\n').filter((line) => !/^(\d{4}-\S+ lingd\[\d+\] info: |$)/.test(line))).toEqual([]);
    fs.rmSync(parent, { recursive: true });
  });
});

describe('stderr', () => {
  async function startWith(stderr: number | 'pipe', env: Record<string, string> = {}): Promise<ChildProcess> {
    const args = ['--foreground', '--rundir', box.rundir, '--log-level', 'debug'];
    const lingd = spawn(process.execPath, [LINGD, ...args], {
      stdio: ['ignore', 'pipe', stderr],
      env: { ...process.env, ...env },
    });
    await once(lingd.stdout!, 'data');
    return lingd;
  }

  /** Much happens, of which each is a line or two. */
  async function muchHappens(): Promise<void> {
    const domain = await join();
    await domain.xenstore.mkdir('data/x');
    const wanted = Array.from({ length: 10_000 }, () =>
      domain.xenstore.setPerms('data/x', Array(9).fill('n1')),
    );
    expect((await Promise.allSettled(wanted)).every(({ status }) => status === 'rejected')).toBe(true);
  }

  test('that nobody reads holds lingd up as little as one that is closed', async () => {
    const lingd = await startWith('pipe');
    await muchHappens();
    expect(await (await join()).xenstore.readString('domid')).toBe('2');
    // What has been lost is said as soon as there is room.
    let said = '';
    lingd.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    await eventually(() => /info: domain joined domid=1 /.test(said), true);
    await join();
    await eventually(() => /warn: log lines lost lines=[1-9]\d*\n/.test(said), true);
    expect(said.split('\n').filter((line) => !/^(\d{4}-\S+ lingd\[\d+\] \w+: .*|)$/.test(line))).toEqual([]);
    lingd.stderr?.destroy();
    await muchHappens();
    await stop(lingd);
  });

  test('that is a pipe which nobody reads does neither', async () => {
    const fifo = `${box.rundir}.fifo`;
    await run('mkfifo', [fifo]);
    const reader = fs.openSync(fifo, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    const writer = fs.openSync(fifo, 'w');
    const lingd = await startWith(writer);
    await muchHappens();
    expect(await (await join()).xenstore.readString('domid')).toBe('2');
    await stop(lingd);
    for (const fd of [reader, writer]) fs.closeSync(fd);
    fs.unlinkSync(fifo);
  });

  test('on a full disk does neither', async () => {
    const full = fs.openSync('/dev/full', 'w');
    const lingd = await startWith(full);
    await muchHappens();
    await stop(lingd);
    fs.closeSync(full);
  });

  test.each([true, false])('that is the journal (%s) gets priorities and no times', async (isJournal) => {
    const file = `${box.rundir}.log`;
    const fd = fs.openSync(file, 'a');
    const { dev, ino } = fs.fstatSync(fd);
    const lingd = await startWith(fd, { JOURNAL_STREAM: `${dev}:${isJournal ? ino : ino + 1}` });
    await box.client('socket').read('/');
    await (await join()).close();
    await stop(lingd);
    const lines = fs.readFileSync(file, 'utf8').split('\n').slice(0, -1);
    const start = isJournal ? /^<[67]>[a-z]/ : /^\d{4}-\S+Z lingd\[\d+\] (info|debug): [a-z]/;
    expect(lines.filter((line) => !start.test(line))).toEqual([]);
    expect(lines.some((line) => line.includes('tool connected'))).toBe(true);
    fs.closeSync(fd);
    fs.unlinkSync(file);
  });
});

test('what a lingd that a domain has started has to say is nothing but warnings, each after its name', async () => {
  fs.mkdirSync(box.rundir, { mode: 0o700 });
  fs.writeFileSync(path.join(box.rundir, 'lingd.state'), 'damaged\n');
  const { status, stdout, stderr } = await run(process.execPath, [LINGD, '--rundir', box.rundir]);
  expect([status, stdout]).toEqual([0, '']);
  expect(stderr).toMatch(/^lingd: domains of before cannot come back why="\S+ is damaged in line 1"\n$/);
});

test('that it has crashed is a line of the log, with where', async () => {
  const fault = `${box.rundir}.js`;
  fs.writeFileSync(fault, `setTimeout(() => { throw new Error('a\\nfault'); }, 500);`);
  const args = ['--foreground', '--log-format', 'json', '--rundir', box.rundir];
  const { status, stderr } = await run(process.execPath, ['--require', fault, LINGD, ...args]);
  expect(status).not.toBe(0);
  const [, crashed] = stderr.split('\n').filter((line) => line.startsWith('{'));
  const stack = expect.stringMatching(/^Error: a\nfault\n {4}at .*run\.js:1:/);
  expect(JSON.parse(crashed ?? '')).toMatchObject({ level: 'error', msg: 'crashed', stack });
  fs.unlinkSync(fault);
  fs.rmSync(box.rundir, { recursive: true });
});

test('why it cannot start is a line of the log where machines read that', async () => {
  fs.mkdirSync(box.rundir, { mode: 0o777 });
  fs.chmodSync(box.rundir, 0o777);
  const args = ['--foreground', '--log-format', 'json', '--rundir', box.rundir];
  const { status, stderr } = await run(process.execPath, [LINGD, ...args]);
  expect(status).toBe(1);
  expect(JSON.parse(stderr)).toMatchObject({
    level: 'error',
    msg: 'cannot start',
    why: `${box.rundir} can be written by other users`,
  });
});

test('the first thing it has to say may be that it is out of descriptors', async () => {
  const lingd = await box.lingd('--log-level', 'warn');
  let said = '';
  lingd.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const domain = await join();
  const count = fs.readdirSync(`/proc/${lingd.pid}/fd`).length;
  await run('prlimit', ['--pid', String(lingd.pid), `--nofile=${count + 10}:`]);
  const connections = Array.from({ length: 30 }, () => connectUnix(path.join(box.rundir, 'domain')));
  await eventually(() => said.includes(' warn: out of descriptors'), true);
  expect(await domain.xenstore.readString('name')).toBe('test');
  connections.forEach(closeFd);
  expect(await (await join('late')).xenstore.readString('name')).toBe('late');
  await stop(lingd);
});
