import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { allocatePages, closeFd, connectUnix, mapPages, sendWithFds } from '#native';
import { encodeNumbers, HYPERCALL_GRANT, HYPERCALL_HELLO, HYPERCALL_MAP } from '#xen/hypercall';
import { LinuxHypervisor } from '#xen/linux-hypervisor';
import { encodePacket, XS_CONTROL, XS_READ } from '#xen/xenstore/wire';
import { Box, LINGD } from '../support/box';
import { descriptorsOf, eventually, processesWith } from '../support/residue';
import { type Ended, run } from '../support/run';

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

async function join(name = 'test'): Promise<LinuxHypervisor> {
  const hypervisor = await LinuxHypervisor.connect({ name, directory: box.rundir });
  hypervisors.push(hypervisor);
  // Then lingd has let go of what it has sent with its first answer.
  await hypervisor.xenstore.readString('name');
  return hypervisor;
}

/** A domain in an OS process of its own: its domid, once it is there. */
function domainProgram() {
  return box.run(async ({ ling, say, listen }) => {
    const domain = await ling.boot();
    say(domain.domid);
    await listen();
    await domain.stop();
  });
}

async function end(lingd: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  lingd.kill(signal);
  const [status] = await once(lingd, 'close');
  return status;
}

describe('starting and leaving', () => {
  test('the first domain starts lingd, the last one takes it along', async () => {
    expect(fs.existsSync(box.rundir)).toBe(false);
    const domain = await join();
    expect(fs.readdirSync(box.rundir).sort()).toEqual(['domain', 'lingd.leases', 'lingd.state', 'socket']);
    expect(fs.statSync(box.rundir).mode & 0o777).toBe(0o700);
    for (const name of ['socket', 'lingd.state', 'lingd.leases'])
      expect(fs.statSync(path.join(box.rundir, name)).mode & 0o777).toBe(0o600);
    const [lingd] = processesWith(box.rundir);
    await domain.close();
    await eventually(() => processesWith(box.rundir), []);
    expect(lingd).toBeDefined();
    expect(fs.existsSync(box.rundir)).toBe(false);
  });

  test('a directory that was there before stays', async () => {
    fs.mkdirSync(box.rundir, { mode: 0o700 });
    const domain = await join();
    await domain.close();
    await eventually(() => fs.existsSync(box.rundir) && fs.readdirSync(box.rundir), []);
    await eventually(() => processesWith(box.rundir), []);
  });

  test('of twenty OS processes that start it at once, one does, and all are domains of it', async () => {
    const programs = Array.from({ length: 20 }, domainProgram);
    const domids = await Promise.all(programs.map((program) => program.hear<number>()));
    expect(new Set(domids).size).toBe(20);
    await eventually(() => processesWith(box.rundir).length, 1);
    const tool = box.client('socket');
    expect((await tool.directory('/local/domain')).sort()).toEqual(domids.map(String).sort());
    for (const program of programs) program.tell('stop');
    expect(await Promise.all(programs.map((program) => program.end()))).toEqual(programs.map(() => 0));
    await eventually(() => tool.directory('/local/domain'), []);
  });

  test('after kill -9 of lingd the next domain starts another, over the stale sockets', async () => {
    const first = domainProgram();
    expect(await first.hear()).toBe(1);
    const [pid] = processesWith(box.rundir) as [number];
    process.kill(pid, 'SIGSTOP');
    await first.kill();
    process.kill(pid, 'SIGKILL');
    expect(fs.readdirSync(box.rundir).sort()).toEqual(['domain', 'lingd.leases', 'lingd.state', 'socket']);
    const second = await join();
    expect(await second.xenstore.readString('name')).toBe('test');
    expect(await second.xenstore.directory('/local/domain')).toEqual(['2']);
    await second.close();
    await eventually(() => fs.existsSync(box.rundir), false);
  });

  test('one that has been stopped answers nobody, who is told', async () => {
    await join();
    const [pid] = processesWith(box.rundir) as [number];
    process.kill(pid, 'SIGSTOP');
    await expect(join()).rejects.toMatchObject({
      code: 'ERR_LINGD_START',
      message: `no lingd answers in ${box.rundir}`,
    });
    process.kill(pid, 'SIGCONT');
    expect((await join()).domid).toBeGreaterThan(1);
  }, 30_000);

  test('files that are no sockets are replaced too', async () => {
    fs.mkdirSync(box.rundir, { mode: 0o700 });
    fs.writeFileSync(path.join(box.rundir, 'domain'), '');
    fs.writeFileSync(path.join(box.rundir, 'socket'), '');
    expect((await join()).domid).toBe(1);
  });
});

