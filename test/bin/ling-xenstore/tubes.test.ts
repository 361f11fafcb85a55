/** The tubes of a box, as `ling-xenstore tubes` shows them. */
import { type Domain, ok, tube } from 'ling-tubes';
import type { XenstoreClient } from '#xen/xenstore/client';
import { Box } from '../../support/box';
import { contents, type Env, lingXenstore, Running } from '../../support/ling-xenstore';
import { eventually } from '../../support/residue';
import { End } from '../../support/tube-ends';

let box: Box;
let store: XenstoreClient;
let env: Env;
let a: Domain;
let b: Domain;

beforeEach(async () => {
  box = new Box();
  a = await box.boot({ name: 'a' });
  b = await box.boot({ name: 'b' });
  store = box.client('socket');
  env = { XENSTORED_RUNDIR: box.rundir };
});
afterEach(() => box.close());

interface Side {
  domid: number;
  name: string | null;
  state: number | null;
  owner: string | null;
  sent: number | null;
  received: number | null;
  drops: number | null;
  since: string | null;
}
type Tube = { tid: number; opener: Side; acceptor: Side };

async function tubes(): Promise<Tube[]> {
  const { status, stdout, stderr } = await lingXenstore(env, 'tubes', '--json');
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^.*\n$/);
  return JSON.parse(Buffer.from(stdout, 'latin1').toString());
}

async function table(): Promise<string[]> {
  const { status, stdout, stderr } = await lingXenstore(env, 'tubes');
  expect([status, stderr]).toEqual([0, '']);
  return stdout.trimEnd().split('\n');
}

const HEAD = 'tid opener acceptor state packets -> <- packets drops -> <- drops since';

function words(line: string): string {
  return line.trim().replace(/ +/g, ' ');
}

test('without any there is a head, or an empty list', async () => {
  expect(await tubes()).toEqual([]);
  expect((await table()).map(words)).toEqual([HEAD]);
});

