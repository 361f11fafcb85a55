/** A process that waits in accept is killed at any moment of being given a tube: that is nobody's crash. */
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { tube } from 'ling-tubes';
import { Box } from '../support/box';

test.each([...Array(20).keys()])('%i turns after it has called', async (turns) => {
  const box = new Box();
  const [a, b] = [await box.boot(), await box.boot()];
  const crashes: unknown[] = [];
  b.on('crash', (crash) => crashes.push(crash.reason));
  const opening = a.run((self) => tube.open(self, b.domid));
  // Time enough for all that comes before.
  await sleep(50);
  const accepting = b.spawn(async (self) => void (await tube.accept(self)));
  for (let i = 0; i < turns; i++) await turn();
  b.spawn((self) => self.exit(accepting, 'kill'));
  await b.run(async (self) => {
    const next = await Promise.race([tube.accept(self), opening]);
    expect(['ok', 'error']).toContain(next[0]);
  });
  await opening;
  await box.close();
  expect(crashes).toEqual([]);
});