describe('by hand', () => {
  test('in the foreground it says where it is, stays without domains, and ends by SIGTERM, SIGINT or SIGHUP', async () => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      const lingd = await box.lingd();
      const domain = await join();
      await domain.close();
      await new Promise((resolve) => setTimeout(resolve, 400));
      expect(await end(lingd, signal)).toBe(0);
      expect(fs.existsSync(box.rundir)).toBe(false);
    }
  });

  test('what it prints, a second one, and a third', async () => {
    const lingd = await box.lingd();
    const second = await runLingd('--foreground', '--rundir', box.rundir);
    expect(second).toEqual({ status: 1, stdout: '', stderr: `lingd: another lingd serves ${box.rundir}\n` });
    // As domains start it, it is no news.
    expect(await runLingd('--rundir', box.rundir)).toEqual({ status: 0, stdout: '', stderr: '' });
    await end(lingd);
    expect(
      await runLingd('--foreground', '--linger', '0', '--log-level', 'warn', '--rundir', box.rundir),
    ).toEqual({
      status: 0,
      stdout: `lingd: serving ${box.rundir} (for Xen's tools: export XENSTORED_RUNDIR=${box.rundir})\n`,
      stderr: '',
    });
  });

  test.each([
    ['--nonsense'],
    ['--linger', 'soon'],
    ['--linger', '-1'],
    ['--linger', ''],
    ['--rundir'],
    ['--quota'],
    ['--quota', ''],
    ['--quota', 'nodes'],
    ['--quota', 'nodes='],
    ['--quota', 'nodes=many'],
    ['--quota', 'nodes=-1'],
    ['--quota', 'nodes=0'],
    ['--quota', 'nodes=1.5'],
    ['--quota', 'nodes=2147483648'],
    ['--quota', 'nodes=1', '--quota', 'bogus=1'],
    ['extra'],
  ])('status 2 and a line for %s', async (...args) => {
    const { status, stderr } = await runLingd(...args);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^lingd: .*\n$/);
  });

  test('--quota says what a domain may use up, each thing by its own', async () => {
    const settings = ['nodes=6', 'watches=1', 'transactions=1', 'outstanding=3', 'transaction-nodes=4'];
    settings.push('memory=100000', 'node-size=100', 'permissions=1');
    const lingd = await box.lingd(...settings.flatMap((setting) => ['--quota', setting]));
    const tool = box.client('socket');
    const { payload } = await tool.request(XS_CONTROL, Buffer.from('quota\0'));
    for (const setting of settings) {
      const [name, value] = setting.split('=') as [string, string];
      expect(payload.toString()).toMatch(new RegExp(`^${name} *: *${value} `, 'm'));
    }
    const domain = await join();
    const { xenstore } = domain;
    await xenstore.write('data/a', 'x'.repeat(60));
    await expect(xenstore.write('data/a', 'x'.repeat(100))).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(xenstore.setPerms('data/a', ['n1', 'r0'])).rejects.toMatchObject({ code: 'ENOSPC' });
    const nodes = ['b', 'c', 'd', 'e', 'f'].map((name) =>
      xenstore.mkdir(`data/${name}`).then(
        () => 'OK',
        ({ code }) => code,
      ),
    );
    expect((await Promise.all(nodes)).at(-1)).toBe('ENOSPC');
    const watches = ['b', 'c', 'd'].map((path) =>
      xenstore
        .watch(path, () => {})
        .then(
          () => 'OK',
          ({ code }) => code,
        ),
    );
    expect((await Promise.all(watches)).at(-1)).toBe('E2BIG');
    await domain.close();
    await end(lingd);
  });

  test('status 2 for a senseless LINGD_LINGER', async () => {
    const { status, stderr } = await runLingdWith({ LINGD_LINGER: 'soon' }, '--rundir', box.rundir);
    const expected = 'lingd: LINGD_LINGER: expected a number of seconds up to 2147483\n';
    expect([status, stderr]).toEqual([2, expected]);
  });

  test('it ends while domains are connected, which come back to the next one', async () => {
    const lingd = await box.lingd();
    const domain = await join();
    const returned = new Promise((resolve) => {
      domain.onReturned = resolve;
    });
    expect(await end(lingd)).toBe(0);
    expect(await returned).toBeGreaterThan(0);
    expect(await domain.xenstore.readString('name')).toBe('test');
  });
});