test('both sides with state, owner, packets, drops and beginning, and no trace of the question', async () => {
  const before = Date.now();
  // Not what boot takes for a name, but domain 0 may write anything.
  const name = 'b with \x1b[31m';
  await store.write(`/local/domain/${b.domid}/name`, name);
  // Which holds 31 packets, whatever their size.
  const [one, other] = await End.pair(a, b, 7, [['ring', 'ling']]);
  const [back] = await End.pair(b, a, 7);
  for (let i = 0; i < 40; i += 1) one.send('x');
  back.send('y');
  await eventually(() => other.got.length, 31);
  other.send('z');
  await eventually(() => one.got.length, 1);
  const quiet = await contents(store);
  const [first, second, ...rest] = (await tubes()) as [Tube, Tube];
  expect(rest).toEqual([]);
  expect(first).toEqual({
    tid: 7,
    opener: {
      ...{ domid: a.domid, name: 'a', state: 4, owner: String(one.self.pid) },
      ...{ sent: 31, received: 1, drops: 9, since: expect.any(String) },
    },
    acceptor: {
      ...{ domid: b.domid, name, state: 4, owner: String(other.self.pid) },
      ...{ sent: 1, received: 31, drops: 0, since: expect.any(String) },
    },
  });
  expect(second).toMatchObject({
    tid: 7,
    opener: { domid: b.domid, name, owner: String(back.self.pid), sent: 1, received: 0, drops: 0 },
    acceptor: { domid: a.domid, sent: 0, received: 1, drops: 0 },
  });
  for (const { since } of [first.opener, first.acceptor, second.opener, second.acceptor]) {
    expect(Date.parse(since as string)).toBeGreaterThanOrEqual(before - 1);
    expect(Date.parse(since as string)).toBeLessThanOrEqual(Date.now() + 1);
  }
  expect(await contents(store)).toEqual(quiet);

  const [head, ...lines] = (await table()).map(words);
  expect(head).toBe(HEAD);
  const there = `a(${a.domid}) ${one.self.pid} b with ?[31m(${b.domid}) ${other.self.pid}`;
  expect(lines[0]).toMatch(/ \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
  expect(lines[0]?.startsWith(`7 ${there} connected 31 1 9 0 `)).toBe(true);
  expect(lines).toHaveLength(2);
  expect(await contents(store)).toEqual(quiet);
});

test('a tube of a domain to itself has two sides', async () => {
  const [one, other] = await End.pair(a, a);
  one.send('x');
  await eventually(() => other.got, ['x']);
  const side = { domid: a.domid, state: 4 };
  expect(await tubes()).toEqual([
    {
      tid: 0,
      opener: expect.objectContaining({ ...side, owner: String(one.self.pid), sent: 1, received: 0 }),
      acceptor: expect.objectContaining({ ...side, owner: String(other.self.pid), sent: 0, received: 1 }),
    },
  ]);
});

test('the owner is who has been given the tube', async () => {
  const [one] = await End.pair(a, b);
  const heir = await a.run((self) => {
    const pid = self.spawn((heir) => heir.receive());
    self.port_connect(one.tube, pid);
    return pid;
  });
  expect((await tubes())[0]?.opener.owner).toBe(String(heir));
});

test.each([1, 16, 40, 100])('all of %i tubes, sorted', async (count) => {
  const tids = Array.from({ length: count }, (_, i) => (i * 7919) % 1000);
  await Promise.all(tids.map((tid) => End.pair(a, b, tid)));
  const shown = await tubes();
  expect(shown.map(({ tid }) => tid)).toEqual([...tids].sort((x, y) => x - y));
  expect(shown.every(({ opener, acceptor }) => opener.owner !== null && acceptor.owner !== null)).toBe(true);
});

test('of a tube that is being opened what there is', async () => {
  const opened = a.run((self) => tube.open(self, b.domid, 3));
  const half = { domid: a.domid, state: 4, owner: expect.any(String) };
  await eventually(async () => (await tubes())[0], {
    tid: 3,
    opener: expect.objectContaining(half),
    acceptor: expect.objectContaining({ domid: b.domid, state: 3, sent: 0 }),
  } as never);
  expect(words((await table())[1] as string)).toContain(' connected/initialised ');
  const accepted = b.run(async (self) => ok(await tube.accept(self)) && 'accepted');
  expect(await accepted).toBe('accepted');
  await opened;
});

test('of a domain that does not answer, what is in Xenstore', async () => {
  const dumb = box.client('domain');
  const domid = Number(await dumb.readString('domid'));
  const name = `domain-${domid}`;
  await dumb.write(`data/nock/${a.domid}/1/state`, '2');
  await dumb.write('data/nock/nonsense/1/state', '2');
  // Invited by somebody who has never been there.
  await store.write(`/local/domain/${a.domid}/data/tip/999/5/state`, '1');
  const unknown = { owner: null, sent: null, received: null, drops: null, since: null };
  const quiet = await contents(store);
  expect(await tubes()).toEqual([
    {
      tid: 1,
      opener: { domid, name, state: 2, ...unknown },
      acceptor: { domid: a.domid, name: 'a', state: null, ...unknown },
    },
    {
      tid: 5,
      opener: { domid: 999, name: null, state: null, ...unknown },
      acceptor: { domid: a.domid, name: 'a', state: 1, ...unknown },
    },
  ]);
  expect((await table()).slice(1).map(words)).toEqual([
    `1 ${name}(${domid}) a(${a.domid}) init-wait/- - - - - -`,
    `5 ?(999) a(${a.domid}) -/initialising - - - - -`,
  ]);
  expect(await contents(store)).toEqual(quiet);
});

test('a domain may answer what it likes', async () => {
  const liar = box.client('domain');
  const domid = Number(await liar.readString('domid'));
  await liar.write(`data/nock/${a.domid}/1/state`, '\x1b[2J');
  const lies = ['0', '-1', '1e9', 'NaN', '3', '1'];
  await liar.watch('data/ask', (path) => {
    if (!/^data\/ask\/[^/]+$/.test(path)) return;
    const answer = async (): Promise<void> => {
      if ((await liar.readString(path)) !== '') return;
      const line = `opener ${a.domid} 1 <0.1.0> 5 6 7 8\n`;
      await liar.write(`${path}/0`, `nonsense\nopener x 1 <0.1.0> 1 1 1 1\n${line}opener 1 1 \x1b 1 1 1 1\n`);
      await liar.write(path, lies.shift() as string);
    };
    answer().catch(() => {});
  });
  const sent: unknown[] = [];
  while (lies.length > 0) sent.push((await tubes())[0]?.opener);
  const unknown = { domid, state: null, owner: null };
  expect(sent.slice(0, 5)).toEqual(Array.from({ length: 5 }, () => expect.objectContaining(unknown)));
  expect(sent[5]).toMatchObject({ owner: '<0.1.0>', sent: 5, received: 6, drops: 7 });
});

test('who has asked and gone leaves nothing for long; what is asked twice is answered twice', async () => {
  await End.pair(a, b);
  const question = `/local/domain/${a.domid}/data/ask/some`;
  for (let i = 0; i < 2; i += 1) {
    await store.mkdir(question);
    await eventually(() => store.readString(question), '1');
    expect(await store.readString(`${question}/0`)).toMatch(/^opener 2 0 <0\.\d+\.0> 0 0 0 \d+\n$/);
    if (i === 0) await store.rm(question);
  }
  await eventually(() => store.directory(`/local/domain/${a.domid}/data/ask`), []);
}, 60_000);

test('a guest may not look at the others', async () => {
  await End.pair(a, b);
  const guest = { XENSTORED_PATH: `${box.rundir}/domain` };
  const { status, stdout, stderr } = await lingXenstore(guest, 'tubes');
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toBe('ling-xenstore: cannot look at the domains: EACCES: permission denied\n');
});

test('--follow shows a tube that comes, its packets, and its end', async () => {
  const running = Running.lingXenstore(env, 'tubes', '--follow', '--json');
  const last = (text: string): Tube[] => JSON.parse(text.trimEnd().split('\n').at(-1) as string);
  await running.until((text) => text === '[]\n');
  const [one] = await End.pair(a, b);
  await running.until((text) => last(text)[0]?.opener.sent === 0);
  one.send('x');
  await running.until((text) => last(text)[0]?.opener.sent === 1 && last(text)[0]?.acceptor.received === 1);
  await a.run((self) => tube.close(self, one.tube));
  await running.until((text) => last(text).length === 0);
  await running.kill('SIGINT');
});

test('--follow is no reason to look again by itself', async () => {
  await End.pair(a, b);
  const running = Running.lingXenstore(env, 'tubes', '--follow');
  await running.until((text) => text.includes('connected'));
  let changes = 0;
  await store.watch(`/local/domain/${a.domid}/data/ask`, () => {
    changes += 1;
  });
  const questions = 3;
  // What one question changes: it is made, answered by a page and a number, and removed.
  await eventually(() => changes >= 4 * questions, true);
  await running.kill('SIGINT');
  // Nothing was printed again, as nothing has changed.
  expect(running.printed.match(/connected/g)).toHaveLength(1);
});
