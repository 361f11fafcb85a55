/** What a user may have of a lingd, over all of its domains; here one user only, whom the policy names. */
import type { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { ok, tube } from 'ling-tubes';
import { allocatePages, closeFd } from '#native';
import { encodeNumbers, HYPERCALL_GRANT, HYPERCALL_HELLO, HYPERCALL_MAP } from '#xen/hypercall';
import { LinuxHypervisor } from '#xen/linux-hypervisor';
import { XS_READ, XS_WRITE } from '#xen/xenstore/wire';
import { Box, LINGD } from '../support/box';
import { lingXenstore } from '../support/ling-xenstore';
import { RawClient } from '../support/raw-client';
import { descriptorsOf, eventually, processesWith } from '../support/residue';
import { run } from '../support/run';

const own = String(process.geteuid?.());
const over = expect.objectContaining({ code: 'EDQUOT' });

let box: Box;
let policy: string;
let lingd: ChildProcess;
let said = '';
const hypervisors: LinuxHypervisor[] = [];
const clients: RawClient[] = [];

beforeEach(() => {
  box = new Box();
  policy = path.join(path.dirname(box.rundir), 'policy.json');
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await Promise.all(hypervisors.splice(0).map((hypervisor) => hypervisor.close()));
  await box.close();
});

function writePolicy(users: object): void {
  fs.writeFileSync(policy, JSON.stringify({ users }), { mode: 0o644 });
}

async function start(limits: object): Promise<void> {
  writePolicy({ [own]: limits });
  lingd = await box.lingd('--policy', policy);
  said = '';
  lingd.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
}

async function join(name = 'test'): Promise<LinuxHypervisor> {
  const hypervisor = await LinuxHypervisor.connect({ name, directory: box.rundir });
  hypervisors.push(hypervisor);
  // Then lingd has let go of what it has sent with its first answer.
  await hypervisor.xenstore.readString('name');
  return hypervisor;
}

async function leave(hypervisor: LinuxHypervisor): Promise<void> {
  hypervisors.splice(hypervisors.indexOf(hypervisor), 1);
  await hypervisor.close();
}

function connect(): RawClient {
  const client = new RawClient(path.join(box.rundir, 'domain'));
  clients.push(client);
  return client;
}

/** Whether it can be done: only a refusal for too much counts as that. */
async function can(act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (error) {
    expect(error).toEqual(over);
    return false;
  }
}

describe('over all domains of a user', () => {
  test('so many domains there are, and when one has ended another may come', async () => {
    await start({ domains: 2 });
    const first = await join();
    await join();
    await expect(join()).rejects.toEqual(over);
    // Also who never says hello.
    expect(await connect().ask(XS_READ, Buffer.from('domid\0'))).toBe('EDQUOT');
    await leave(first);
    await eventually(() => can(() => join()), true);
    await expect(join()).rejects.toEqual(over);
  });

  test('so many pages are granted, and given back by the end of the grant or of the domain', async () => {
    await start({ grants: 10 });
    const [a, b] = [await join(), await join()];
    const pages = [];
    const first = await a.grant(b.domid, 6);
    await expect(b.grant(a.domid, 5)).rejects.toEqual(over);
    pages.push(first, await b.grant(a.domid, 4));
    await expect(a.grant(b.domid, 1)).rejects.toEqual(over);
    first.end();
    await eventually(() => can(async () => pages.push(await b.grant(a.domid, 6))), true);
    await expect(a.grant(b.domid, 1)).rejects.toEqual(over);
    await leave(b);
    await eventually(() => can(async () => pages.push(await a.grant(a.domid, 10))), true);
    // Nonsense takes nothing.
    for (const count of [0, 0xffff_ffff]) {
      const [memory, fd] = allocatePages(1);
      const request = a.xenstore.request(HYPERCALL_GRANT, encodeNumbers(1, count), { fds: [fd] });
      await expect(request).rejects.toMatchObject({ code: count === 0 ? 'EINVAL' : 'ENOSPC' });
      memory.close();
    }
    for (const { pages: each } of pages) each.close();
  });

  test('so many ends of channels there are, on both sides', async () => {
    await start({ channels: 3 });
    const [a, b] = [await join(), await join()];
    const one = await a.allocateChannel(b.domid);
    const bound = await b.bindChannel(a.domid, one.port);
    const two = await a.allocateChannel(b.domid);
    await expect(b.bindChannel(a.domid, two.port)).rejects.toEqual(over);
    await expect(b.allocateChannel(a.domid)).rejects.toEqual(over);
    // It is still there to be bound.
    bound.close();
    const again = [two];
    await eventually(() => can(async () => again.push(await b.bindChannel(a.domid, two.port))), true);
    for (const each of [one, bound, ...again]) each.discard();
  });

  test('so many descriptors are kept, and none but these', async () => {
    await start({ descriptors: 4 });
    const [a, b] = [await join(), await join()];
    const before = descriptorsOf(lingd.pid as number).length;
    const held = [await a.grant(b.domid, 1), await a.grant(b.domid, 1), await a.grant(b.domid, 1)];
    const channel = await b.allocateChannel(a.domid);
    await expect(a.allocateChannel(b.domid)).rejects.toEqual(over);
    await expect(b.grant(a.domid, 1)).rejects.toEqual(over);
    expect(descriptorsOf(lingd.pid as number).length).toBe(before + 4);
    // Who is bound keeps them itself.
    const bound = await a.bindChannel(b.domid, channel.port);
    held.push(await b.grant(a.domid, 1));
    await expect(b.grant(a.domid, 1)).rejects.toEqual(over);
    await eventually(() => descriptorsOf(lingd.pid as number).length, before + 4);
    for (const each of [channel, bound]) each.discard();
    for (const { pages } of held) pages.close();
  });

  test.each([
    ['the pages', { grants: 64 }, 'closed'],
    ['the channels of the side that accepts', { channels: 1 }, 'closed'],
    ['the channels of the side that opens', { channels: 3 }, 'edquot'],
  ])('%s are too few for a tube, which says so', async (_what, limits, reason) => {
    await start(limits);
    const [a, b] = [await box.boot(), await box.boot()];
    b.spawn(async (self) => {
      ok(await tube.accept(self));
      await self.receive((message): message is never => message === undefined);
    });
    expect(await a.run((self) => tube.open(self, b.domid, 1))).toEqual(['error', reason]);
    // And nothing else has come of it.
    expect([a.status, b.status]).toEqual(['running', 'running']);
    writePolicy({});
    lingd.kill('SIGHUP');
    await eventually(() => said.includes('policy read again'), true);
    expect(await a.run(async (self) => ok(await tube.open(self, b.domid, 2)).constructor.name)).toBe('Port');
  });
});

test('descriptors on their way to who does not read them are few', async () => {
  await start({});
  const client = connect();
  const refs: number[] = [];
  for (let i = 0; i < 16; i++) {
    const [memory, fd] = allocatePages(1);
    refs.push(((await client.ask(HYPERCALL_GRANT, encodeNumbers(1, 1), [fd])) as Buffer).readUInt32LE());
    memory.close();
    closeFd(fd);
  }
  const before = descriptorsOf(lingd.pid as number).length;
  let sent = 0;
  while (sent < 1000 && client.send(HYPERCALL_MAP, encodeNumbers(1, ...refs))) sent++;
  const tool = box.client('socket');
  for (let i = 0; i < 50; i++) {
    await tool.read('/tool');
    expect(descriptorsOf(lingd.pid as number).length - before).toBeLessThan(100);
  }
  // It is held back, and has all of them when it reads.
  await eventually(() => client.heard, sent);
});

describe('messages of a user', () => {
  const COUNT = 60;

  test('are taken at its rate, after a burst, and none is lost', async () => {
    await start({ messages: 100, burst: 10 });
    const client = connect();
    const started = performance.now();
    for (let i = 0; i < COUNT; i++) client.send(XS_WRITE, Buffer.from(`data/${i % 7}\0${i}`));
    await eventually(() => client.heard, COUNT);
    // Not a matter of speed: fewer than so many milliseconds are impossible.
    expect(performance.now() - started).toBeGreaterThan(((COUNT - 10) / 100) * 1000 - 50);
    const tool = box.client('socket');
    expect(await tool.readString('/local/domain/1/data/3')).toBe('59');
  });

  test('of all its domains count together, each gets its turn, and domain 0 does not wait', async () => {
    await start({ messages: 50, burst: 1 });
    const [one, other] = [connect(), connect()];
    for (let i = 0; i < COUNT; i++) one.send(XS_READ, Buffer.from('domid\0'));
    for (let i = 0; i < 10; i++) other.send(XS_READ, Buffer.from('domid\0'));
    const tool = box.client('socket');
    for (let i = 0; i < 100; i++) await tool.read('/tool');
    expect(one.heard + other.heard).toBeLessThan(COUNT);
    await eventually(() => other.heard, 10);
    expect(one.heard).toBeLessThan(COUNT);
    await eventually(() => one.heard, COUNT);
  });

  test('who does not wait for them is not waited for', async () => {
    await start({ messages: 1, burst: 2 });
    const client = connect();
    expect(await client.ask(HYPERCALL_HELLO, Buffer.from('x'))).toBeInstanceOf(Buffer);
    for (let i = 0; i < COUNT; i++) client.send(XS_READ, Buffer.from('domid\0'));
    const tool = box.client('socket');
    expect(await tool.directory('/local/domain')).toEqual(['1']);
    client.close();
    await eventually(() => tool.directory('/local/domain'), []);
  });
});

test('a tool that would be one domain too many says so', async () => {
  await start({ domains: 1 });
  await join();
  const env = { XENSTORED_PATH: path.join(box.rundir, 'domain') };
  const { status, stdout, stderr } = await lingXenstore(env, 'ls', '/local/domain');
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toContain('EDQUOT');
});

describe('the policy', () => {
  test('is read again by SIGHUP: what is there stays, what comes counts', async () => {
    await start({ domains: 3 });
    const [a] = [await join(), await join()];
    const reload = async (users: object | string, word: string) => {
      if (typeof users === 'string') fs.writeFileSync(policy, users);
      else writePolicy(users);
      said = '';
      lingd.kill('SIGHUP');
      await eventually(() => said.includes(word), true);
    };
    await reload({ [own]: { domains: 1 } }, 'policy read again');
    await expect(join()).rejects.toEqual(over);
    expect(await a.xenstore.readString('domid')).toBe('1');
    await reload('{', `${policy}: `);
    expect(said).toContain('policy not read again: the one of before goes on');
    await expect(join()).rejects.toEqual(over);
    fs.rmSync(policy);
    fs.mkdirSync(policy);
    await reloadInPlace('is no file');
    await expect(join()).rejects.toEqual(over);
    fs.rmdirSync(policy);
    await reload({ '*': {} }, 'policy read again');
    const mode = (file = '') => fs.statSync(path.join(box.rundir, file)).mode & 0o777;
    expect([mode(), mode('domain'), mode('socket')]).toEqual([0o711, 0o666, 0o600]);
    await join();
    await reload({}, 'policy read again');
    expect([mode(), mode('domain'), mode('socket')]).toEqual([0o700, 0o600, 0o600]);

    async function reloadInPlace(word: string): Promise<void> {
      said = '';
      lingd.kill('SIGHUP');
      await eventually(() => said.includes(word), true);
    }
  });

  test('is the next lingd’s as well, that a domain starts after a crash; where it is bad by then, nobody else is let in', async () => {
    await start({ domains: 2 });
    await join();
    const program = box.run(async ({ ling, say, listen }) => {
      process.on('warning', ({ message }) => say(message));
      const domain = await ling.boot();
      domain.on('reconnected', () => say('reconnected'));
      say(domain.domid);
      await listen();
      await domain.stop();
    });
    expect(await program.hear()).toBe(2);
    const back = new Promise((resolve) => {
      hypervisors[0]!.onReturned = resolve;
    });
    process.kill(lingd.pid as number, 'SIGKILL');
    await Promise.all([back, program.hear()]);
    await expect(join()).rejects.toEqual(over);
    fs.writeFileSync(policy, 'nonsense');
    const again = new Promise((resolve) => {
      hypervisors[0]!.onReturned = resolve;
    });
    process.kill(processesWith(box.rundir)[0] as number, 'SIGKILL');
    await again;
    expect(fs.statSync(box.rundir).mode & 0o777).toBe(0o700);
    await join();
    program.tell('stop');
    await program.end();
  });

  test.each([
    ['{"users": {"*": {"domain": 1}}}', ': users.*.domain: is no limit; expected domains, grants'],
    ['', ': Unexpected end of JSON input'],
  ])('%j: lingd does not start, with status 2, and says why', async (text, why) => {
    fs.writeFileSync(policy, text);
    const { status, stderr } = await run(process.execPath, [
      LINGD,
      '--rundir',
      box.rundir,
      '--policy',
      policy,
    ]);
    expect(status).toBe(2);
    expect(stderr).toContain(`lingd: ${policy}${why}`);
    expect(fs.existsSync(box.rundir)).toBe(false);
  });
});

test('an unknown user of older lingds is its own: what they remember is read', async () => {
  await start({});
  const domain = await join();
  const stateFile = path.join(box.rundir, 'lingd.state');
  process.kill(lingd.pid as number, 'SIGSTOP');
  const text = fs.readFileSync(stateFile, 'utf8');
  const older = text
    .replace(/(\["joined",1,"[^"]+"),\d+\]/g, '$1]')
    .replace(/\["node","\/local\/domain\/1\/(uid|gid|pid)".*?\]\],?/g, '');
  expect(older).not.toBe(text);
  fs.writeFileSync(stateFile, older.replace(/,\]/g, ']').replace(/\[\]\n/g, ''));
  const back = new Promise((resolve) => {
    domain.onReturned = resolve;
  });
  process.kill(lingd.pid as number, 'SIGKILL');
  await back;
  expect(await domain.xenstore.readString('uid')).toBe(own);
  expect(await domain.xenstore.readString('pid')).toBe(String(process.pid));
});