function runLingd(...args: string[]): Promise<Ended> {
  return runLingdWith({}, ...args);
}

function runLingdWith(variables: Record<string, string>, ...args: string[]): Promise<Ended> {
  const env = { XENSTORED_RUNDIR: '/nonexistent', ...variables };
  return run(process.execPath, [LINGD, ...args], { env });
}

describe('a run directory', () => {
  test.each([0o777, 0o770, 0o702, 0o1777])('of mode %o is refused, by lingd and by domains', async (mode) => {
    fs.mkdirSync(box.rundir);
    fs.chmodSync(box.rundir, mode);
    const message = `${box.rundir} can be written by other users`;
    await expect(join()).rejects.toMatchObject({ code: 'ERR_RUN_DIRECTORY', message });
    expect(await runLingd('--foreground', '--rundir', box.rundir)).toMatchObject({
      status: 1,
      stderr: `lingd: ${message}\n`,
    });
    // Also where somebody listens already.
    const impostor = net.createServer().listen(path.join(box.rundir, 'domain'));
    await once(impostor, 'listening');
    await expect(join()).rejects.toMatchObject({ code: 'ERR_RUN_DIRECTORY' });
    await new Promise((resolve) => impostor.close(resolve));
    expect(fs.readdirSync(box.rundir)).toEqual([]);
  });

  test('of another user is no place for lingd', async () => {
    // Root's, or made so: whoever runs this test owns one of the two.
    const directory = process.getuid?.() === 0 ? box.rundir : '/root';
    if (directory === box.rundir) {
      fs.mkdirSync(box.rundir, { mode: 0o700 });
      fs.chownSync(box.rundir, 65534, 65534);
    }
    expect(await runLingd('--foreground', '--rundir', directory)).toMatchObject({
      status: 1,
      stderr: `lingd: ${directory} belongs to another user\n`,
    });
  });

  test('with too long a name is refused, and not left behind', async () => {
    const directory = path.join(box.rundir, 'x'.repeat(108 - box.rundir.length));
    const refused = LinuxHypervisor.connect({ name: 'x', directory });
    await expect(refused).rejects.toThrow(`107 bytes that Unix sockets allow: ${directory}`);
    const { status, stderr } = await runLingd('--foreground', '--rundir', directory);
    expect(status).toBe(1);
    expect(stderr).toContain(directory);
    expect(fs.existsSync(directory)).toBe(false);
    fs.rmSync(box.rundir, { recursive: true, force: true });
  });

  test('that is a file is refused by name', async () => {
    fs.writeFileSync(box.rundir, '');
    await expect(join()).rejects.toMatchObject({
      code: 'ERR_RUN_DIRECTORY',
      message: expect.stringContaining(box.rundir),
    });
    fs.rmSync(box.rundir);
  });
});

