/** Domains, and a lingd, that may not have more descriptors for a moment: what they ask for is refused, and they go on. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LinuxHypervisor } from '#xen/linux-hypervisor';
import { Box } from '../support/box';
import { descriptorsOf, eventually } from '../support/residue';
import { run } from '../support/run';

const dist = (name: string) => JSON.stringify(path.resolve('dist', `${name}.js`));

let box: Box;
const domains: LinuxHypervisor[] = [];
beforeEach(() => {
  box = new Box();
});
afterEach(async () => {
  await Promise.all(domains.splice(0).map((domain) => domain.close()));
  await box.close();
});

async function join(name: string): Promise<LinuxHypervisor> {
  const domain = await LinuxHypervisor.connect({ name, directory: box.rundir });
  domains.push(domain);
  // Then lingd has let go of what it has sent with its first answer.
  await domain.xenstore.readString('name');
  return domain;
}

/** Asks with 0, 1, 2 ... descriptors left, and prints what came of each. */
const PROGRAM = `
  const fs = require('node:fs');
  const { LinuxHypervisor } = require(${dist('xen/linux-hypervisor')});
  const descriptors = () => fs.readdirSync('/proc/self/fd').length;
  (async () => {
    const join = (name) => LinuxHypervisor.connect({ name, directory: process.argv[1] });
    const [a, b] = [await join('a'), await join('b')];
    const { refs, pages } = await a.grant(b.domid, 2);
    const giveBack = (channel) => {
      channel.discard();
      channel.close();
    };
    const ofLingd = () => fs.readdirSync(\`/proc/\${process.argv[2]}/fd\`).length;
    const atStart = ofLingd();
    const ASK = {
      grant: async () => {
        const grant = await a.grant(b.domid, 1);
        grant.pages.close();
        grant.end();
      },
      map: async () => (await b.map(a.domid, refs)).close(),
      allocate: async () => giveBack(await a.allocateChannel(b.domid)),
      bind: async ({ port }) => giveBack(await b.bindChannel(a.domid, port)),
    };
    for (const [name, ask] of Object.entries(ASK)) {
      const seen = [];
      for (let left = 0; left < 4; left++) {
        const channel = await a.allocateChannel(b.domid);
        const before = descriptors();
        const held = [];
        for (;;) try { held.push(fs.openSync('/dev/null')); } catch { break; }
        for (const fd of held.splice(0, left)) fs.closeSync(fd);
        seen.push(await ask(channel).then(() => 'ok', ({ code }) => code));
        for (const fd of held) fs.closeSync(fd);
        seen.push(descriptors() - before);
        giveBack(channel);
      }
      console.log(name, ...seen, ...await Promise.all([a, b].map(({ xenstore }) => xenstore.readString('name'))));
    }
    pages.close();
    console.log('lingd', ofLingd() - atStart);
    await Promise.all([a.close(), b.close()]);
  })();
`;

test('what a domain has no descriptors for it does not get, and all else it gets', async () => {
  const lingd = await box.lingd();
  const before = descriptorsOf(lingd.pid as number);
  const ended = await run('sh', [
    '-c',
    'ulimit -n 70; exec "$0" -e "$@"',
    process.execPath,
    PROGRAM,
    box.rundir,
    String(lingd.pid),
  ]);
  expect(ended).toEqual({
    status: 0,
    stderr: '',
    stdout: [
      'grant EMFILE 0 ok 0 ok 0 ok 0 a b\n',
      'map EMFILE 0 ok 0 ok 0 ok 0 a b\n',
      'allocate EMFILE 0 ok 0 ok 0 ok 0 a b\n',
      'bind EMFILE 0 ok 0 ok 0 ok 0 a b\n',
      'lingd 0\n',
    ].join(''),
  });
  await eventually(() => descriptorsOf(lingd.pid as number), before);
});

/** Leaves a lingd so many descriptors; answers what gives it enough again. */
async function leave({ pid }: ChildProcess, count: number): Promise<() => Promise<unknown>> {
  const limit = (nofile: number) => run('prlimit', ['--pid', String(pid), `--nofile=${nofile}:1000`]);
  const taken = new Set(fs.readdirSync(`/proc/${pid}/fd`).map(Number));
  const free = Array.from({ length: 1000 }, (_, fd) => fd).filter((fd) => !taken.has(fd));
  // None above that one may be.
  await limit(free[count] as number);
  return () => limit(1000);
}

test.each([0, 1])(
  'a domain that comes while lingd has %i descriptors left waits, and is let in',
  async (left) => {
    const lingd = await box.lingd();
    const first = await join('first');
    const start = descriptorsOf(lingd.pid as number).length;
    const end = await leave(lingd, left);
    const joining = join('second');
    await expect(Promise.race([joining, sleep(300)])).resolves.toBe(undefined);
    expect(await first.xenstore.readString('name')).toBe('first');
    await end();
    await (await joining).close();
    await eventually(() => descriptorsOf(lingd.pid as number).length, start);
  },
);

test('what lingd has no descriptors for is refused, and nobody else notices', async () => {
  const lingd = await box.lingd();
  const [a, b, other] = [await join('a'), await join('b'), await join('other')];
  const count = (): number => descriptorsOf(lingd.pid as number).length;
  const start = count();
  const end = await leave(lingd, 0);
  const asked = await Promise.allSettled([
    a.grant(b.domid, 1),
    other.xenstore.readString('name'),
    a.grant(b.domid, 65),
    a.xenstore.readString('name'),
  ]);
  expect(asked).toEqual([
    { status: 'rejected', reason: expect.objectContaining({ code: 'EMFILE' }) },
    { status: 'fulfilled', value: 'other' },
    { status: 'rejected', reason: expect.objectContaining({ code: 'EMFILE' }) },
    { status: 'fulfilled', value: 'a' },
  ]);
  expect(count()).toBe(start);
  await end();
  const grant = await a.grant(b.domid, 1);
  (await b.map(a.domid, grant.refs)).close();
  grant.pages.close();
  grant.end();
  await eventually(count, start);
});

test('a lingd that has no descriptors left ends as any other', async () => {
  const lingd = await box.lingd();
  const first = await join('first');
  const end = once(lingd, 'close');
  await leave(lingd, 0);
  lingd.kill('SIGTERM');
  await end;
  expect(lingd.exitCode).toBe(0);
  // From the next one.
  expect(await first.xenstore.readString('name')).toBe('first');
});
