/** `lingd status` and `lingd log-level`: what a lingd that serves says of itself. */
import fs from 'node:fs';
import path from 'node:path';
import { type Domain, xenstore } from 'ling-tubes';
import { LinuxHypervisor } from '#xen/linux-hypervisor';
import { XS_CONTROL } from '#xen/xenstore/wire';
import { Box, LINGD } from '../../support/box';
import { onTerminal } from '../../support/ling-xenstore';
import { eventually, processesWith } from '../../support/residue';
import { type Ended, run } from '../../support/run';

let box: Box;

beforeEach(() => {
  box = new Box();
});
afterEach(() => box.close());

function lingd(...args: string[]): Promise<Ended> {
  return run(process.execPath, [LINGD, ...args], { env: { XENSTORED_RUNDIR: '/nonexistent' } });
}

const version = JSON.parse(fs.readFileSync(path.join(__dirname, '../../../package.json'), 'utf8')).version;

async function json(): Promise<Record<string, unknown> & { domains: Record<string, unknown>[] }> {
  const { status, stdout, stderr } = await lingd('status', '--json', '--rundir', box.rundir);
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^.*\n$/);
  return JSON.parse(stdout);
}

async function control(...words: string[]): Promise<string> {
  const request = Buffer.from(words.map((word) => `${word}\0`).join(''));
  const { payload } = await box.client('socket').request(XS_CONTROL, request);
  return payload.toString('latin1').replace(/\0$/, '');
}

describe('where none serves', () => {
  test.each(['nothing is there', 'a directory', 'sockets that a killed one has left'])(
    '%s: 3',
    async (what) => {
      if (what === 'a directory') fs.mkdirSync(box.rundir, { mode: 0o700 });
      if (what === 'sockets that a killed one has left') {
        const killed = await box.lingd();
        killed.kill('SIGKILL');
        await eventually(() => processesWith(box.rundir), []);
      }
      for (const args of [['status'], ['status', '--json'], ['log-level'], ['log-level', 'debug']]) {
        const { status, stdout, stderr } = await lingd(...args, '--rundir', box.rundir);
        expect([status, stdout, stderr]).toEqual([3, '', `lingd: none serves ${box.rundir}\n`]);
      }
      expect(processesWith(box.rundir)).toEqual([]);
      fs.rmSync(box.rundir, { recursive: true, force: true });
    },
  );

  test('by default that is the directory where domains look', async () => {
    const { stderr } = await lingd('status');
    expect(stderr).toBe('lingd: none serves /nonexistent\n');
  });
});

test('one that does not answer, and a directory that is not to be trusted: 4', async () => {
  const stopped = await box.lingd();
  stopped.kill('SIGSTOP');
  const silent = await lingd('status', '--rundir', box.rundir);
  expect([silent.status, silent.stderr]).toEqual([4, `lingd: lingd in ${box.rundir} does not answer\n`]);
  stopped.kill('SIGCONT');
  const mode = fs.statSync(box.rundir).mode;
  fs.chmodSync(box.rundir, 0o777);
  const { status, stderr } = await lingd('status', '--rundir', box.rundir);
  expect([status, stderr]).toEqual([4, `lingd: ${box.rundir} can be written by other users\n`]);
  fs.chmodSync(box.rundir, mode);
});

test.each([
  ['status', 'extra'],
  ['status', '--nonsense'],
  ['status', '--rundir'],
  ['log-level', 'loud'],
  ['log-level', 'info', 'debug'],
  ['state'],
])('nonsense like %s %s: 2', async (...args) => {
  const { status, stdout, stderr } = await lingd(...args);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(/^lingd: .*\n$/);
});

test('a command that there is not is named', async () => {
  expect((await lingd('state')).stderr).toBe("lingd: unknown command 'state'\n");
});