describe('domains', () => {
  test('end with the worker thread that they are in, also when that is terminated', async () => {
    const one = await join('one');
    const code = `
      const { boot } = require('ling-tubes');
      boot({ name: 'in a worker', rundir: ${JSON.stringify(box.rundir)} })
        .then(() => require('node:worker_threads').parentPort.postMessage('up'));`;
    // Evaluated in the folder where jest runs, that of the package.
    const worker = new Worker(code, { eval: true });
    await once(worker, 'message');
    const tool = box.client('socket');
    expect(await tool.directory('/local/domain')).toHaveLength(2);
    await worker.terminate();
    await eventually(() => tool.directory('/local/domain'), [String(one.domid)]);
  });

  test('get all their answers, however many they ask for at once', async () => {
    const client = (await join('one')).xenstore;
    await client.write('data/big', Buffer.alloc(1900, 'x'));
    const answers = await Promise.all(Array.from({ length: 12_000 }, () => client.read('data/big')));
    expect(answers.every(({ length }) => length === 1900)).toBe(true);
  });

  test('have domids of their own, homes, and names; these go when they do', async () => {
    const domains = [await join('one'), await join('two'), await join('dréi')];
    expect(domains.map(({ domid }) => domid)).toEqual([1, 2, 3]);
    const tool = box.client('socket');
    const names = await Promise.all([1, 2, 3].map((domid) => tool.readString(`/local/domain/${domid}/name`)));
    expect(names).toEqual(['one', 'two', 'dréi']);
    expect(await domains[0]?.xenstore.readString('domid')).toBe('1');
    // Everybody sees who is there; nobody writes in another's home.
    expect(await domains[0]?.xenstore.readString('/local/domain/2/name')).toBe('two');
    await expect(domains[0]?.xenstore.write('/local/domain/2/data/x', '')).rejects.toMatchObject({
      code: 'EACCES',
    });
    await expect(domains[0]?.xenstore.write('name', 'me')).rejects.toMatchObject({ code: 'EACCES' });
    await domains[1]?.close();
    await eventually(() => tool.directory('/local/domain'), ['1', '3']);
    // Numbers are not used again soon.
    expect((await join()).domid).toBe(4);
  });

  test.each(['', 'a\0b', 'x'.repeat(65), 'é'.repeat(33)])('a name like %j is refused', async (name) => {
    await expect(join(name)).rejects.toMatchObject({ code: 'EINVAL' });
  });

  test('@introduceDomain and @releaseDomain fire for whoever may watch', async () => {
    const lingd = await box.lingd();
    const tool = box.client('socket');
    const seen: string[] = [];
    await tool.watch('@introduceDomain', (what) => seen.push(what));
    await tool.watch('@releaseDomain', (what) => seen.push(what));
    seen.length = 0;
    const domain = await join();
    await eventually(() => seen, ['@introduceDomain']);
    await domain.close();
    await eventually(() => seen, ['@introduceDomain', '@releaseDomain']);
    expect(await end(lingd)).toBe(0);
  });

  test('a plain Xenstore client that never makes a hypercall is one', async () => {
    await join();
    const tool = box.client('socket');
    const guest = box.client('domain');
    expect(await guest.readString('domid')).toBe('2');
    await guest.write('data/mine', 'x');
    expect(await tool.getPerms('/local/domain/2/data/mine')).toEqual(['n2']);
    await expect(guest.isDomainIntroduced(1)).rejects.toMatchObject({ code: 'EACCES' });
    expect(await tool.isDomainIntroduced(2)).toBe(true);
  });

  test('one that domain 0 releases is cut off', async () => {
    const domain = await join();
    const other = await join();
    const tool = box.client('socket');
    await tool.request(9 /* RELEASE */, Buffer.from('1\0'));
    expect(await domain.closed).toMatchObject({ code: 'ECONNRESET' });
    expect(await tool.directory('/local/domain')).toEqual(['2']);
    expect(await other.xenstore.readString('name')).toBe('test');
  });

  test('lingd survives that domain 0 removes the ground under its feet', async () => {
    const first = await join();
    const tool = box.client('socket');
    await tool.rm('/local');
    await first.close();
    expect((await join()).domid).toBe(2);
  });
});

