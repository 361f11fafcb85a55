/** Several users at one lingd: who gets in where, as whom, and what it is told if it does not. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
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
    await eventually(() => descriptorsOf(lingd?.pid as number).length < before + 30, true);
    for (const client of silent) client.close();
    await eventually(async () => join(USERS.refused), 'EACCES');
  });
});

function name(joined: Joined | string): string {
  return isJoined(joined) ? 'joined' : joined;
}