describe('with domains', () => {
  /** A tube between two of them, if there are two. */
  async function boot(count: number): Promise<Domain[]> {
    const domains: Domain[] = [];
    for (let i = 1; i <= count; i++) domains.push(await box.boot({ name: `domain ${i} é` }));
    return domains;
  }

  test.each([0, 1, 3])('%i of them, as JSON', async (count) => {
    const started = Date.now();
    const child = await box.lingd('--log-level', 'error');
    const domains = await boot(count);
    const found = await json();
    const { since, requests, ...others } = found;
    expect(others).toEqual({
      ...{ pid: child.pid, version, directory: box.rundir, activated: false, restarts: 0 },
      ...{ logLevel: 'error', connections: count + 1, awaited: 0, domains: expect.any(Array) },
    });
    expect(Date.parse(since as string)).toBeGreaterThanOrEqual(started - 1000);
    expect(Date.parse(since as string)).toBeLessThanOrEqual(Date.now());
    expect(requests).toBeGreaterThan(count);
    expect(found.domains.map(({ domid, name }) => [domid, name])).toEqual(
      domains.map(({ domid }) => [domid, `domain ${domid} é`]),
    );
    for (const domain of found.domains) {
      expect(domain).toMatchObject({ pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() });
      const quota = await control('quota', String(domain.domid));
      for (const what of ['nodes', 'watches', 'transactions', 'memory'])
        expect(quota).toMatch(new RegExp(`^${what} *: *${domain[what]}$`, 'm'));
      expect([domain.grants, domain.channels, domain.outstanding]).toEqual([0, 0, 0]);
    }
  });

  test('every request counts, of tools and of domains', async () => {
    await box.lingd();
    const [domain] = await boot(1);
    const before = (await json()).requests as number;
    await domain!.run(async (self) => {
      for (let i = 0; i < 100; i++) await xenstore.read(self, 'domid');
    });
    expect((await json()).requests).toBeGreaterThanOrEqual(before + 100);
  });

  test.each([0, 1, 3])('%i of them, as text', async (count) => {
    const child = await box.lingd();
    await boot(count);
    const { status, stdout } = await lingd('status', '--rundir', box.rundir);
    expect(status).toBe(0);
    const [head = '', table] = stdout.split('\n\n');
    expect(head).toMatch(new RegExp(`^lingd        ${version}, pid ${child.pid}$`, 'm'));
    expect(head).toMatch(new RegExp(`^directory    ${box.rundir}$`, 'm'));
    expect(head).toMatch(/^since {8}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(\d+s\), restarts 0$/m);
    expect(head).toMatch(new RegExp(`^domains      ${count}$`, 'm'));
    expect(head).toMatch(/^log level {4}info$/m);
    const rows = table?.trimEnd().split('\n') ?? [];
    expect(rows.length).toBe(count === 0 ? 0 : count === 1 ? 2 : count + 2);
    for (let i = 1; i <= count; i++)
      expect(rows[i]).toMatch(new RegExp(`^ *${i}  domain ${i} é +${process.pid} `));
  });

  test('one that is expected back is there, without a connection', async () => {
    await box.lingd();
    const program = box.run(async ({ ling, say, listen }) => {
      const domain = await ling.boot({ name: 'away' });
      say(domain.domid);
      await listen();
    });
    expect(await program.hear()).toBe(1);
    await box.boot({ name: 'here' });
    process.kill(program.pid, 'SIGSTOP');
    for (const pid of processesWith(box.rundir)) process.kill(pid, 'SIGKILL');
    await eventually(async () => (await json().catch(() => undefined))?.awaited, 1);
    const found = await json();
    expect(found).toMatchObject({ restarts: 1, awaited: 1 });
    expect(found.domains).toMatchObject([
      { domid: 1, name: 'away', since: null },
      { domid: 2, name: 'here', since: expect.any(String) },
    ]);
    const { stdout } = await lingd('status', '--rundir', box.rundir);
    expect(stdout).toMatch(/^domains {6}2, 1 expected back$/m);
    expect(stdout).toMatch(/^ +1 {2}away +.* expected back /m);
    process.kill(program.pid, 'SIGCONT');
    await eventually(async () => (await json()).awaited, 0);
  });

  test('what they have granted and offered is counted', async () => {
    await box.lingd();
    const hypervisors = [];
    for (const name of ['a', 'b']) {
      hypervisors.push(await LinuxHypervisor.connect({ name, directory: box.rundir }));
    }
    const [a, b] = hypervisors as [LinuxHypervisor, LinuxHypervisor];
    const grants = [await a.grant(b.domid, 3), await a.grant(b.domid, 4), await b.grant(a.domid, 1)];
    const channels = [await a.allocateChannel(b.domid), await a.allocateChannel(b.domid)];
    channels.push(await b.bindChannel(a.domid, channels[0]!.port));
    const counts = async () => (await json()).domains.map(({ grants, channels }) => [grants, channels]);
    expect(await counts()).toEqual([
      [7, 2],
      [1, 1],
    ]);
    const { stdout } = await lingd('status', '--rundir', box.rundir);
    expect(stdout).toMatch(/^ +all +\d+ +\d+ +\d+ +8 +3 +0$/m);
    grants[0]!.end();
    channels[1]!.close();
    await eventually(counts, [
      [4, 1],
      [1, 1],
    ]);
    for (const { pages } of grants) pages.close();
    for (const channel of channels) channel.discard();
    for (const hypervisor of hypervisors) await hypervisor.close();
  });

  test('more of them than fit one packet', async () => {
    await box.lingd('--quota', 'nodes=20');
    const guests = Array.from({ length: 100 }, () => box.client('domain'));
    await Promise.all(guests.map((guest) => guest.read('domid')));
    const { domains } = await json();
    expect(domains.map(({ domid }) => domid)).toEqual(guests.map((_, i) => i + 1));
    const page = await control('status', 'domains');
    expect(JSON.parse(page).length).toBeLessThan(100);
    expect(JSON.parse(await control('status', 'domains', '100'))).toEqual([]);
    expect(JSON.parse(await control('status', 'domains', '99'))).toMatchObject([{ domid: 100 }]);
  });

  test('no name of a domain gets at the terminal', async () => {
    await box.lingd();
    await box.boot({ name: '\u202e\u2028\u{e0001}x' });
    const terminal = onTerminal(120, 30, {}, process.execPath, LINGD, 'status', '--rundir', box.rundir);
    expect(await terminal.end()).toBe(0);
    expect(Buffer.from(terminal.printed, 'latin1').toString()).toMatch(/ {2}\?\?\?x {2}/);
  });
});

