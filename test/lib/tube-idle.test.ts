import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Box } from '../support/box';

let box: Box;

beforeEach(() => {
  box = new Box();
});
afterEach(() => box.close());

/** How often its threads have gone to sleep by now. */
function sleeps(pid: number): number {
  return fs
    .readdirSync(`/proc/${pid}/task`)
    .map((task) => fs.readFileSync(`/proc/${pid}/task/${task}/status`, 'latin1'))
    .map((status) => Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(status)?.[1]))
    .reduce((sum, count) => sum + count);
}

const TUBES = 100;

test.each(['ling', 2 ** 17] as const)(
  'a hundred tubes that nobody uses any more take no time, with rings of %s',
  async (ring) => {
    const program = box.run(
      async ({ ling, say, listen }, ring, count) => {
        const { tube, ok } = ling;
        const [a, b] = [await ling.boot({ tubeTimeout: 20_000 }), await ling.boot({ tubeTimeout: 20_000 })];
        const isOpen = Array.from({ length: count }, (_, tid) =>
          Promise.all([
            new Promise<void>((resolve) => {
              a.spawn(async (self) => {
                const port = ok(await tube.open(self, b.domid, tid, [['ring', ring]]));
                // More than a ring holds, so that everything has been asked for and waited for.
                for (let i = 0; i < 1000; i++) self.port_command(port, Buffer.alloc(1000));
                resolve();
                await self.receive((m): m is never => m === undefined);
              });
            }),
            new Promise<void>((resolve) => {
              b.spawn(async (self) => {
                const port = ok(await tube.accept(self));
                await self.receive(tube.isData(port));
                resolve();
                await self.receive((m): m is never => m === undefined);
              });
            }),
          ]),
        );
        await Promise.all(isOpen);
        say('open');
        await listen();
      },
      ring,
      TUBES,
    );
    expect(await program.hear()).toBe('open');
    await sleep(1500);
    const before = sleeps(program.pid);
    await sleep(2000);
    // Not one a tube.
    expect(sleeps(program.pid) - before).toBeLessThan(TUBES / 4);
  },
);
