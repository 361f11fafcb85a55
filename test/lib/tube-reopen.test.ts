/**
 * Tubes that are opened and closed again and again: nobody has more for it. By hand, for example,
 * `TUBES=10000 npx jest test/lib/tube-reopen`.
 */
import fs from 'node:fs';
import { footprintOf } from '#bench/proc';
import { Box } from '../support/box';
import type { World } from '../support/program';
import { descriptorsOf, eventually, processesWith, tubeMappings } from '../support/residue';
import { ROLES, type Role } from '../support/tube-steps';

const TUBES = Number(process.env.TUBES ?? 200);
/** After so many everything has been used that is kept to be used again. */
const WARM_UP = Math.min(1000, Math.ceil(TUBES / 3));
/** What heaps of JavaScript may come to, of which that of lingd is not collected first, and what malloc keeps. */
const LEEWAY = 48 * 2 ** 20;

/** As many tubes as it is told to, one after the other; one packet goes there and back, then one of the sides closes. */
async function side({ ling, say, listen }: World, role: Role): Promise<void> {
  const { ok, tube } = ling;
  const collectGarbage = (): void => {
    require('node:v8').setFlagsFromString('--expose-gc');
    require('node:vm').runInNewContext('gc')();
  };
  const domain = await ling.boot({ tubeTimeout: 60_000 });
  say(domain.domid);
  await domain.run(async (self) => {
    self.process_flag('trap_exit', true);
    const peer = (await listen()) as number;
    const rings = ['ling', 2 ** 17, 2 ** 20] as const;
    for (;;) {
      const count = (await listen()) as number;
      if (count === 0) return;
      for (let n = 0; n < count; n++) {
        const asked =
          role === 'opener'
            ? tube.open(self, peer, n, [['ring', rings[n % 3] as (typeof rings)[number]]])
            : tube.accept(self);
        const t = ok(await asked);
        if (role === 'opener') self.port_command(t, 'there and back');
        const packet = await self.receive(
          (m): m is [unknown, [unknown, Buffer]] => (m as unknown[])[0] === t,
        );
        if (role === 'acceptor') self.port_command(t, packet[1][1]);
        if ((role === 'opener') === (n % 2 === 0)) ok(await tube.close(self, t));
        await self.receive((m) => (m as unknown[])[0] === 'EXIT' && (m as unknown[])[1] === t);
      }
      collectGarbage();
      say(count);
    }
  });
  await domain.stop();
}

let box: Box;
beforeEach(() => {
  box = new Box();
});
afterEach(() => box.close());

test(`${TUBES} tubes opened and closed`, async () => {
  const sides = ROLES.map((role) => box.run(side, role));
  const domids = await Promise.all(sides.map((program) => program.hear<number>()));
  for (const [i, program] of sides.entries()) program.tell(domids[1 - i]);
  // Both have started a lingd, of which one finds that it is not needed.
  await eventually(() => processesWith(box.rundir).length, 1);
  const pids = [...sides.map(({ pid }) => pid), ...processesWith(box.rundir)];

  const open = async (count: number): Promise<void> => {
    for (const program of sides) program.tell(count);
    for (const program of sides) expect(await program.hear()).toBe(count);
  };
  const held = () =>
    pids.map((pid) => ({
      descriptors: descriptorsOf(pid),
      mappings: tubeMappings(pid),
      threads: fs.readdirSync(`/proc/${pid}/task`).length,
    }));
  const memory = (): number[] => pids.map((pid) => footprintOf(pid).rss);

  await open(WARM_UP);
  // Of the last one as well, which its sides have seen the end of first.
  await eventually(
    () => held().flatMap(({ descriptors }) => descriptors.filter((target) => target.includes('memfd'))),
    [],
  );
  const [before, memoryBefore] = [held(), memory()];
  await open(TUBES - WARM_UP);
  await eventually(held, before);
  const growth = memory().map((rss, i) => rss - (memoryBefore[i] as number));
  expect(growth.filter((bytes) => bytes > LEEWAY)).toEqual([]);

  for (const program of sides) program.tell(0);
  for (const program of sides) expect(await program.end()).toBe(0);
}, 600_000);
