/** Several users at one lingd: who gets in where, as whom, and what it is told if it does not. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeNumbers, HYPERCALL_HELLO, HYPERCALL_RESUME, SECRET_BYTES } from '#xen/hypercall';
import { XS_READ } from '#xen/xenstore/wire';
import { assertOtherUsers, asUser, USERS } from '../support/as-user';
import { Box, LINGD } from '../support/box';
import { RawClient } from '../support/raw-client';
import { descriptorsOf, eventually } from '../support/residue';

beforeAll(assertOtherUsers);

let box: Box;
let policy: string;
let lingd: ChildProcess | undefined;
const clients: RawClient[] = [];

beforeEach(() => {
  box = new Box();
  // Others get through, to what lets them in itself.
  fs.chmodSync(path.dirname(box.rundir), 0o711);
  policy = path.join(path.dirname(box.rundir), 'policy.json');
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await stop();
  await box.close();
});

function writePolicy(users: object): void {
  fs.writeFileSync(policy, JSON.stringify({ users }), { mode: 0o644 });
}

const POLICY = { [USERS.allowed]: { domains: 8 }, [USERS.full]: { domains: 1 } };

/** A lingd of that user, that is listening. */
async function start(owner: number, args: string[] = ['--policy', policy]): Promise<void> {
  if (owner !== 0 && !fs.existsSync(box.rundir)) {
    fs.mkdirSync(box.rundir, { mode: 0o700 });
    fs.chownSync(box.rundir, owner, owner);
  }
  const ids = { uid: owner, gid: owner };
  lingd = spawn(process.execPath, [LINGD, '--foreground', '--rundir', box.rundir, ...args], ids);
  await once(lingd.stdout as NodeJS.ReadableStream, 'data');
}

async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (!lingd) return;
  const ended = once(lingd, 'close');
  lingd.kill(signal);
  lingd = undefined;
  await ended;
}

/** A connection of that user; or what the system says of it. */
function connect(uid: number, socket: 'socket' | 'domain'): RawClient | string {
  try {
    const client = asUser(uid, () => new RawClient(path.join(box.rundir, socket)));
    clients.push(client);
    return client;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code as string;
  }
}

interface Joined {
  readonly domid: number;
  readonly secret: Buffer;
}

/** What becomes of a user that says hello. */
async function join(uid: number): Promise<Joined | string> {
  const client = connect(uid, 'domain');
  if (typeof client === 'string') return client;
  const answer = await client.ask(HYPERCALL_HELLO, Buffer.from('x'));
  if (typeof answer === 'string') return answer;
  return { domid: answer.readUInt32LE(), secret: answer.subarray(4) };
}

/** What becomes of a user that wants to be that domain again. */
async function resume(uid: number, { domid, secret }: Joined): Promise<number | string> {
  const client = connect(uid, 'domain');
  if (typeof client === 'string') return client;
  const answer = await client.ask(HYPERCALL_RESUME, Buffer.concat([encodeNumbers(domid), secret]));
  return typeof answer === 'string' ? answer : answer.readUInt32LE();
}

/** What a user gets that reads there as a part of domain 0. */
async function readAsTool(uid: number): Promise<string> {
  const client = connect(uid, 'socket');
  if (typeof client === 'string') return client;
  const answer = await client.ask(XS_READ, Buffer.from('/tool\0'));
  return typeof answer === 'string' ? answer : 'OK';
}

const isJoined = (joined: Joined | string): joined is Joined => typeof joined !== 'string';

const OWNERS = [
  ['root', 0],
  ['another user', USERS.owner],
] as const;

