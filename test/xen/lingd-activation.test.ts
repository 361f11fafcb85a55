/** lingd whose sockets are a service manager's: sd_listen_fds(3), sd_notify(3). */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeFd, connectUnix, listenUnix, sendDatagram } from '#native';
import { LinuxHypervisor } from '#xen/linux-hypervisor';
import { Box, LINGD } from '../support/box';
import { eventually, kill, processesWith } from '../support/residue';
import { type Ended, run } from '../support/run';
import { NotifySocket, SocketUnit, startWith } from '../support/service-manager';

let box: Box;
let unit: SocketUnit;
const hypervisors: LinuxHypervisor[] = [];

beforeEach(() => {
  box = new Box();
});
afterEach(async () => {
  await Promise.all(hypervisors.splice(0).map((hypervisor) => hypervisor.close()));
  for (const pid of processesWith(box.rundir)) kill(pid, 'SIGTERM');
  await eventually(() => processesWith(box.rundir), []);
  if (unit?.directory === box.rundir) unit.close();
  await box.close();
});

async function join(name = 'test'): Promise<LinuxHypervisor> {
  const hypervisor = await LinuxHypervisor.connect({ name, directory: box.rundir });
  hypervisors.push(hypervisor);
  return hypervisor;
}

function domainProgram() {
  return box.run(async ({ ling, say, listen }) => {
    const domain = await ling.boot();
    domain.on('reconnected', () => say('reconnected'));
    say(domain.domid);
    await listen();
    await domain.stop();
  });
}

/** It has long had the time to find the lingd before it. */
async function hasLookedRound({ pid }: ChildProcess): Promise<void> {
  const maps = `/proc/${pid}/maps`;
  await eventually(() => fs.readFileSync(maps, 'utf8').includes('ling_tubes.node'), true);
  await sleep(300);
}

/** The sockets of a unit, and what is in them. */
const files = () => fs.readdirSync(box.rundir).sort();

/** Of the lingd that serves; nothing where none does. */
async function status(): Promise<Record<string, unknown>> {
  const { status, stdout } = await run(process.execPath, [LINGD, 'status', '--json', '--rundir', box.rundir]);
  return status === 0 ? JSON.parse(stdout) : {};
}

async function endOf(lingd: ChildProcess): Promise<Ended> {
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    lingd[name]?.setEncoding('utf8').on('data', (text: string) => {
      printed[name] += text;
    });
  }
  await once(lingd, 'close');
  return { status: lingd.exitCode, ...printed };
}

describe('with systemd-socket-activate', () => {
  test('it starts with the first domain that connects, with or without names', async () => {
    for (const names of [[], ['--fdname=socket:domain']]) {
      fs.mkdirSync(box.rundir, { mode: 0o700 });
      const sockets = ['socket', 'domain'].flatMap((name) => ['-l', path.join(box.rundir, name)]);
      const command = [process.execPath, LINGD, '--foreground', '--rundir', box.rundir];
      const activate = spawn('systemd-socket-activate', [...sockets, ...names, ...command]);
      await eventually(() => fs.existsSync(path.join(box.rundir, 'domain')), true);
      const lingds = () =>
        processesWith(LINGD).filter((pid) => processesWith(box.rundir).includes(pid) && isNode(pid));
      // Who only asks does not connect.
      const asked = await run(process.execPath, [LINGD, 'status', '--rundir', box.rundir]);
      expect([asked.status, lingds()]).toEqual([3, []]);
      const [one, two] = await Promise.all([join('one'), join('two')]);
      expect([one.domid, two.domid].sort()).toEqual([1, 2]);
      expect(lingds()).toEqual([activate.pid]);
      expect(await status()).toMatchObject({ pid: activate.pid, activated: true, directory: box.rundir });
      activate.kill('SIGTERM');
      await once(activate, 'close');
      expect(activate.exitCode).toBe(0);
      // Nobody listens there any more, so domains start their own.
      await eventually(async () => (await status()).activated, false);
      await Promise.all(hypervisors.splice(0).map((hypervisor) => hypervisor.close()));
      await eventually(() => processesWith(box.rundir), []);
      fs.rmSync(box.rundir, { recursive: true, force: true });
    }
  });
});

