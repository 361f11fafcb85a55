/** What becomes of domains when lingd ends before they do, and another one takes its place. */
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { closeFd } from '#native';
import { encodeNumbers, HYPERCALL_HELLO, HYPERCALL_RESUME } from '#xen/hypercall';
import { LinuxHypervisor } from '#xen/linux-hypervisor';
import { tryToLock } from '#xen/run-directory';
import type { XenstoreClient } from '#xen/xenstore/client';
import { encodePacket, PacketDecoder, XS_CONTROL } from '#xen/xenstore/wire';
import { Box } from '../support/box';
import { descriptorsOf, eventually, processesWith } from '../support/residue';
import { run } from '../support/run';

const code = (code: string) => expect.objectContaining({ code });

let box: Box;
let stateFile: string;
const hypervisors: LinuxHypervisor[] = [];

beforeEach(() => {
  box = new Box();
  stateFile = path.join(box.rundir, 'lingd.state');
});
afterEach(async () => {
  await Promise.all(hypervisors.splice(0).map((hypervisor) => hypervisor.close()));
  await box.close();
});

async function join(name = 'test'): Promise<LinuxHypervisor> {
  const hypervisor = await LinuxHypervisor.connect({ name, directory: box.rundir });
  hypervisors.push(hypervisor);
  return hypervisor;
}

/** A domain in an OS process of its own: says its domid, and what becomes of it. */
function domainProgram() {
  return box.run(async ({ ling, say, listen }) => {
    process.on('warning', ({ name, message }) => say(`${name}: ${message}`));
    const domain = await ling.boot();
    domain.on('reconnected', () => say('reconnected'));
    domain.on('disconnected', ({ code, message }: NodeJS.ErrnoException) => say(`${code}: ${message}`));
    say(domain.domid);
    await listen();
    await domain.stop();
  });
}

function killLingd(signal: NodeJS.Signals = 'SIGKILL'): void {
  const [pid] = processesWith(box.rundir) as [number];
  process.kill(pid, signal);
}

/** Ends lingd and waits until these are back. */
async function restart(domains: readonly LinuxHypervisor[], signal?: NodeJS.Signals): Promise<void> {
  const back = domains.map(
    (domain) =>
      new Promise((resolve) => {
        domain.onReturned = resolve;
      }),
  );
  killLingd(signal);
  await Promise.all(back);
}

/** Every node with its value and permissions. */
async function everything(client: XenstoreClient, at = '/'): Promise<[string, string, string[]][]> {
  const own: [string, string, string[]] = [at, await client.readString(at), await client.getPerms(at)];
  const below: [string, string, string[]][] = [];
  for (const name of await client.directory(at))
    below.push(...(await everything(client, `${at === '/' ? '' : at}/${name}`)));
  return [own, ...below];
}

