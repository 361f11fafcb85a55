/** Who is at the other end of a tube does whatever can be done there: only that tube ends, if any. */

import { eventually } from '../support/residue';
import { ATTACK, compileHostile, Hostile, removeHostile } from './hostile-program';
import { Street, usesLessThanACore } from './street';

const PACKED = 2 ** 17;

let program: string;
let street: Street;
let hostile: Hostile | undefined;
let lastTid = 0;

beforeAll(async () => {
  program = await compileHostile();
  street = await Street.build();
});
afterAll(async () => {
  await street.pullDown();
  removeHostile(program);
});
beforeEach(() => street.look());
afterEach(() => hostile?.kill());

/** What it does, in which layouts, and how the victim's tube may end for that; `normal` is by its leaving. */
const ATTACKS: readonly [name: string, what: string, rings: readonly number[], reasons: readonly string[]][] =
  [
    ['writes anything into all of the pages', 'pages', [0, PACKED], ['eproto']],
    ['writes anything into the control page', 'control', [0, PACKED], ['eproto']],
    ['writes packets that are none', 'records', [0, PACKED], ['eproto']],
    ['rings without end', 'bells', [0, PACKED], ['eproto']],
    ['rings for the relief without end', 'pressure', [PACKED], ['normal']],
    ['fills the doorbells, and makes them useless', 'doorbells', [0, PACKED], ['eproto', 'normal']],
    ['makes wait who closes what it leaves in the doorbells', 'lingerers', [0, PACKED], ['normal']],
    ['never reads', 'deaf', [0, PACKED], ['normal']],
    ['wishes for everything all the time', 'wishes', [PACKED], ['normal']],
    ['resizes, empties and seals the memory', 'memory', [0, PACKED], ['eproto', 'normal']],
    ['says the same again and again in the Xenstore', 'state', [PACKED], ['normal']],
  ];

const CASES = ATTACKS.flatMap(([name, what, rings, reasons]) =>
  rings.flatMap((ring) =>
    (['opener', 'acceptor'] as const).map((side) => ({ name, what, ring, side, reasons })),
  ),
);

test.each(CASES)('$side that $name, with rings of $ring bytes', async ({ what, ring, side, reasons }) => {
  const { victim, lingd, box } = street;
  const tid = ++lastTid;
  hostile = new Hostile(program, box.rundir, what, ATTACK, side, victim.domid, tid, ring);
  const domid = await hostile.domid();
  if (side === 'acceptor') expect(await victim.open(domid, tid, ring || 'ling')).toBe('ok');
  expect(await hostile.hear()).toBe('ready');
  // Or the tube could have ended before anybody knew its number.
  await eventually(async () => tid in (await victim.report()).talks, true);

  const pids = [victim.pid, lingd.pid as number];
  expect(await usesLessThanACore(pids, () => hostile!.attack())).toEqual([true, true]);
  const reason = async () => (await victim.report()).talks[tid]?.reason;
  if (!reasons.includes('normal')) await eventually(reason, reasons[0]);
  await street.assertUndisturbed();
  await hostile.leave();
  await eventually(async () => reasons.includes(String(await reason())), true);
  await street.assertCleanedUp();
  await street.assertUndisturbed();
});

/** Memory that would end who touches it, or cannot be mapped at all. */
const MEMORIES = ['unsealed', 'short', 'read-only', 'huge', 'eventfd', 'socket', 'directory'];

test.each(MEMORIES.flatMap((memory) => [0, PACKED].map((ring) => ({ memory, ring }))))(
  'acceptor whose memory is $memory, with rings of $ring bytes, gets no tube',
  async ({ memory, ring }) => {
    const { victim, box } = street;
    const tid = ++lastTid;
    hostile = new Hostile(program, box.rundir, memory, ATTACK, 'acceptor', victim.domid, tid, ring);
    const opened = await victim.open(await hostile.domid(), tid, ring || 'ling');
    expect(opened).toMatch(/^(einval|eacces|eperm|closed)$/);
    await street.assertUndisturbed();
    await hostile.leave();
    await street.assertCleanedUp();
  },
);
