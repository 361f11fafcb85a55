/**
 * kill -9 of lingd at every step of a tube's life: with a request that it has not taken notice of, and with one that it has
 * done and not answered. The next lingd sees all of them through, as if nothing had been.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Domain, ok, sys, tube, xenstore } from 'ling-tubes';
import { Box, LINGD } from '../support/box';
import { Inventory } from '../support/inventory';
import { eventually } from '../support/residue';
import { ROLES, type Role, STEPS } from '../support/tube-steps';
import { Witness } from '../support/witness';

const SENT = ['one', 'two', 'three'];
const STOPS = path.join(__dirname, '../support/stops.js');

/** A lingd in which domains stop, and how many have. */
async function stoppingLingd(rundir: string): Promise<{ child: ChildProcess; stopped: () => number }> {
  const child = spawn(process.execPath, ['--require', STOPS, LINGD, '--foreground', '--rundir', rundir]);
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  child.stderr.resume();
  await eventually(() => printed !== '', true);
  return { child, stopped: () => printed.split('\n').filter((line) => line === 'stopped').length };
}

/** Its whole life; what closing answers. */
function live(domain: Domain, role: Role, peer: number): Promise<unknown> {
  return domain.run(async (self) => {
    const t = ok(await (role === 'opener' ? tube.open(self, peer) : tube.accept(self)));
    for (const packet of SENT) self.port_command(t, packet);
    return tube.close(self, t);
  });
}

describe.each(
  ROLES.flatMap((role) => (['unheard from', 'unanswered from'] as const).map((where) => ({ role, where }))),
)('kill -9 of lingd when the $role is $where', ({ role, where }) => {
  const steps = STEPS[role];
  let box: Box;
  let inventory: Inventory;
  let before: object;
  let answers: readonly unknown[];
  let witnesses: readonly Witness[];

  beforeAll(async () => {
    box = new Box();
    const lingd = await stoppingLingd(box.rundir);
    const tubeTimeout = 60_000;
    const other = await box.boot({ tubeTimeout });
    const domains = await Promise.all(
      steps.map((step) => box.boot({ name: `${where} ${step}`, tubeTimeout })),
    );
    // The first event of tube_server's watch has been seen to: it could find an invitation half made, and try that in vain.
    for (const domain of domains) {
      await domain.run(async (self) => {
        ok(await xenstore.read(self, 'name'));
        await sys.get_state(self, 'tube_server');
      });
    }
    // Who has asked that is about to end.
    await sleep(20);
    inventory = new Inventory(box, [other, ...domains]);
    before = await inventory.count();

    witnesses = domains.map(
      ({ domid }) =>
        new Witness(other, (self) => (role === 'opener' ? tube.accept(self) : tube.open(self, domid))),
    );
    const lives = domains.map((domain) => live(domain, role, other.domid));
    await eventually(lingd.stopped, steps.length);
    const back = domains.map((domain) => new Promise((resolve) => domain.once('reconnected', resolve)));
    const gone = once(lingd.child, 'close');
    lingd.child.kill('SIGKILL');
    await Promise.all([gone, ...back]);
    answers = await Promise.all(lives);
    await eventually(() => witnesses.every(({ at }) => at > 0), true);
  });
  afterAll(() => box.close());

  test.each(steps)('%s', (step) => {
    const i = steps.indexOf(step);
    expect(answers[i]).toBe('ok');
    const { got, told } = witnesses[i] as Witness;
    expect([got, told]).toEqual([SENT, 'normal']);
  });

  test('nothing is left', async () => {
    await eventually(() => inventory.count(), before);
  });
});