describe('after lingd has ended', () => {
  test.each(['SIGKILL', 'SIGTERM'] as const)('by %s, all nodes are as they were', async (signal) => {
    const [a, b] = [await join('a'), await join('dréi')];
    const tool = box.client('socket');
    await a.xenstore.write('data/x/y', Buffer.from([0, 10, 255]));
    await a.xenstore.setPerms('data/x', ['n1', 'b2', 'r9']);
    await b.xenstore.write('/local/domain/1/data/x/of-b', 'b');
    await a.xenstore.write('data/gone/deep', '1');
    await a.xenstore.rm('data/gone');
    await a.xenstore.transaction(async (tx) => {
      await a.xenstore.write('data/1', 'one', tx);
      await a.xenstore.write('data/2', 'two', tx);
    });
    await tool.write('/tool/mine', 'domain 0');
    await tool.setPerms('/tool/mine', ['n0', 'r1']);
    const before = await everything(tool);
    for (let i = 0; i < 3; i++) await restart([a, b], signal);
    expect(await everything(box.client('socket'))).toEqual(before);
    expect(await a.xenstore.readString('domid')).toBe('1');
    // A number is not used again soon, nor what the domain owned by another.
    expect((await join()).domid).toBe(3);
    await b.close();
    await eventually(() => a.xenstore.directory('data/x'), ['y']);
  });

  test('a domain that ends is ended: what it had is gone, and others hear of it', async () => {
    const [a, b] = [await join(), await join()];
    await a.xenstore.write('data/x', '1');
    await b.xenstore.setPerms('data', ['r2']);
    await restart([a, b]);
    const seen: string[] = [];
    await b.xenstore.watch('/local/domain/1/domid', (at) => seen.push(at));
    await eventually(() => seen.splice(0).length, 1);
    await a.close();
    await eventually(() => seen, ['/local/domain/1/domid']);
    expect(await b.xenstore.directory('/local/domain')).toEqual(['2']);
  });

  test('watches go on, and each calls back once more', async () => {
    const [a, b] = [await join(), await join()];
    await b.xenstore.setPerms('data', ['r2']);
    const seen: string[] = [];
    const onB = (at: string) => seen.push(at);
    await a.xenstore.watch('/local/domain/2/data', onB);
    await a.xenstore.watch('data', onB);
    await eventually(() => seen.splice(0), ['/local/domain/2/data', 'data']);
    await restart([a, b]);
    await eventually(() => seen.splice(0), ['/local/domain/2/data', 'data']);
    await b.xenstore.write('data/x', '1');
    await a.xenstore.write('data/y', '1');
    await eventually(() => seen, ['/local/domain/2/data/x', 'data/y']);
  });

  test('what was granted and offered is not any more, and giving that back ends nothing of now', async () => {
    const [a, b] = [await join(), await join()];
    const [oldGrant, oldChannel] = [await a.grant(b.domid, 2), await a.allocateChannel(b.domid)];
    await restart([a, b]);
    await expect(b.map(a.domid, oldGrant.refs)).rejects.toEqual(code('EACCES'));
    await expect(b.bindChannel(a.domid, oldChannel.port)).rejects.toEqual(code('EACCES'));
    const [grant, channel] = [await a.grant(b.domid, 2), await a.allocateChannel(b.domid)];
    // No number of before means something else now.
    expect(grant.refs).not.toEqual(expect.arrayContaining([oldGrant.refs[0]]));
    expect(channel.port).not.toBe(oldChannel.port);
    oldGrant.end();
    oldChannel.close();
    await a.xenstore.read('name');
    (await b.map(a.domid, grant.refs)).close();
    const bound = await b.bindChannel(a.domid, channel.port);
    for (const each of [oldChannel, channel, bound]) each.discard();
    for (const { pages } of [oldGrant, grant]) pages.close();
    expect([a.epoch, b.epoch]).toEqual([1, 1]);
  });

  test('what is asked for without a lingd waits for the next', async () => {
    const [a, b] = [await join(), await join()];
    const lost = a.closed;
    killLingd();
    await eventually(() => a.epoch, 1);
    const asked = [a.grant(b.domid, 1), b.allocateChannel(a.domid), a.xenstore.write('data/x', '1')] as const;
    const [grant, channel] = await Promise.all(asked);
    (await b.map(a.domid, grant.refs)).close();
    channel.discard();
    grant.pages.close();
    expect(await a.xenstore.readString('data/x')).toBe('1');
    expect(await Promise.race([lost, 'not lost'])).toBe('not lost');
  });

  test('a domain whose OS process has ended as well is gone at once', async () => {
    const [a, program] = [await join(), domainProgram()];
    expect(await program.hear()).toBe(2);
    const [lingd] = processesWith(box.rundir) as [number];
    process.kill(lingd, 'SIGSTOP');
    await program.kill();
    process.kill(lingd, 'SIGKILL');
    expect(await a.xenstore.directory('/local/domain')).toEqual(['1']);
  });

  test('a guest that never made a hypercall is gone', async () => {
    const a = await join();
    const guest = box.client('domain');
    await guest.write('data/x', '1');
    await restart([a]);
    expect(await a.xenstore.directory('/local/domain')).toEqual(['1']);
    expect(await guest.closed).toBeUndefined();
  });

  test('a domain that waits for it can be closed at once', async () => {
    const a = await join();
    killLingd();
    await eventually(() => a.epoch, 1);
    const waiting = expect(a.xenstore.read('name')).rejects.toEqual(code('ECONNRESET'));
    await a.close();
    await waiting;
    fs.rmSync(box.rundir, { recursive: true, force: true });
  });

  test('what domain 0 has set of quotas stays', async () => {
    const a = await join();
    const tool = box.client('socket');
    await tool.request(XS_CONTROL, Buffer.from('quota\0set\0nodes\x0050\0'));
    const quota = async (client: XenstoreClient) =>
      String((await client.request(XS_CONTROL, Buffer.from('quota\0'))).payload);
    const before = await quota(tool);
    expect(before).toMatch(/\b50\b/);
    await restart([a]);
    expect(await quota(box.client('socket'))).toBe(before);
  });

  test('that domains leave just when it is told to end leaves nothing', async () => {
    for (let delay = 0; delay < 10; delay++) {
      const domain = await join();
      killLingd('SIGTERM');
      await new Promise((resolve) => setTimeout(resolve, delay));
      await domain.close();
      await eventually(() => fs.existsSync(box.rundir), false);
    }
  });

  test('what others have in its directory’s place stays, also when much has happened and it ends', async () => {
    const a = await join();
    fs.rmSync(box.rundir, { recursive: true });
    const b = await join('b');
    const value = 'x'.repeat(4000);
    await Promise.all(Array.from({ length: 600 }, () => a.xenstore.write('data/x', value)));
    const [first] = processesWith(box.rundir).sort((one, other) => one - other) as [number];
    const left = fs.readdirSync(box.rundir);
    process.kill(first, 'SIGTERM');
    await eventually(() => processesWith(box.rundir).includes(first), false);
    expect(fs.readdirSync(box.rundir)).toEqual(left);
    expect(fs.readFileSync(stateFile, 'utf8')).not.toContain(value);
    expect((await join()).domid).toBe(2);
    await restart([b]);
    expect(await b.xenstore.readString('name')).toBe('b');
  });

  test('of an older kind, that gave no secret, the domain is lost', async () => {
    fs.mkdirSync(box.rundir, { mode: 0o700 });
    const older = net.createServer((socket) => {
      const decoder = new PacketDecoder();
      socket.on('data', (bytes) => {
        for (const packet of decoder.push(bytes)) {
          const payload = packet.type === HYPERCALL_HELLO ? encodeNumbers(7) : Buffer.from('older');
          socket.write(encodePacket({ ...packet, payload }));
          if (packet.type !== HYPERCALL_HELLO) socket.end();
        }
      });
    });
    older.listen(path.join(box.rundir, 'domain'));
    await once(older, 'listening');
    const domain = await join();
    expect(domain.domid).toBe(7);
    expect(await domain.xenstore.readString('name')).toBe('older');
    expect(await domain.closed).toEqual(code('ECONNRESET'));
    await new Promise((resolve) => older.close(resolve));
  });
});