describe.each(OWNERS)('at a lingd of %s', (_who, owner) => {
  /** Whether the system or lingd says so: 'EACCES' and 'closed' are both a closed door. */
  const MAY_RULE = new Set([0, owner]);
  const everybody = [...new Set([0, ...Object.values(USERS)])];

  test('`socket` is for its own user and root, whatever the modes', async () => {
    writePolicy({ '*': {} });
    await start(owner);
    const ask = () => Promise.all(everybody.map(async (uid) => [uid, await readAsTool(uid)]));
    expect(await ask()).toEqual(everybody.map((uid) => [uid, MAY_RULE.has(uid) ? 'OK' : 'EACCES']));
    fs.chmodSync(path.join(box.rundir, 'socket'), 0o666);
    expect(await ask()).toEqual(everybody.map((uid) => [uid, MAY_RULE.has(uid) ? 'OK' : 'closed']));
  });

  test('without a policy `domain` is for its own user and root, whatever the modes', async () => {
    await start(owner, []);
    expect(fs.statSync(box.rundir).mode & 0o777).toBe(0o700);
    const enter = () => Promise.all(everybody.map(async (uid) => [uid, name(await join(uid))]));
    expect(await enter()).toEqual(everybody.map((uid) => [uid, MAY_RULE.has(uid) ? 'joined' : 'EACCES']));
    fs.chmodSync(path.join(box.rundir, 'domain'), 0o666);
    fs.chmodSync(box.rundir, 0o711);
    expect(await enter()).toEqual(everybody.map((uid) => [uid, MAY_RULE.has(uid) ? 'joined' : 'EACCES']));
  });

  test('a policy lets in whom it names, up to their number; who they are is to be seen', async () => {
    writePolicy(POLICY);
    await start(owner);
    expect(fs.statSync(box.rundir).mode & 0o777).toBe(0o711);
    const modes = ['domain', 'socket', 'lingd.state'].map(
      (file) => fs.statSync(path.join(box.rundir, file)).mode & 0o777,
    );
    expect(modes).toEqual([0o666, 0o600, 0o600]);
    const tool = box.client('socket');
    for (const uid of everybody) {
      const joined = await join(uid);
      expect(name(joined)).toBe(uid in POLICY || MAY_RULE.has(uid) ? 'joined' : 'EACCES');
      if (!isJoined(joined)) continue;
      const home = `/local/domain/${joined.domid}`;
      const seen = await Promise.all(['uid', 'gid', 'pid'].map((key) => tool.readString(`${home}/${key}`)));
      expect(seen).toEqual([uid, uid, process.pid].map(String));
      expect(await tool.getPerms(`${home}/uid`)).toEqual(['r0']);
    }
    expect(await join(USERS.full)).toBe('EDQUOT');
    // One that has ended makes room.
    for (const client of clients.splice(0)) client.close();
    await eventually(async () => name(await join(USERS.full)), 'joined');
  });

  test('a domain comes back to the next lingd as the user that it was, and nobody else with its secret', async () => {
    writePolicy(POLICY);
    await start(owner);
    const domains = new Map<number, Joined>();
    for (const uid of everybody) {
      const joined = await join(uid);
      if (isJoined(joined)) domains.set(uid, joined);
    }
    const members = [...new Set([0, owner, USERS.allowed, USERS.full])];
    expect([...domains.keys()].sort()).toEqual(members.sort());
    expect(domains.get(USERS.full)?.secret.length).toBe(SECRET_BYTES);
    await stop('SIGKILL');
    await start(owner);
    // Those that are expected are counted.
    expect(await join(USERS.full)).toBe('EDQUOT');
    for (const [whose, joined] of domains) {
      for (const uid of everybody.filter((other) => other !== whose))
        expect([whose, uid, await resume(uid, joined)]).toEqual([whose, uid, 'EACCES']);
      expect(await resume(whose, joined)).toBe(joined.domid);
      for (const uid of everybody) expect(await resume(uid, joined)).toBe(uid === whose ? 'EBUSY' : 'EACCES');
    }
    const tool = box.client('socket');
    for (const [uid, { domid }] of domains)
      expect(await tool.readString(`/local/domain/${domid}/uid`)).toBe(String(uid));
  });

  test('who holds connections and says nothing holds few, and none of anybody else', async () => {
    writePolicy(POLICY);
    await start(owner);
    const before = descriptorsOf(lingd?.pid as number).length;
    const silent = Array.from({ length: 100 }, () => connect(USERS.refused, 'domain') as RawClient);
    await eventually(() => silent.filter((client) => !client.hasEnded).length, 16);
    expect(name(await join(USERS.allowed))).toBe('joined');
    expect(name(await join(owner))).toBe('joined');
    // A socket and a process for each of the 18.
    await eventually(() => descriptorsOf(lingd?.pid as number).length < before + 40, true);
    for (const client of silent) client.close();
    await eventually(async () => join(USERS.refused), 'EACCES');
  });
});

/** A domain in an OS process of that user: says its domid, or why it is none, and what becomes of it. */
function domainOf(uid: number) {
  return box.runAs(uid, async ({ ling, say, listen }) => {
    try {
      const domain = await ling.boot();
      domain.on('reconnected', () => say('reconnected'));
      domain.on('disconnected', ({ message }) => say(message));
      say(domain.domid);
      await listen();
      await domain.stop();
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      say(`${code}: ${message}`);
    }
  });
}

