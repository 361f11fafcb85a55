import { Runtime } from '#actors/runtime';
import { runProcess } from '../support/run-process';

const runtime = new Runtime();
afterAll(() => runtime.stop());

test.each(['explicit_unalias', 'demonitor', 'reply_demonitor'] as const)(
  'a monitor of oneself is no alias, by pid or by name, with %s either',
  async (mode) => {
    const observed = await runProcess(runtime, async (self) => {
      const name = self.register(`itself ${mode}`, self.pid) && `itself ${mode}`;
      const refs = [
        self.monitor('process', self.pid, [['alias', mode]]),
        self.monitor('process', name, [['alias', mode]]),
      ];
      for (const ref of refs) self.send(ref, 'lost');
      return [await self.receive({ after: 0 }), refs.map((ref) => self.unalias(ref))];
    });
    expect(observed).toEqual([undefined, [false, false]]);
  },
);