describe('the domid of a domain that is expected back', () => {
  test('is nobody else’s', async () => {
    const [program, a] = [domainProgram(), await join()];
    const domid = await program.hear<number>();
    process.kill(program.pid, 'SIGSTOP');
    await restart([a]);
    expect((await a.xenstore.directory('/local/domain')).sort()).toEqual(['1', '2']);
    const stranger = box.client('domain');
    const resume = (number: number, secret: Buffer) =>
      stranger.request(HYPERCALL_RESUME, Buffer.concat([encodeNumbers(number), secret]));
    const secret = Buffer.alloc(16);
    await expect(resume(domid, secret)).rejects.toEqual(code('EACCES'));
    await expect(resume(a.domid, secret)).rejects.toEqual(code('EACCES'));
    await expect(resume(9, secret)).rejects.toEqual(code('ENOENT'));
    for (const [number, bytes] of [
      [domid, 15],
      [domid, 17],
      [domid, 0],
      [0x7ff0, 16],
    ] as const)
      await expect(resume(number, Buffer.alloc(bytes))).rejects.toEqual(code('EINVAL'));
    // What the file says of it is not its secret either.
    const [, hash] = new RegExp(`"joined",${domid},"([^"]+)"`).exec(
      fs.readFileSync(stateFile, 'utf8'),
    ) as unknown as [string, string];
    await expect(resume(domid, Buffer.from(hash, 'base64').subarray(0, 16))).rejects.toEqual(code('EACCES'));
    // It is no domain yet, and becomes another one.
    expect(await stranger.readString('domid')).toBe('3');
    await expect(resume(domid, secret)).rejects.toEqual(code('EISCONN'));
    process.kill(program.pid, 'SIGCONT');
    expect(await program.hear()).toBe('reconnected');
    program.tell('stop');
    expect(await program.end()).toBe(0);
  });

  test('is free when it does not come back in time, which it is told when it does', async () => {
    const [program, a] = [domainProgram(), await join()];
    const domid = await program.hear<number>();
    process.kill(program.pid, 'SIGSTOP');
    await restart([a]);
    const there = () => a.xenstore.directory('/local/domain');
    expect(await there()).toContain(String(domid));
    await eventually(there, [String(a.domid)], 30_000);
    process.kill(program.pid, 'SIGCONT');
    expect(await program.hear()).toMatch(/^ECONNRESET: /);
  });

  test('is free when domain 0 releases it', async () => {
    const [program, a] = [domainProgram(), await join()];
    const domid = await program.hear<number>();
    process.kill(program.pid, 'SIGSTOP');
    await restart([a]);
    await box.client('socket').request(9 /* RELEASE */, Buffer.from(`${domid}\0`));
    process.kill(program.pid, 'SIGCONT');
    expect(await program.hear()).toMatch(/^ECONNRESET: /);
  });
});