describe('a program of another user', () => {
  test('boots, and opens tubes to others, where it is let in; else it says why it cannot', async () => {
    writePolicy(POLICY);
    await start(USERS.owner);
    const acceptor = box.runAs(USERS.owner, async ({ ling, say, listen }) => {
      const domain = await ling.boot();
      say(domain.domid);
      await domain.run(async (self) => {
        const tube = ling.ok(await ling.tube.accept(self));
        const [, [, data]] = await self.receive(ling.isData(tube));
        say(String(data));
      });
      await listen();
      await domain.stop();
    });
    const domid = await acceptor.hear<number>();
    const opener = box.runAs(
      USERS.allowed,
      async ({ ling, listen }, peer) => {
        const domain = await ling.boot();
        await domain.run(async (self) => {
          const tube = ling.ok(await ling.tube.open(self, peer, 0));
          self.port_command(tube, 'from another user');
        });
        await listen();
        await domain.stop();
      },
      domid,
    );
    expect(await acceptor.hear()).toBe('from another user');
    expect(await domainOf(USERS.refused).hear()).toBe(
      `EACCES: EACCES: user ${USERS.refused} may not become a domain, says the policy of the lingd in ${box.rundir}`,
    );
    const full = domainOf(USERS.full);
    expect(await full.hear()).toEqual(expect.any(Number));
    expect(await domainOf(USERS.full).hear()).toBe(
      `EDQUOT: EDQUOT: user ${USERS.full} has as many domains as it may, says the policy of the lingd in ${box.rundir}`,
    );
    const programs = [acceptor, opener, full];
    for (const program of programs) program.tell('stop');
    expect(await Promise.all(programs.map((program) => program.end()))).toEqual([0, 0, 0]);
  });

  test('starts no lingd for its user, removes nothing, and is back when there is one again', async () => {
    writePolicy(POLICY);
    await start(USERS.owner);
    const [program, ofRoot] = [domainOf(USERS.allowed), domainOf(0)];
    expect([await program.hear(), await ofRoot.hear()].sort()).toEqual([1, 2]);
    await stop('SIGKILL');
    await sleep(500);
    // Not even root's, which could.
    ofRoot.tell('stop');
    expect(await ofRoot.end()).toBe(0);
    const left = fs.readdirSync(box.rundir).sort();
    const leases = [0, USERS.allowed].map((uid) => `lingd.leases.${uid}`);
    expect(left).toEqual(['domain', ...leases, 'lingd.state', 'socket']);
    // Nor does one that is new, also of root.
    for (const uid of [USERS.allowed, 0])
      expect(await domainOf(uid).hear()).toBe(
        `ERR_LINGD_START: no lingd serves ${box.rundir}, which belongs to ${USERS.owner}: its user has to start it`,
      );
    expect(fs.readdirSync(box.rundir).sort()).toEqual(left);
    await start(USERS.owner);
    expect(await program.hear()).toBe('reconnected');
    program.tell('stop');
    expect(await program.end()).toBe(0);
    expect(fs.readdirSync(box.rundir)).toContain('lingd.state');
  });

  test('of root that is the last one removes nothing either', async () => {
    await start(USERS.owner, []);
    const program = domainOf(0);
    expect(await program.hear()).toBe(1);
    await stop('SIGKILL');
    program.tell('stop');
    expect(await program.end()).toBe(0);
    expect(fs.readdirSync(box.rundir).sort()).toEqual(['domain', 'lingd.leases.0', 'lingd.state', 'socket']);
    // Its user's next lingd does.
    await start(USERS.owner, []);
  });

  test('is told where nobody is let in', async () => {
    await start(USERS.owner, []);
    fs.chmodSync(box.rundir, 0o711);
    expect(await domainOf(USERS.allowed).hear()).toBe(
      `ERR_LINGD_START: ${box.rundir} belongs to ${USERS.owner}, whose lingd has no policy that lets others in`,
    );
  });

  test('is let in again by the lingd that a domain has started after a crash: it has the same policy', async () => {
    writePolicy(POLICY);
    await start(0);
    const [own, others] = [domainOf(0), domainOf(USERS.allowed)];
    expect([await own.hear(), await others.hear()].sort()).toEqual([1, 2]);
    await stop('SIGKILL');
    expect([await own.hear(), await others.hear()]).toEqual(['reconnected', 'reconnected']);
    expect(name(await join(USERS.full))).toBe('joined');
    expect(await join(USERS.full)).toBe('EDQUOT');
    expect(await join(USERS.refused)).toBe('EACCES');
  });
});

