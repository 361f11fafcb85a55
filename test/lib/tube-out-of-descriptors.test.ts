/** A domain that may not have more descriptors for a moment, as a tube comes to it: it can have others later. */
import { type Self, tube } from 'ling-tubes';
import { Box } from '../support/box';
import type { Program, World } from '../support/program';
import { eventually } from '../support/residue';

let box: Box;
beforeEach(() => {
  box = new Box();
});
afterEach(() => box.close());

/** Holds all descriptors but so many when it is told to; opens a tube then, or else says how many are open with none held. */
async function starve({ ling, say, listen }: World): Promise<void> {
  const fs = require('node:fs') as typeof import('node:fs');
  const { execFileSync } = require('node:child_process') as typeof import('node:child_process');
  const domain = await ling.boot({});
  domain.on('disconnected', () => say('disconnected'));
  execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=100:100']);
  say(domain.domid);
  domain.spawn(async (self) => {
    for (;;) {
      const accepted = ling.ok(await ling.tube.accept(self));
      // One that has carried something has been a tube for who opens it, however soon it closes.
      self.port_command(accepted, 'hello');
      await ling.tube.close(self, accepted);
    }
  });
  await domain.run(async (self) => {
    const held: number[] = [];
    for (;;) {
      const [left, peer] = (await listen()) as [left: number, peer: number];
      for (const fd of held.splice(0)) fs.closeSync(fd);
      while (left !== -1) {
        try {
          held.push(fs.openSync('/dev/null', 'r'));
        } catch {
          break;
        }
      }
      for (const fd of held.splice(0, left === -1 ? 0 : left)) fs.closeSync(fd);
      if (peer === 0) {
        say(left === -1 ? fs.readdirSync('/proc/self/fd').length : 'held');
        continue;
      }
      const [tag, opened] = await ling.tube.open(self, peer, left + 1);
      if (tag === 'ok') await ling.tube.close(self, opened);
      for (const fd of held.splice(0)) fs.closeSync(fd);
      say(tag === 'ok' ? tag : opened);
    }
  });
}
const ALL = -1;
const NOBODY = 0;
/** A tube takes fewer. */
const MANY = 12;

async function countOpen(program: Program): Promise<unknown> {
  program.tell([ALL, NOBODY]);
  return program.hear();
}

test('who opens one is told emfile until there are enough', async () => {
  const domain = await box.boot();
  const program = box.run(starve);
  await program.hear();
  const before = await countOpen(program);
  domain.spawn(async (self: Self) => {
    for (;;) await tube.accept(self);
  });
  const answers: unknown[] = [];
  for (let left = 0; left < MANY; left++) {
    program.tell([left, domain.domid]);
    answers.push(await program.hear());
    await eventually(() => countOpen(program), before);
  }
  const enough = answers.indexOf('ok');
  expect(enough).toBeGreaterThan(1);
  expect(answers).toEqual(answers.map((_, left) => (left < enough ? 'emfile' : 'ok')));
});

test('who accepts one gets the next', async () => {
  const domain = await box.boot();
  const program = box.run(starve);
  const domid = await program.hear<number>();
  const before = await countOpen(program);
  await domain.run(async (self) => {
    const open = async (tid: number) => {
      const [tag, opened] = await tube.open(self, domid, tid);
      return tag === 'ok' ? tag : opened;
    };
    const answers: unknown[] = [];
    for (let left = 0; left < MANY; left++) {
      program.tell([left, NOBODY]);
      await program.hear();
      answers.push(await open(left));
      await eventually(() => countOpen(program), before);
    }
    const enough = answers.indexOf('ok');
    expect(enough).toBeGreaterThan(1);
    expect(answers).toEqual(answers.map((_, left) => (left < enough ? 'closed' : 'ok')));
  });
});