describe('what lingd remembers', () => {
  test('is only for its user to see', async () => {
    await join();
    expect(fs.statSync(stateFile).mode & 0o777).toBe(0o600);
  });

  test('does not grow with what has happened, but with what there is', async () => {
    const a = await join();
    const values = Array.from({ length: 2000 }, (_, i) => `${i}`.padEnd(2000, 'x'));
    await Promise.all(values.map((value) => a.xenstore.write('data/x', value)));
    expect(fs.statSync(stateFile).size).toBeLessThan(2_000_000);
    await restart([a]);
    expect(await a.xenstore.readString('data/x')).toBe(values.at(-1));
    expect(fs.readdirSync(box.rundir).sort()).toEqual(['domain', 'lingd.leases', 'lingd.state', 'socket']);
  });

  test('up to where it was killed while it wrote', async () => {
    const a = await join();
    await a.xenstore.write('data/x', '1');
    const [lingd] = processesWith(box.rundir) as [number];
    process.kill(lingd, 'SIGSTOP');
    fs.appendFileSync(stateFile, '[["node","/local/domain/1/data/x","2",["n1"]],["do');
    process.kill(lingd, 'SIGKILL');
    expect(await a.xenstore.readString('data/x')).toBe('1');
  });

  const header = '["lingd",1,{"epoch":0,"madeDirectory":false}]';
  test.each([
    ['nothing', ''],
    ['no text', Buffer.from([0, 255, 10, 200, 10])],
    ['a line that is none', `${header}\n[["introduced",7]]\nx\n`],
    ['of another version', '["lingd",2,{"epoch":0,"madeDirectory":false}]\n'],
    ['of somebody else', '{"lingd":1}\n'],
    ['of fewer lingds than none', '["lingd",1,{"epoch":-2,"madeDirectory":false}]\n'],
    ['with a record that is none', `${header}\n[["introduced",7]]\n[["unknown",1]]\n`],
    ['with a method of all objects for a record', `${header}\n[["toString"]]\n`],
    ['with a domid that is none', `${header}\n[["introduced",32752]]\n`],
    ['with a domid that is text', `${header}\n[["introduced","7"]]\n`],
    ['with too many parts', `${header}\n[["introduced",7,8]]\n`],
    ['with a node out of nowhere', `${header}\n[["node","/a/b","",["n0"]]]\n`],
    ['with the root removed', `${header}\n[["removed","/"]]\n`],
    ['with a path that is none', `${header}\n[["node","//","",["n0"]]]\n`],
    ['with permissions that are none', `${header}\n[["node","/a","",["n0 "]]]\n`],
    ['with an end of what was not', `${header}\n[["released",7]]\n`],
  ])('%s: is said, and made anew', async (_what, content) => {
    fs.mkdirSync(box.rundir, { mode: 0o700 });
    fs.writeFileSync(stateFile, content);
    const lingd = await box.lingd();
    let said = '';
    lingd.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const domain = await join();
    expect(domain.domid).toBe(1);
    expect(await domain.xenstore.directory('/local/domain')).toEqual(['1']);
    await eventually(() => / warn: domains of before cannot come back why=.*\n/.test(said), true);
    await restart([domain]);
  });

  test('whoever ends last removes it, with what a lingd was killed over', async () => {
    const a = await join();
    const [lingd] = processesWith(box.rundir) as [number];
    process.kill(lingd, 'SIGKILL');
    // Not in turns of the event loop, in which the domain would start another.
    let lock = tryToLock(box.rundir);
    while (typeof lock !== 'number') lock = tryToLock(box.rundir);
    closeFd(lock);
    fs.writeFileSync(`${stateFile}.new`, header);
    await a.close();
    await eventually(() => fs.existsSync(box.rundir), false);
  });

  test.each(['a directory', 'a link'])('that is %s is not taken for it', async (what) => {
    fs.mkdirSync(box.rundir, { mode: 0o700 });
    const elsewhere = path.join(box.rundir, '..', 'elsewhere');
    if (what === 'a directory') fs.mkdirSync(stateFile);
    else {
      fs.writeFileSync(elsewhere, 'precious');
      fs.symlinkSync(elsewhere, stateFile);
    }
    const program = domainProgram();
    // It is on demand that nobody reads what lingd prints, but who has started it.
    const said = [await program.hear(), await program.hear()].sort();
    expect(said).toEqual([
      1,
      expect.stringMatching(/^LingdWarning: lingd: domains of before cannot come back why=".* is no file"/),
    ]);
    program.tell('stop');
    expect(await program.end()).toBe(0);
    if (what === 'a link') expect(fs.readFileSync(elsewhere, 'utf8')).toBe('precious');
    await eventually(() => processesWith(box.rundir), []);
    fs.rmSync(box.rundir, { recursive: true });
  });

  test('is lost where it is damaged: domains are told, and others find nothing of them', async () => {
    const program = domainProgram();
    expect(await program.hear()).toBe(1);
    const [lingd] = processesWith(box.rundir) as [number];
    process.kill(lingd, 'SIGSTOP');
    fs.writeFileSync(stateFile, 'damaged\n');
    process.kill(lingd, 'SIGKILL');
    expect(await program.hear()).toMatch(
      /^LingdWarning: lingd: domains of before cannot come back why=".* is damaged in line 1"/,
    );
    expect(await program.hear()).toMatch(/^ECONNRESET: .* domain 1 /);
    expect(await (await join()).xenstore.directory('/local/domain')).toEqual(['1']);
  });

  test('nothing where it cannot write from the start, of which who starts it hears', async () => {
    const program = box.run(async ({ ling, say, listen }) => {
      process.on('warning', ({ message }) => say(message));
      await listen();
      const domain = await ling.boot();
      say(domain.domid);
      await listen();
      await domain.stop();
    });
    await run('prlimit', ['--pid', String(program.pid), '--fsize=20']);
    program.tell('boot');
    expect([await program.hear(), await program.hear()]).toEqual([
      expect.stringContaining('could not come back after a crash'),
      1,
    ]);
    program.tell('stop');
    expect(await program.end()).toBe(0);
  });

  test('nothing where it cannot write: it says so, and serves', async () => {
    const lingd = await box.lingd();
    let said = '';
    lingd.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const a = await join();
    await run('prlimit', ['--pid', String(lingd.pid), '--fsize=4000']);
    const start = descriptorsOf(lingd.pid as number).length;
    await Promise.all(Array.from({ length: 10 }, (_, i) => a.xenstore.write(`data/${i}`, 'x'.repeat(1000))));
    expect(await a.xenstore.directory('data')).toHaveLength(10);
    await eventually(() => said, expect.stringContaining('could not come back after a crash'));
    expect(fs.existsSync(stateFile)).toBe(false);
    expect(descriptorsOf(lingd.pid as number).length).toBe(start - 1);
    killLingd();
    expect(await a.closed).toEqual(code('ECONNRESET'));
  });
});