function isNode(pid: number): boolean {
  return fs.readlinkSync(`/proc/${pid}/exe`) === fs.realpathSync(process.execPath);
}

describe('while a service manager listens', () => {
  beforeEach(() => {
    unit = new SocketUnit(box.rundir);
  });

  test('who connects before lingd starts waits, and starts none', async () => {
    const joining = Promise.all([join(), join()]);
    await sleep(300);
    expect(processesWith(box.rundir)).toEqual([]);
    const lingd = unit.start();
    expect((await joining).map(({ domid }) => domid).sort()).toEqual([1, 2]);
    expect(processesWith(box.rundir)).toEqual([lingd.pid]);
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'domains wait for the next one after %s, and are who they were',
    async (signal) => {
      let lingd = unit.start();
      const [a, program] = [await join('a'), domainProgram()];
      expect(await program.hear()).toBe(2);
      await a.xenstore.write('data/x', '1');
      for (let restarts = 1; restarts <= 3; restarts++) {
        lingd.kill(signal);
        await once(lingd, 'exit');
        const reading = a.xenstore.readString('data/x');
        await sleep(200);
        expect(processesWith(box.rundir)).toEqual([]);
        expect(files()).toEqual(['domain', 'lingd.leases', 'lingd.state', 'socket']);
        lingd = unit.start();
        expect(await reading).toBe('1');
        expect(await program.hear()).toBe('reconnected');
        expect(await status()).toMatchObject({ pid: lingd.pid, activated: true, restarts });
      }
      program.tell('stop');
      expect(await program.end()).toBe(0);
    },
  );

  test('its sockets stay when lingd ends, and when the last domain sweeps behind it', async () => {
    const lingd = unit.start();
    const domain = await join();
    lingd.kill('SIGTERM');
    await once(lingd, 'exit');
    await domain.close();
    expect(files()).toEqual(['domain', 'socket']);
    const next = unit.start();
    expect((await join()).domid).toBe(1);
    await hypervisors.pop()?.close();
    next.kill('SIGTERM');
    expect((await endOf(next)).status).toBe(0);
    expect(files()).toEqual(['domain', 'socket']);
  });

  test('another one does not take the place of its sockets, with or without a lingd', async () => {
    const byHand = () =>
      run(process.execPath, [LINGD, '--foreground', '--linger', '0', '--rundir', box.rundir]);
    const refused = await byHand();
    expect([refused.status, refused.stdout]).toEqual([1, '']);
    expect(refused.stderr).toBe(
      `lingd: somebody else listens in ${box.rundir}, as a service manager would\n`,
    );
    unit.start();
    await join();
    expect((await byHand()).stderr).toBe(`lingd: another lingd serves ${box.rundir}\n`);
  });

  test('it waits for the lingd before it to leave', async () => {
    const first = unit.start();
    await join();
    const second = unit.start();
    await hasLookedRound(second);
    expect(second.exitCode).toBe(null);
    first.kill('SIGTERM');
    await eventually(async () => (await status()).pid, second.pid);
    expect(await hypervisors[0]?.xenstore.readString('name')).toBe('test');
  });

  test('SIGTERM ends one that still waits for that', async () => {
    unit.start();
    await join();
    const second = unit.start();
    await hasLookedRound(second);
    second.kill('SIGTERM');
    expect((await endOf(second)).status).toBe(0);
  });

  test('it leaves when told to linger no longer, and the next domain starts it again', async () => {
    const lingd = unit.start({}, '--linger', '0');
    await (await join()).close();
    expect((await endOf(lingd)).status).toBe(0);
    expect(files()).toEqual(['domain', 'socket']);
  });
});

test('an own socket that somebody has replaced meanwhile is not removed', async () => {
  const lingd = await box.lingd();
  for (const name of ['socket', 'domain']) fs.unlinkSync(path.join(box.rundir, name));
  const replaced = listenUnix(path.join(box.rundir, 'domain'));
  lingd.kill('SIGTERM');
  expect((await endOf(lingd)).status).toBe(0);
  expect(files()).toEqual(['domain']);
  closeFd(replaced);
  fs.rmSync(box.rundir, { recursive: true });
});

test('while so many wait that no more can, nobody starts a lingd either', async () => {
  fs.mkdirSync(box.rundir, { mode: 0o700 });
  const file = path.join(box.rundir, 'domain');
  const script = `
    use Socket; socket(my $s, AF_UNIX, SOCK_STREAM, 0);
    bind($s, pack_sockaddr_un(shift)) && listen($s, 0) or die $!; $| = 1; print "ready\\n"; sleep;`;
  const listener = spawn('perl', ['-e', script, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(listener.stdout, 'data');
  const waiting: number[] = [];
  expect(() => {
    for (;;) waiting.push(connectUnix(file));
  }).toThrow(expect.objectContaining({ code: 'EAGAIN' }));
  const joining = join();
  await sleep(300);
  expect(processesWith(box.rundir)).toEqual([]);
  listener.kill('SIGKILL');
  await once(listener, 'close');
  waiting.forEach(closeFd);
  expect((await joining).domid).toBe(1);
});

describe('what it is handed', () => {
  let made: number[] = [];

  beforeEach(() => {
    fs.mkdirSync(box.rundir, { mode: 0o700 });
  });
  afterEach(() => {
    made.forEach(closeFd);
    made = [];
    fs.rmSync(box.rundir, { recursive: true, force: true });
  });

  const listening = (name: string) => listenUnix(path.join(box.rundir, name));
  const perlSocket = (kind: string, bind: string) => ({ kind, bind });

  /** What lingd says of these descriptors. */
  async function refusal(
    makers: readonly (() => number)[],
    env: Record<string, string> = {},
  ): Promise<string> {
    made = makers.map((make) => make());
    const { status, stdout, stderr } = await endOf(startWith(made, env, '--foreground'));
    expect([status, stdout]).toEqual([1, '']);
    return stderr.replaceAll(box.rundir, 'DIR');
  }

  const socket = () => listening('socket');
  const domain = () => listening('domain');

  test.each([
    ['one missing', [socket], {}, "no socket 'domain' was handed over"],
    ['the other missing', [domain], {}, "no socket 'socket' was handed over"],
    [
      'one too many',
      [socket, domain, () => listening('x')],
      {},
      "descriptor 5 is neither 'socket' nor 'domain': DIR/x",
    ],
    [
      'names the other way round',
      [socket, domain],
      { LISTEN_FDNAMES: 'domain:socket' },
      "descriptor 3 ('domain') is not bound to a path of that name: DIR/socket",
    ],
    [
      'another name for one of another path',
      [socket, () => listening('y')],
      { LISTEN_FDNAMES: 'socket:more' },
      "descriptor 4 ('more') is neither 'socket' nor 'domain': DIR/y",
    ],
    [
      'too few names',
      [socket, domain],
      { LISTEN_FDNAMES: 'socket' },
      'LISTEN_FDNAMES has 1 names for 2 descriptors',
    ],
    ['no number of them', [socket, domain], { LISTEN_FDS: 'two' }, 'LISTEN_FDS is no number: two'],
    ['no process id', [socket, domain], { LISTEN_PID: 'me' }, 'LISTEN_PID is no number: me'],
    ['more than there are', [socket, domain], { LISTEN_FDS: '3' }, 'descriptor 5 is no socket'],
    ['no socket', [socket, () => fs.openSync('/dev/null', 'r')], {}, 'descriptor 4 is no socket'],
    [
      'a connection',
      [socket, () => connectUnix(path.join(box.rundir, 'socket'))],
      {},
      'descriptor 4 does not listen',
    ],
  ])('%s is refused by name', async (_what, makers, env, message) => {
    expect(await refusal(makers, env)).toBe(`lingd: ${message}\n`);
  });

  test.each([
    [
      'a datagram socket',
      perlSocket('AF_UNIX, SOCK_DGRAM, 0', 'pack_sockaddr_un("$d/domain")'),
      'is no stream socket',
    ],
    [
      'of the network',
      perlSocket('AF_INET, SOCK_STREAM, 0', 'sockaddr_in(0, INADDR_LOOPBACK)'),
      'is no Unix socket',
    ],
    [
      'with an abstract name',
      perlSocket('AF_UNIX, SOCK_STREAM, 0', 'pack_sockaddr_un("\\0$d")'),
      'is bound to no path',
    ],
    [
      'with a relative path',
      perlSocket('AF_UNIX, SOCK_STREAM, 0', 'pack_sockaddr_un("domain")'),
      'is bound to the relative path domain',
    ],
  ])('%s is refused by name', async (_what, { kind, bind }, message) => {
    made = [socket()];
    const script = `use Socket; my $d = shift; chdir $d; $^F = 9; my $s; socket($s, ${kind}) && bind($s, ${bind}) or die $!;
      listen($s, 5); $ENV{LISTEN_FDS} = 2; $ENV{LISTEN_PID} = $$; fileno($s) == 4 or die fileno($s); exec @ARGV;`;
    const command = [process.execPath, LINGD, '--foreground'];
    const child = spawn('perl', ['-e', script, box.rundir, ...command], {
      stdio: ['ignore', 'pipe', 'pipe', ...made],
    });
    const { status, stderr } = await endOf(child);
    expect([status, stderr]).toEqual([1, `lingd: descriptor 4 ${message}\n`]);
  });

  test('sockets in two directories are refused', async () => {
    const elsewhere = fs.mkdtempSync(path.join(box.rundir, 'x'));
    const other = () => listenUnix(path.join(elsewhere, 'domain'));
    expect(await refusal([socket, other])).toBe(
      `lingd: sockets in two directories: DIR and ${elsewhere.replace(box.rundir, 'DIR')}\n`,
    );
  });

  test('another directory than that of --rundir is refused', async () => {
    made = [socket(), domain()];
    const { status, stderr } = await endOf(startWith(made, {}, '--rundir', '/elsewhere'));
    expect([status, stderr]).toEqual([
      1,
      `lingd: the sockets that were handed over are in ${box.rundir}, not in /elsewhere\n`,
    ]);
  });

  test.each([
    ['of another process', { LISTEN_PID: '1' }],
    ['none', { LISTEN_FDS: '0' }],
  ])('%s is not for lingd, which makes its own', async (_what, env) => {
    const lingd = startWith([], { LISTEN_FDS: '2', ...env }, '--foreground', '--rundir', box.rundir);
    await once(lingd.stdout!, 'data');
    expect(await status()).toMatchObject({ pid: lingd.pid, activated: false });
    lingd.kill('SIGTERM');
    expect((await endOf(lingd)).status).toBe(0);
  });
});

describe('the service manager is told', () => {
  test.each(['a path', 'an abstract name'])('at %s: ready, how many domains, stopping', async (where) => {
    const address = where === 'a path' ? `${box.rundir}.notify` : `@${box.rundir}`;
    const manager = await NotifySocket.at(address);
    unit = new SocketUnit(box.rundir);
    const lingd = unit.start({ NOTIFY_SOCKET: address });
    await eventually(() => manager.heard, ['READY=1|STATUS=0 domains']);
    const [a, b] = [await join(), await join()];
    await eventually(() => manager.heard.slice(1), ['STATUS=1 domain', 'STATUS=2 domains']);
    await a.close();
    await eventually(() => manager.heard.slice(3), ['STATUS=1 domain']);
    lingd.kill('SIGKILL');
    await once(lingd, 'exit');
    manager.heard.length = 0;
    const next = unit.start({ NOTIFY_SOCKET: address });
    await eventually(() => manager.heard.at(-1), 'STATUS=1 domain');
    expect(manager.heard[0]).toMatch(/^READY=1\|STATUS=1 domain(, 1 expected back)?$/);
    await b.close();
    await eventually(() => manager.heard.at(-1), 'STATUS=0 domains');
    next.kill('SIGTERM');
    expect((await endOf(next)).status).toBe(0);
    expect(manager.heard.at(-1)).toBe('STOPPING=1|STATUS=Stopping: SIGTERM');
    await manager.close();
    fs.rmSync(`${box.rundir}.notify`, { force: true });
  });

  test.each([
    ['of lingd', {}, true],
    ['of another process', { WATCHDOG_PID: '1' }, false],
  ])('that it goes on, if the watchdog is that %s', async (_what, env, isTold) => {
    const manager = await NotifySocket.at(`@${box.rundir}`);
    unit = new SocketUnit(box.rundir);
    const lingd = unit.start({ NOTIFY_SOCKET: `@${box.rundir}`, WATCHDOG_USEC: '100000', ...env });
    await eventually(() => manager.heard.includes('READY=1|STATUS=0 domains'), true);
    await sleep(300);
    const count = () => manager.heard.filter((message) => message === 'WATCHDOG=1').length;
    if (isTold) await eventually(() => count() >= 3, true);
    else expect(count()).toBe(0);
    process.kill(lingd.pid as number, 'SIGSTOP');
    await sleep(100);
    const before = count();
    await sleep(300);
    expect(count()).toBe(before);
    process.kill(lingd.pid as number, 'SIGCONT');
    await manager.close();
  });

  test('when it reads its policy again', async () => {
    const manager = await NotifySocket.at(`@${box.rundir}`);
    const policy = `${box.rundir}.json`;
    fs.writeFileSync(policy, '{"users":{}}', { mode: 0o600 });
    unit = new SocketUnit(box.rundir);
    const lingd = unit.start({ NOTIFY_SOCKET: `@${box.rundir}` }, '--policy', policy);
    await eventually(() => manager.heard.splice(0), ['READY=1|STATUS=0 domains']);
    lingd.kill('SIGHUP');
    await eventually(
      () => manager.heard,
      [expect.stringMatching(/^RELOADING=1\|MONOTONIC_USEC=\d+$/), 'READY=1'],
    );
    await manager.close();
    fs.unlinkSync(policy);
  });

  test('without a policy, when it is asked to read it: it goes on', async () => {
    const manager = await NotifySocket.at(`@${box.rundir}`);
    unit = new SocketUnit(box.rundir);
    const lingd = unit.start({ NOTIFY_SOCKET: `@${box.rundir}` });
    await eventually(() => manager.heard.splice(0), ['READY=1|STATUS=0 domains']);
    lingd.kill('SIGHUP');
    await eventually(
      () => manager.heard,
      [expect.stringMatching(/^RELOADING=1\|MONOTONIC_USEC=\d+$/), 'READY=1'],
    );
    expect((await join()).domid).toBe(1);
    await manager.close();
  });

  test('nothing where it does not listen, and lingd serves', async () => {
    unit = new SocketUnit(box.rundir);
    const lingd = unit.start({ NOTIFY_SOCKET: '/nonexistent' });
    expect((await join()).domid).toBe(1);
    lingd.kill('SIGTERM');
    expect((await endOf(lingd)).status).toBe(0);
  });

  test('a datagram for nobody, or to too long a name, is an error of the system or of the name', () => {
    const bytes = Buffer.from('x');
    expect(() => sendDatagram('/nonexistent', bytes)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(() => sendDatagram('@nobody-listens', bytes)).toThrow(
      expect.objectContaining({ code: 'ECONNREFUSED' }),
    );
    expect(() => sendDatagram('x'.repeat(200), bytes)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });
});

describe('the unit files', () => {
  test.each(['user', 'system'])('of a %s are what systemd understands', async (kind) => {
    const directory = fs.mkdtempSync(`${box.rundir}-units`);
    const units = ['lingd.socket', 'lingd.service'].map((name) => {
      const text = fs.readFileSync(path.join(__dirname, '../../docs/systemd', kind, name), 'utf8');
      const file = path.join(directory, name);
      // Where it is installed is up to who does that.
      fs.writeFileSync(file, text.replace('ExecStart=lingd', `ExecStart=${process.execPath} ${LINGD}`));
      return file;
    });
    const args = ['verify', ...(kind === 'user' ? ['--user'] : []), '--man=no', ...units];
    const verified = await run('systemd-analyze', args, { env: { XDG_RUNTIME_DIR: directory } });
    expect(verified).toEqual({ status: 0, stdout: '', stderr: '' });
    fs.rmSync(directory, { recursive: true });
  });
});