describe('grants', () => {
  test('can be mapped by the granted domain, as often as it likes, and by nobody else', async () => {
    const [a, b, c] = [await join(), await join(), await join()];
    const grant = await a.grant(b.domid, 3);
    expect(grant.refs).toEqual([8, 9, 10]);
    for (let i = 0; i < 2; i++) (await b.map(a.domid, [9, 8, 9])).close();
    const refused = { code: 'EACCES' };
    await expect(c.map(a.domid, [8])).rejects.toMatchObject(refused);
    await expect(a.map(a.domid, [8])).rejects.toMatchObject(refused);
    await expect(b.map(c.domid, [8])).rejects.toMatchObject(refused);
    for (const ref of [0, 7, 11, 0xffffffff]) {
      await expect(b.map(a.domid, [8, ref])).rejects.toMatchObject(refused);
    }
    await expect(b.map(a.domid, [])).rejects.toMatchObject({ code: 'EINVAL' });
    grant.pages.close();
  });

  test('that are ended cannot be mapped any more; who has them keeps them', async () => {
    const [a, b] = [await join(), await join()];
    const grant = await a.grant(b.domid, 2);
    const mapped = await b.map(a.domid, grant.refs);
    grant.end();
    await eventually(
      () =>
        b.map(a.domid, [8]).then(
          () => 'mapped',
          ({ code }) => code,
        ),
      'EACCES',
    );
    const next = await a.grant(b.domid, 1);
    expect(next.refs).toEqual([10]);
    for (const pages of [mapped, grant.pages, next.pages]) pages.close();
  });

  test('to oneself, to a domain that is not there yet, and to no domain at all', async () => {
    const a = await join();
    const grant = await a.grant(a.domid, 1);
    (await a.map(a.domid, grant.refs)).close();
    const early = await a.grant(2, 1);
    const b = await join();
    (await b.map(a.domid, early.refs)).close();
    for (const peer of [0x7ff0, 0xffffffff]) {
      await expect(a.grant(peer, 1)).rejects.toMatchObject({ code: 'EINVAL' });
    }
    await expect(a.grant(b.domid, 70_000)).rejects.toMatchObject({ code: 'ENOSPC' });
    for (const { pages } of [grant, early]) pages.close();
  });

  test('of something that is no memory are refused; of pages that are not there, found out by who maps them', async () => {
    const [a, b] = [await join(), await join()];
    const [pages, fd] = allocatePages(1);
    const { payload } = await a.xenstore.request(HYPERCALL_GRANT, encodeNumbers(b.domid, 2), { fds: [fd] });
    const first = payload.readUInt32LE();
    await expect(b.map(a.domid, [first, first + 1])).rejects.toThrow('beyond the end');
    const device = { fds: [openDevice()] };
    const refused = a.xenstore.request(HYPERCALL_GRANT, encodeNumbers(b.domid, 1), device);
    await expect(refused).rejects.toMatchObject({ code: 'EINVAL' });
    pages.close();
  });

  test('end with their domain', async () => {
    const [a, b] = [await join(), await join()];
    const grant = await a.grant(b.domid, 1);
    await a.close();
    await eventually(
      () =>
        b.map(1, grant.refs).then(
          () => 'mapped',
          ({ code }) => code,
        ),
      'EACCES',
    );
    grant.pages.close();
  });
});

describe('event channels', () => {
  test('ring in both directions, and can be bound by the named domain only, and once', async () => {
    const [a, b, c] = [await join(), await join(), await join()];
    const own = await a.allocateChannel(b.domid);
    await expect(c.bindChannel(a.domid, own.port)).rejects.toMatchObject({ code: 'EACCES' });
    await expect(a.bindChannel(a.domid, own.port)).rejects.toMatchObject({ code: 'EACCES' });
    await expect(b.bindChannel(a.domid, own.port + 1)).rejects.toMatchObject({ code: 'EACCES' });
    const bound = await b.bindChannel(a.domid, own.port);
    await expect(b.bindChannel(a.domid, own.port)).rejects.toMatchObject({ code: 'EBUSY' });
    for (const [from, to] of [
      [own, bound],
      [bound, own],
    ] as const) {
      let rung = 0;
      const watch = a.watcher.watch(to.doorbell, () => rung++);
      watch.arm();
      fs.writeSync(from.doorbell, 'x');
      await eventually(() => rung, 1);
      watch.close();
    }
    own.discard();
    bound.discard();
  });

  test('that are closed before they are bound cannot be', async () => {
    const [a, b] = [await join(), await join()];
    const channel = await a.allocateChannel(b.domid);
    channel.discard();
    channel.close();
    await eventually(
      () =>
        b.bindChannel(a.domid, channel.port).then(
          () => 'bound',
          ({ code }) => code,
        ),
      'EACCES',
    );
    await expect(a.allocateChannel(0x7ff0)).rejects.toMatchObject({ code: 'EINVAL' });
  });

  test('are refused where lingd has no descriptors left, and can be had when others have left', async () => {
    const lingd = await box.lingd();
    const [a, b] = [await join(), await join()];
    const count = () => descriptorsOf(lingd.pid as number).length;
    const start = count();
    const limit = start + 20;
    await run('prlimit', ['--pid', String(lingd.pid), `--nofile=${limit}:${limit}`]);
    const channels = [];
    let refused: string | undefined;
    while (refused === undefined && channels.length < 100) {
      try {
        channels.push(await a.allocateChannel(b.domid));
      } catch (error) {
        refused = (error as NodeJS.ErrnoException).code;
      }
    }
    expect(refused).toBe('EMFILE');
    for (const channel of channels) {
      channel.close();
      channel.discard();
    }
    await eventually(count, start);
    // Nor does it fall over when nobody more can connect: they wait.
    const sockets = Array.from({ length: 30 }, () => connectUnix(path.join(box.rundir, 'domain')));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const late = join('late');
    for (const socket of sockets) closeFd(socket);
    expect(await (await late).xenstore.readString('name')).toBe('late');
    await leave();
    expect(await end(lingd)).toBe(0);
  });
});

