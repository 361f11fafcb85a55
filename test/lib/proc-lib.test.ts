import { expectTypeOf } from 'expect-type';
import { Pid } from '#actors/identifiers';
import { isDown, isExit } from '#actors/messages';
import type { Process } from '#actors/process';
import { Runtime } from '#actors/runtime';
import { list } from '#actors/term';
import * as gen_server from '#lib/gen-server';
import * as proc_lib from '#lib/proc-lib';
import * as sys from '#lib/sys';
import { PortRuntime } from '#ports/port-runtime';
import type { Self } from '#ports/self';
import { endOf } from '../support/exit-of';
import { runProcess } from '../support/run-process';

let runtime: Runtime;
beforeEach(() => {
  runtime = new Runtime({ onCrash: () => {} });
});
afterEach(() => runtime.stop());

const STARTS = [
  ['start', proc_lib.start],
  ['start_link', proc_lib.start_link],
] as const;

test.each(STARTS)('%s answers what the process acknowledges with', async (_, start) => {
  await run(async (self) => {
    const result = await start(self, async (child) => {
      await child.receive(undefined, { after: 1 });
      proc_lib.init_ack(child, ['ok', child.pid, 'extra']);
      await child.receive();
    });
    expect(result).toEqual(['ok', expect.any(Pid), 'extra']);
    const [, pid] = result as unknown as [string, Pid];
    expect(self.is_process_alive(pid)).toBe(true);
    expect(self.process_info(self.pid, ['monitors', 'messages'])).toEqual(
      list(['monitors', list()], ['messages', list()]),
    );
  });
});

test.each(STARTS)('%s answers the exit of one that does not, and its own failure', async (_, start) => {
  await run(async (self) => {
    self.process_flag('trap_exit', true);
    expect(await start(self, () => {})).toEqual(['error', 'normal']);
    expect(await start(self, (child) => child.exit('why'))).toEqual(['error', 'why']);
    const failing = (child: Process) => {
      proc_lib.init_fail(child, 'sorry');
      return child.exit('why');
    };
    expect(await start(self, failing)).toBe('sorry');
    const slow = (child: Process) => child.receive();
    expect(await start(self, slow, { timeout: 1 })).toEqual(['error', 'timeout']);
    expect(await self.receive(undefined, { after: 5 })).toBeUndefined();
  });
});

test('what is started so is reported when it exits, unless that is in order', async () => {
  const reported: unknown[] = [];
  const other = new Runtime({ onCrash: ({ reason }) => reported.push(reason) });
  await runProcess(other, async (self) => {
    self.process_flag('trap_exit', true);
    for (const reason of ['normal', 'shutdown', ['shutdown', 1], 'why', ['why', 1]])
      await proc_lib.start(self, (child) => child.exit(reason));
  });
  other.stop();
  expect(reported).toEqual(['why', ['why', 1]]);
});

test('enter_loop makes a server of a process, with its parent and its name', async () => {
  const counter: gen_server.Behaviour<number, ['get', number]> = {
    init: () => 'ignore',
    handle_call: (_, __, n) => ['reply', n, n],
    handle_continue: (_, n) => ['noreply', n + 100],
  };
  await run(async (self) => {
    const program = (child: Process) => {
      child.register('late', child.pid);
      proc_lib.init_ack(child, ['ok', child.pid]);
      return gen_server.enter_loop(child, counter, { name: 'late' }, 7, ['continue', 'x']);
    };
    const [, pid] = (await proc_lib.start_link(self, program)) as [string, Pid];
    expect(await gen_server.call(self, 'late', 'get')).toBe(107);
    const [, , , [, state, parent]] = await sys.get_status(self, pid);
    expect([state, parent]).toEqual(['running', self.pid]);
    expect(await gen_server.stop(self, 'late')).toBe('ok');

    const nameless = self.spawn((child) => gen_server.enter_loop(child, counter, { name: 'late' }, 7));
    expect(await endOf(self, nameless)).toBe('process_not_registered');
  });
});

describe('spawn', () => {
  const ways: Record<string, (self: Self, body: (self: Self) => unknown) => Pid> = {
    spawn: (self, body) => proc_lib.spawn(self, body),
    spawn_link: (self, body) => proc_lib.spawn_link(self, body),
    spawn_opt: (self, body) => proc_lib.spawn_opt(self, body, []),
    'spawn_opt with link': (self, body) => proc_lib.spawn_opt(self, body, ['link', ['priority', 'high']]),
    'spawn_opt with monitor': (self, body) => proc_lib.spawn_opt(self, body, ['monitor'])[0],
  };

  test.each(Object.entries(ways))('%s: an exit that is not in order is reported', async (name, spawn) => {
    const reported: unknown[] = [];
    const runtime = new PortRuntime({ onCrash: ({ reason }) => reported.push(reason) });
    await runProcess(runtime, async (self) => {
      self.process_flag('trap_exit', true);
      for (const reason of ['normal', 'shutdown', ['shutdown', 1], 'why']) {
        const pid = spawn(self, (child) => child.exit(reason));
        const ref = self.monitor('process', pid);
        expect((await self.receive(isDown(ref)))[4]).toBe(reason);
        const exit = await self.receive(isExit(pid), { after: 0 });
        expect(exit?.[2]).toBe(name.includes('link') ? reason : undefined);
        const down = await self.receive(isDown(), { after: 0 });
        expect(down?.[4]).toBe(name.includes('monitor') ? reason : undefined);
      }
    });
    runtime.stop();
    expect(reported).toEqual(['why']);
  });

  test.each([
    ['spawn', proc_lib.spawn],
    ['spawn_link', proc_lib.spawn_link],
  ])('%s hands over what the program takes', async (_, spawn) => {
    const runtime = new PortRuntime();
    await runProcess(runtime, async (self) => {
      const body = (child: Self<'none'>, to: Pid, n: number) => child.send(to, [child.parent, n]);
      const pid = spawn(self, body, self.pid, 5);
      expectTypeOf(pid).toEqualTypeOf<Pid<'none'>>();
      expect(await self.receive()).toEqual([self.pid, 5]);
    });
    runtime.stop();
  });
});

function run<T>(body: (self: Process) => T): Promise<Awaited<T>> {
  return runProcess(runtime, body);
}