describe('a run directory of another user', () => {
  const trusted = `ERR_LINGD_START: no lingd serves .*, which belongs to ${USERS.owner}`;
  const refused = 'ERR_RUN_DIRECTORY: .* belongs to another user';
  test.each([
    ['below one of root', 0, 0o755, trusted],
    ['below one of root where all may write', 0, 0o777, refused],
    ['below one of root where all may write, but only remove their own', 0, 0o1777, refused],
    ['below one of root where a group may write', 0, 0o775, refused],
    ['below its own', USERS.owner, 0o755, refused],
    ['below a third user’s', USERS.full, 0o755, refused],
  ])('%s', async (_where, owner, mode, said) => {
    const parent = path.dirname(box.rundir);
    fs.mkdirSync(box.rundir, { mode: 0o755 });
    fs.chownSync(box.rundir, USERS.owner, USERS.owner);
    fs.chownSync(parent, owner, owner);
    fs.chmodSync(parent, mode);
    expect(await domainOf(USERS.allowed).hear()).toMatch(new RegExp(said));
    fs.chownSync(parent, 0, 0);
  });

  test('that a link of another user leads to is refused, and so is one that others can write to', async () => {
    const [parent, elsewhere] = [path.dirname(box.rundir), `${box.rundir}-elsewhere`];
    fs.mkdirSync(elsewhere, { mode: 0o755 });
    fs.symlinkSync(elsewhere, box.rundir);
    fs.lchownSync(box.rundir, USERS.refused, USERS.refused);
    expect(await domainOf(USERS.allowed).hear()).toMatch('belongs to another user');
    fs.lchownSync(box.rundir, 0, 0);
    expect(await domainOf(USERS.allowed).hear()).toMatch('no lingd serves');
    fs.chmodSync(elsewhere, 0o775);
    expect(await domainOf(USERS.allowed).hear()).toMatch('can be written by other users');
    expect(fs.readdirSync(parent).sort()).toEqual(['run', 'run-elsewhere']);
    fs.rmSync(box.rundir);
  });
});

test('a lease is a lock in a file of its user’s own, which that cannot write', async () => {
  writePolicy(POLICY);
  await start(0);
  for (const uid of [0, USERS.allowed, USERS.full]) {
    const client = connect(uid, 'domain') as RawClient;
    await client.ask(HYPERCALL_HELLO, Buffer.from('x'));
    const [lease] = client.fds as [number];
    const file = fs.readlinkSync(`/proc/self/fd/${lease}`);
    expect(file).toBe(path.join(box.rundir, uid === 0 ? 'lingd.leases' : `lingd.leases.${uid}`));
    expect(() => fs.writeSync(lease, 'x')).toThrow('EBADF');
    expect(() => asUser(USERS.refused, () => fs.openSync(file, 'r'))).toThrow('EACCES');
    expect(() => asUser(USERS.full, () => fs.openSync(`/proc/self/fd/${lease}`, 'r+'))).toThrow('EACCES');
  }
});

describe('credentials', () => {
  test('are those of when it has connected, whatever it has become since', async () => {
    writePolicy({});
    await start(0);
    const program = box.runAs(0, async ({ ling, say, listen }) => {
      const domain = await ling.boot();
      process.setgid?.(12346);
      process.setuid?.(12346);
      await domain.run(async (self) => say(await ling.xenstore.read(self, 'uid')));
      await listen();
      await domain.stop();
    });
    expect(await program.hear()).toEqual(['ok', '0']);
    program.tell('stop');
    expect(await program.end()).toBe(0);
  });
});

test.each(['itself', 'the link to it', 'what it is a link to'])(
  'a policy is none where another user has %s',
  async (what) => {
    writePolicy({});
    if (what !== 'itself') {
      fs.renameSync(policy, `${policy}.real`);
      fs.symlinkSync(`${policy}.real`, policy);
    }
    if (what === 'what it is a link to') fs.chownSync(policy, USERS.refused, USERS.refused);
    else fs.lchownSync(policy, USERS.refused, USERS.refused);
    const run = spawn(process.execPath, [LINGD, '--foreground', '--rundir', box.rundir, '--policy', policy]);
    let said = '';
    run.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    expect((await once(run, 'close'))[0]).toBe(2);
    expect(said).toBe(`lingd: ${policy} belongs to another user\n`);
    expect(fs.existsSync(box.rundir)).toBe(false);
  },
);

function name(joined: Joined | string): string {
  return isJoined(joined) ? 'joined' : joined;
}