describe('CONTROL', () => {
  test.each([
    ['status', 'tubes'],
    ['status', 'domains', '-1'],
    ['status', 'domains', 'x'],
    ['status', 'domains', '1', '2'],
    ['log-level', 'loud'],
    ['log-level', 'info', 'x'],
    ['state'],
  ])('%s %s is EINVAL', async (...words) => {
    await box.lingd();
    await expect(control(...words)).rejects.toMatchObject({ code: 'EINVAL' });
  });

  test('help tells of what lingd has, and a guest may ask for none of it', async () => {
    await box.lingd();
    expect(await control('help')).toBe(
      'quota\t[set <name> <val>|<domid>]\nstatus\t[domains [<after domid>]]\nlog-level\t[silent|error|warn|info|debug]\nhelp\t\n',
    );
    const asked = box.client('domain').request(XS_CONTROL, Buffer.from('status\0'));
    await expect(asked).rejects.toMatchObject({ code: 'EACCES' });
  });
});

test('lingd log-level says it, and sets it from then on', async () => {
  const child = await box.lingd('--log-level', 'silent');
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const level = (...args: string[]) => lingd('log-level', ...args, '--rundir', box.rundir);
  expect(await level()).toEqual({ status: 0, stdout: 'silent\n', stderr: '' });
  expect(await level('info')).toEqual({ status: 0, stdout: '', stderr: '' });
  await eventually(() => said, expect.stringMatching(/ info: log level set to=info\n$/));
  expect((await level()).stdout).toBe('info\n');
  expect(await json()).toMatchObject({ logLevel: 'info' });
  await level('error');
  const before = said;
  await box.boot();
  expect(said).toBe(before);
});
