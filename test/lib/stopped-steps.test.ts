/**
 * SIGSTOP of one side of a tube, and of lingd, at every step of the tube's life (test/support/stops.js), and SIGCONT a little
 * later: nobody has noticed anything but that it took longer.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Domain, tube } from 'ling-tubes';
import { Box, LINGD } from '../support/box';
import { Inventory } from '../support/inventory';
import type { Program, World } from '../support/program';
import { eventually, kill } from '../support/residue';
import { End } from '../support/tube-ends';
import { ROLES, type Role, STEPS } from '../support/tube-steps';

/** In milliseconds. */
const STOPPED = 50;
const SENT = ['one', 'two', 'three'];

/** For each step that it is told a domain, which halts there or lets lingd; it says what it got through its tube. */
async function halting(
  { ling, say, listen }: World,
  role: Role,
  peer: number,
  where: string,
  sent: string[],
) {
  require('../support/stops');
  const { boot, isData, ok, tube } = ling;
  for (;;) {
    const step = await listen();
    const domain = await boot({ name: `${where} ${step}`, tubeTimeout: 60_000 });
    say(domain.domid);
    await domain.run(async (self) => {
      const t = ok(await (role === 'opener' ? tube.open(self, peer) : tube.accept(self)));
      for (const packet of sent) self.port_command(t, packet);
      const got: string[] = [];
      while (got.length < sent.length) got.push(String((await self.receive(isData(t)))[1][1]));
      say(got);
      ok(await tube.close(self, t));
    });
    await domain.stop();
    say('over');
  }
}

/** Waits until the OS process is stopped, and a little longer. */
async function continueLater(pid: number): Promise<void> {
  const state = () => fs.readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/.*\) (.).*/s, '$1');
  await eventually(state, 'T');
  await sleep(STOPPED);
  kill(pid, 'SIGCONT');
}

describe.each(
  ROLES.flatMap((role) => (['halts before', 'halts lingd at'] as const).map((where) => ({ role, where }))),
)('the $role $where', ({ role, where }) => {
  let box: Box;
  let other: Domain;
  let program: Program;
  let halted: number;
  let inventory: Inventory;
  let before: object;

  beforeAll(async () => {
    box = new Box();
    const stops = path.join(__dirname, '../support/stops.js');
    const lingd = spawn(process.execPath, [
      '--require',
      stops,
      LINGD,
      '--foreground',
      '--rundir',
      box.rundir,
    ]);
    lingd.stderr.resume();
    await once(lingd.stdout, 'data');
    lingd.stdout.resume();
    other = await box.boot({ tubeTimeout: 60_000 });
    program = box.run(halting, role, other.domid, where, SENT);
    halted = where === 'halts before' ? program.pid : (lingd.pid as number);
    inventory = new Inventory(box, [other]);
    before = await inventory.count();
  });
  afterAll(() => box.close());

  test.each(STEPS[role])('%s', async (step) => {
    program.tell(step);
    const continued = continueLater(halted);
    const domid = await program.hear<number>();
    const end = await new End().start(other, (self) =>
      role === 'opener' ? tube.accept(self) : tube.open(self, domid),
    );
    for (const packet of SENT) end.send(packet);
    expect(await program.hear()).toEqual(SENT);
    await continued;
    expect(await program.hear()).toBe('over');
    await eventually(() => [end.got, end.ended], [SENT, 'normal']);
    end.self.runtime.send(end.self.pid, 'over');
  });

  test('nothing is left', () => eventually(() => inventory.count(), before));
});
