import { ok, tube } from 'ling-tubes';
import { Box } from '../support/box';
import type { World } from '../support/program';

const TRIPS = 100;

let box: Box;

beforeEach(() => {
  box = new Box();
});
afterEach(() => box.close());

async function echo({ ling, say }: World, wait: number): Promise<void> {
  const { tube, ok } = ling;
  const domain = await ling.boot();
  await domain.run(async (self) => {
    say(domain.domid);
    const port = ok(await tube.accept(self));
    const isData = tube.isData(port);
    for (;;) {
      const [, [, packet]] = await self.receive(isData);
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      self.port_command(port, packet);
    }
  });
}

/** In each batch of round trips, how often this OS process has slept. */
async function sleepsIn(batches: number, wait: number): Promise<number[]> {
  const peer = box.run(echo, wait);
  const domid = await peer.hear<number>();
  const a = await box.boot();
  return a.run(async (self) => {
    const port = ok(await tube.open(self, domid));
    const isData = tube.isData(port);
    const slept = () => process.resourceUsage().voluntaryContextSwitches;
    const sleeps: number[] = [];
    for (let batch = 0; batch < batches; batch++) {
      const before = slept();
      for (let i = 0; i < TRIPS; i++) {
        self.port_command(port, 'question');
        await self.receive(isData);
      }
      sleeps.push(slept() - before);
    }
    return sleeps;
  });
}

test('two that answer each other at once stay awake for the answer', async () => {
  const sleeps = await sleepsIn(50, 0);
  // Not in each: a core may be somebody else's for a while.
  expect(sleeps.filter((count) => count < TRIPS / 2).length).toBeGreaterThan(25);
});

test('nobody stays awake for an answer that takes its time', async () => {
  expect(Math.min(...(await sleepsIn(2, 2)))).toBeGreaterThan(TRIPS / 10);
});
