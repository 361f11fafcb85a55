/** kill -9 of everything at once: domains with open tubes, and lingd. */
import fs from 'node:fs';
import { Box } from '../support/box';
import { eventually, processesWith } from '../support/residue';

test('nothing is left but stale sockets and what lingd remembered, which the next one replaces and removes', async () => {
  const box = new Box();
  const program = () =>
    box.run(async ({ ling, say, listen }) => {
      const domain = await ling.boot();
      say(domain.domid);
      const peer = (await listen()) as number;
      // Tubes to the next one and from the one before, each under load.
      let open = 0;
      for (const tid of [1, 2, 3, 0, 0, 0]) {
        domain.spawn(async (self) => {
          const port = ling.ok(await (tid ? ling.tube.open(self, peer, tid) : ling.tube.accept(self)));
          if (++open === 6) say('up');
          for (;;) {
            self.port_command(port, Buffer.alloc(1000));
            await self.receive(undefined, { after: 1 });
          }
        });
      }
      await new Promise(() => {});
    });
  const programs = Array.from({ length: 4 }, program);
  const domids = await Promise.all(programs.map((each) => each.hear<number>()));
  for (const [i, each] of programs.entries()) each.tell(domids[(i + 1) % 4]);
  for (const each of programs) await each.hear();

  const [lingd] = processesWith(box.rundir) as [number];
  for (const pid of [...programs.map(({ pid }) => pid), lingd]) process.kill(pid, 'SIGKILL');
  await Promise.all(programs.map((each) => each.end()));
  await eventually(() => processesWith(box.rundir), []);
  expect(fs.readdirSync(box.rundir).sort()).toEqual(['domain', 'lingd.leases', 'lingd.state', 'socket']);
  const shared = fs.readdirSync('/dev/shm').filter((name) => name.includes('ling'));
  expect(shared).toEqual([]);

  // Nobody is taken for one of the dead.
  expect((await box.boot()).domid).toBe(5);
  await box.close();
});