describe('what lingd is sent', () => {
  const HEADER = encodePacket({ type: XS_READ, reqId: 1, txId: 0, payload: Buffer.alloc(0) });
  const tooLong = Buffer.from(HEADER);
  tooLong.writeUInt32LE(4097, 12);
  const half = encodePacket({ type: XS_READ, reqId: 1, txId: 0, payload: Buffer.from('name\0') }).subarray(
    0,
    18,
  );
  const hello = encodePacket({ type: HYPERCALL_HELLO, reqId: 1, txId: 0, payload: Buffer.from('x') });
  const map = encodePacket({ type: HYPERCALL_MAP, reqId: 1, txId: 0, payload: Buffer.alloc(3) });
  const unknown = encodePacket({ type: 0x1ff, reqId: 1, txId: 0, payload: Buffer.alloc(0) });
  const random = Buffer.from(Array.from({ length: 30_000 }, (_, i) => (i * i * 7919 + i) >> 3));

  test.each(['socket', 'domain'])(
    'on %s, whatever it is and with whatever descriptors, harms nobody else and stays nowhere',
    async (name) => {
      const lingd = await box.lingd();
      const domain = await join();
      const start = descriptorsOf(lingd.pid as number);
      for (const bytes of [
        Buffer.alloc(0),
        half,
        tooLong,
        hello,
        map,
        unknown,
        random,
        Buffer.concat([hello, half]),
      ]) {
        for (const count of [0, 1, 2, 64]) {
          const fd = connectUnix(path.join(box.rundir, name));
          const given = Array.from({ length: count }, openDevice);
          if (bytes.length > 0) sendWithFds(fd, bytes, given);
          // Once more behind it, so that some of them belong to half a packet.
          if (bytes === half) sendWithFds(fd, Buffer.from([97]), given);
          given.forEach(closeFd);
          await new Promise(setImmediate);
          closeFd(fd);
        }
      }
      await eventually(() => descriptorsOf(lingd.pid as number), start);
      expect(await domain.xenstore.readString('name')).toBe('test');
      await leave();
      expect(await end(lingd)).toBe(0);
    },
  );

  test('descriptors with requests that take none, or too many, are closed', async () => {
    const lingd = await box.lingd();
    const domain = await join();
    const start = descriptorsOf(lingd.pid as number);
    const fds = (count: number): number[] => Array.from({ length: count }, openDevice);
    await domain.xenstore.request(XS_READ, Buffer.from('name\0'), { fds: fds(3) });
    await domain.xenstore.request(HYPERCALL_HELLO, Buffer.from('y'), { fds: fds(64) });
    for (const [numbers, count] of [
      [[1, 1], 0],
      [[1, 1], 2],
      [[1, 0], 1],
      [[1, 70_000], 1],
      [[1], 1],
      [[0x7ff0, 1], 1],
    ] as const) {
      const request = domain.xenstore.request(HYPERCALL_GRANT, encodeNumbers(...numbers), {
        fds: fds(count),
      });
      await expect(request).rejects.toMatchObject({ code: expect.stringMatching(/^(EINVAL|ENOSPC)$/) });
    }
    await eventually(() => descriptorsOf(lingd.pid as number), start);
    await leave();
    expect(await end(lingd)).toBe(0);
  });

  test('an answer that would be too long is E2BIG, and its descriptors stay with nobody', async () => {
    const lingd = await box.lingd();
    const domain = await join();
    const grant = await domain.grant(domain.domid, 1);
    const start = descriptorsOf(lingd.pid as number);
    for (let i = 0; i < 3; i++) {
      const refs = Array.from({ length: 600 }, () => grant.refs[0] as number);
      const asked = domain.xenstore.request(HYPERCALL_MAP, encodeNumbers(domain.domid, ...refs));
      await expect(asked).rejects.toMatchObject({ code: 'E2BIG' });
    }
    (
      await domain.map(
        domain.domid,
        Array.from({ length: 512 }, () => grant.refs[0] as number),
      )
    ).close();
    // It closes its own once they are sent, which is after we have them.
    await eventually(() => descriptorsOf(lingd.pid as number), start);
    grant.pages.close();
    await leave();
    expect(await end(lingd)).toBe(0);
  });

  test('descriptors reach the request they were sent with, however many others are under way', async () => {
    const [a, b] = [await join(), await join()];
    const value = 'x'.repeat(1900);
    const writes = Array.from({ length: 200 }, (_, i) => a.xenstore.write(`data/${i % 10}`, value));
    const grants = Array.from({ length: 20 }, async (_, i) => {
      writes.push(...Array.from({ length: 20 }, () => a.xenstore.write(`data/${i}`, value)));
      return a.grant(b.domid, 1);
    });
    const granted = await Promise.all(grants);
    await Promise.all(writes);
    const pages = await Promise.all(granted.map(({ refs }) => b.map(a.domid, refs)));
    for (const each of [...pages, ...granted.map((grant) => grant.pages)]) each.close();
  });

  test('domains that are killed leave nothing in it', async () => {
    const lingd = await box.lingd();
    const tool = box.client('socket');
    await tool.read('/');
    const start = descriptorsOf(lingd.pid as number);
    const programs = Array.from({ length: 4 }, () =>
      box.run(async ({ ling, say }) => {
        const domain = await ling.boot();
        say(domain.domid);
        let open = 0;
        for (const tid of [1, 2, 3, 0, 0, 0]) {
          domain.spawn(async (self) => {
            ling.ok(await (tid ? ling.tube.open(self, domain.domid, tid) : ling.tube.accept(self)));
            if (++open === 6) say('open');
            await self.receive((m): m is never => m === undefined);
          });
        }
        await new Promise(() => {});
      }),
    );
    for (const program of programs)
      expect([await program.hear(), await program.hear()]).toEqual([expect.any(Number), 'open']);
    await Promise.all(programs.map((program) => program.kill()));
    await eventually(() => tool.directory('/local/domain'), []);
    await eventually(() => descriptorsOf(lingd.pid as number), start);
    expect(await end(lingd)).toBe(0);
  });
});

test('grants are refused without lingd, and nothing of them is left', async () => {
  const lingd = await box.lingd();
  const domain = await join();
  // No lingd can be started there any more.
  fs.chmodSync(box.rundir, 0o777);
  await end(lingd, 'SIGKILL');
  expect(await domain.closed).toMatchObject({ code: 'ERR_RUN_DIRECTORY' });
  await expect(domain.grant(1, 1)).rejects.toMatchObject({ code: 'ENOTCONN' });
  await expect(domain.allocateChannel(1)).rejects.toMatchObject({ code: 'ENOTCONN' });
  expect(() => mapPages([])).toThrow();
  fs.rmSync(box.rundir, { recursive: true, force: true });
});

/** A descriptor of something that nobody wants here. */
function openDevice(): number {
  return fs.openSync('/dev/null', 'r');
}
