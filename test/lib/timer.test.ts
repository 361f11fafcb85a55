import type { Process } from '#actors/process';
import { Runtime } from '#actors/runtime';
import * as timer from '#lib/timer';
import { runProcess } from '../support/run-process';

let runtime: Runtime;
beforeEach(() => {
  runtime = new Runtime({ onCrash: () => {} });
});
afterEach(() => runtime.stop());

test('sleep takes its time, and leaves all messages where they are', async () => {
  await runProcess(runtime, async (self) => {
    self.send(self.pid, 'before');
    self.send_after(1, self.pid, 'meanwhile');
    const since = performance.now();
    expect(await timer.sleep(self, 30)).toBe('ok');
    // Timers of Node may be early by the part of a millisecond.
    expect(performance.now() - since).toBeGreaterThanOrEqual(29);
    expect([await self.receive(), await self.receive()]).toEqual(['before', 'meanwhile']);
  });
});

test('sleep of 0 goes on, of infinity never', async () => {
  await runProcess(runtime, async (self) => {
    expect(await timer.sleep(self, 0)).toBe('ok');
    const sleeper = self.spawn((child) => timer.sleep(child, 'infinity'));
    await timer.sleep(self, 5);
    expect(self.is_process_alive(sleeper)).toBe(true);
    self.exit(sleeper, 'kill');
  });
});

test.each([-1, 1.5, Number.NaN, 2 ** 32, 'soon'])('sleep of %p raises timeout_value', async (time) => {
  await runProcess(runtime, async (self: Process) => {
    await expect(timer.sleep(self, time as number)).rejects.toMatchObject({ reason: 'timeout_value' });
  });
});
