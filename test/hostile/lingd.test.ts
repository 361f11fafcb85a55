/** A domain sends lingd whatever can be sent: nobody else notices, and when it has gone nothing of it is left. */

import { descriptorsOf, eventually } from '../support/residue';
import { run } from '../support/run';
import { ATTACK, compileHostile, Hostile, removeHostile } from './hostile-program';
import { isAtRest, Street, usesLessThanACore } from './street';

const QUOTAS = ['nodes=2000', 'watches=1200', 'transactions=50'].flatMap((quota) => ['--quota', quota]);

let program: string;
let street: Street;
let hostile: Hostile | undefined;

beforeAll(async () => {
  program = await compileHostile();
  street = await Street.build(...QUOTAS);
});
afterAll(async () => {
  await street.pullDown();
  removeHostile(program);
});
beforeEach(() => street.look());
afterEach(() => hostile?.kill());

/** Answers what it has said. */
async function attack(what: string): Promise<string[]> {
  const { victim, lingd, box } = street;
  hostile = new Hostile(program, box.rundir, what, ATTACK);
  await hostile.domid();
  expect(await hostile.hear()).toBe('ready');
  let said: string[] = [];
  const act = async (): Promise<void> => {
    said = await hostile!.attack();
  };
  expect(await usesLessThanACore([victim.pid], act)).toEqual([true]);
  // What it is asked it does, with a core and what V8's collector takes of others: but not for longer than it is asked.
  await eventually(() => isAtRest(lingd.pid as number), true);
  await street.assertUndisturbed();
  return said;
}

const ATTACKS = {
  garbage: 'bytes that are no packets',
  nonsense: 'packets of all types with anything in them',
  lengths: 'packets of enormous lengths',
  halves: 'halves of requests, with its own connection in them, and then nothing',
  descriptors: 'descriptors of everything but memory, or too many, or none',
  silence: 'requests, of whose answers it takes none, with its own connection behind what waits',
  doorbells: 'nothing, but has its own connection in an end of a doorbell that lingd keeps',
  lingerers: 'descriptors that make wait who closes them, with requests, and where nobody reads them',
  work: 'requests that are as much work as can be',
};

test.each(Object.entries(ATTACKS))('%s: %s', async (what) => {
  await attack(what);
  await hostile!.leave();
  await street.assertCleanedUp();
});

test('as much of everything as a domain can have: it is refused more, and others can have some', async () => {
  expect(await attack('greed')).toEqual([
    'channels ENOSPC',
    'grants ENOSPC',
    'nodes ENOSPC',
    'transactions ENOSPC',
    'watches E2BIG',
  ]);
  const guest = await street.box.boot();
  await guest.stop();
  await hostile!.leave();
  await street.assertCleanedUp();
});

test('as many connections as there can be: tubes go on, domains are served, and later others can join', async () => {
  const pid = String(street.lingd.pid);
  const limit = (count: number) => run('prlimit', ['--pid', pid, `--nofile=${count}:20000`]);
  await limit(descriptorsOf(Number(pid)).length + 100);
  await attack('connections');
  await hostile!.leave();
  await limit(20_000);
  await street.assertCleanedUp();
  const guest = await street.box.boot();
  await guest.stop();
});
