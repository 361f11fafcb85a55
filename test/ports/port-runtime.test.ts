import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Pid, Port } from '#actors/identifiers';
import { list } from '#actors/term';
import type { Driver } from '#ports/driver';
import { echoDriver } from '#ports/drivers/echo';
import { PortRuntime } from '#ports/port-runtime';
import type { Self } from '#ports/self';
import { runProcess } from '../support/run-process';

let runtime: PortRuntime;
beforeEach(() => {
  runtime = new PortRuntime({ onCrash: () => {} });
  runtime.addDriver(echoDriver);
});
afterEach(() => runtime.stop());

const run = <T>(body: (self: Self) => T) => runProcess(runtime, body);

describe('names', () => {
  test('are shared between ports and processes', async () => {
    await run((self) => {
      const port = self.open_port('echo');
      self.register('a', port);
      self.register('b', self.pid);
      for (const [name, id] of [
        ['a', self.pid],
        ['a', port],
        ['b', port],
        ['c', port],
        ['c', self.pid],
      ] as const) {
        expect(() => self.register(name, id)).toThrow('badarg');
      }
      expect([...self.registered()].sort()).toEqual(['a', 'b']);
      self.unregister('a');
      expect(self.register('c', port)).toBe(true);
      expect(self.whereis('c')).toBe(port);
    });
  });

  test('serve in every function for the port, and badarg when a process or nobody has them', async () => {
    await run(async (self) => {
      const port = self.open_port('echo', ['binary']);
      self.register('port', port);
      self.register('process', self.pid);
      const calls: Record<string, (name: string) => unknown> = {
        port_command: (name) => self.port_command(name, 'x'),
        port_control: (name) => self.port_control(name, 1, 'x'),
        port_connect: (name) => self.port_connect(name, self.pid),
        port_set_data: (name) => self.port_set_data(name, 'x'),
        port_get_data: (name) => self.port_get_data(name),
        port_close: (name) => self.port_close(name),
      };
      for (const call of Object.values(calls)) {
        for (const wrong of ['process', 'nobody', '', 'toString'])
          expect(() => call(wrong)).toThrow('badarg');
        call('port');
      }
      expect(self.whereis('port')).toBe('undefined');
      expect(await self.receive()).toEqual([port, ['data', Buffer.from('x')]]);
    });
  });

  test.each(['port_close', 'close message', 'exit', 'owner', 'driver'])(
    'are free after the end by %s',
    async (how) => {
      await run(async (self) => {
        const { port } = await openAndEnd(self, how, 'name');
        expect(self.whereis('name')).toBe('undefined');
        expect(self.registered()).toEqual(list());
        expect(() => self.register('name', port)).toThrow('badarg');
        expect(self.register('name', self.open_port('echo'))).toBe(true);
      });
    },
  );
});

describe('identifiers', () => {
  test.each(['port_close', 'close message', 'exit', 'owner', 'driver'])(
    'lead nowhere after the end by %s',
    async (how) => {
      await run(async (self) => {
        const { port, other } = await openAndEnd(self, how);
        expect(port.receiver).toBeUndefined();
        expect(runtime.findPort(port.id)).toBeUndefined();
        expect(runtime.findPort(other.id)).toBe(other);
        expect(self.ports()).toEqual(list(other));
        expect(self.send(port, 'garbage')).toBe('garbage');
        expect(self.exit(port, 'x')).toBe(true);
        expect(self.unlink(port)).toBe(true);
        for (const call of [
          () => self.port_command(port, 'x'),
          () => self.port_control(port, 0, 'x'),
          () => self.port_call(port, 0, 'x'),
          () => self.port_connect(port, self.pid),
          () => self.port_close(port),
          () => self.port_get_data(port),
        ]) {
          expect(call).toThrow('badarg');
        }
        expect(() => self.link(port)).toThrow('noproc');
      });
    },
  );

  test('are never used twice', async () => {
    await run((self) => {
      const ids = Array.from({ length: 1000 }, () => {
        const port = self.open_port('echo');
        self.port_close(port);
        return port.id;
      });
      expect(new Set(ids).size).toBe(ids.length);
    });
  });
});

test('a replaced driver serves the ports to come', async () => {
  const loud: Driver = {
    name: 'echo',
    start: (port) => ({ output: (data) => port.output(Buffer.from(`${Buffer.from(data)}!`)) }),
  };
  await run((self) => {
    const before = self.open_port('echo', ['binary']);
    runtime.addDriver(loud);
    const after = self.open_port('echo', ['binary']);
    for (const port of [before, after]) self.port_command(port, 'a');
    expect(self.receive()).toEqual([before, ['data', Buffer.from('a')]]);
    expect(self.receive()).toEqual([after, ['data', Buffer.from('a!')]]);
  });
});

test('100,000 ports that come and go leave nothing', async () => {
  await run(async (self) => {
    const round = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const port = self.open_port('echo', ['binary']);
        self.register('name', port);
        const ref = self.monitor('port', port);
        self.port_command(port, 'x');
        self.port_close(port);
        self.demonitor(ref, ['flush']);
        await self.receive();
      }
    };
    await round(1000);
    const before = heapUsed();
    await round(100_000);
    expect(heapUsed() - before).toBeLessThan(100 * 100_000);
    expect(self.process_info(self.pid, ['links', 'monitors', 'message_queue_len'])).toEqual(
      list(['links', list()], ['monitors', list()], ['message_queue_len', 0]),
    );
    expect(self.registered()).toEqual(list());
  });
  expect(tableSizes()).toEqual({ openPorts: 0, ports: 0, timers: 0 });
});

test('100,000 ports that are open at once end with their owner', async () => {
  await run(async (self) => {
    const [owner, ref] = self.spawn_monitor(async (child) => {
      for (let i = 0; i < 100_000; i++) child.open_port('echo');
      await child.receive();
    });
    await self.receive(() => false, { after: 0 });
    while (runtime.openPorts.size < 100_000) await self.receive(() => false, { after: 1 });
    self.exit(owner, 'kill');
    expect(await self.receive()).toEqual(['DOWN', ref, 'process', owner, 'killed']);
  });
  expect(tableSizes()).toEqual({ openPorts: 0, ports: 0, timers: 0 });
});

describe('stop', () => {
  const STOPS = ['outside', 'in a process', 'in a driver'] as const;
  for (const linked of ['linked', 'unlinked', 'owned by the dead']) {
    for (const busy of ['idle', 'in the middle of a control']) {
      test.each(STOPS)(`ends a port that is ${linked} and ${busy}; called %s`, async (where) => {
        let stops = 0;
        runtime.addDriver({
          name: 'test',
          start: () => ({
            output: () => runtime.stop(),
            control: () => new Promise(() => {}),
            stop: () => {
              stops++;
            },
          }),
        });
        const unhandled = jest.fn();
        process.on('unhandledRejection', unhandled);
        const { port, pid } = await open(linked, busy !== 'idle');
        expect(pid.receiver).toBeDefined();
        expect(port.receiver).toBeDefined();
        if (where === 'outside') runtime.stop();
        if (where === 'in a process') runtime.spawn(() => runtime.stop());
        if (where === 'in a driver') runtime.spawn((self) => self.port_command(port, 'x'));
        await pause();
        expect(stops).toBe(1);
        expect(pid.receiver).toBeUndefined();
        expect(runtime.processes()).toEqual([]);
        expect(tableSizes()).toEqual({ openPorts: 0, ports: 0, timers: 0 });
        runtime.stop();
        expect(stops).toBe(1);
        await pause();
        process.off('unhandledRejection', unhandled);
        expect(unhandled).not.toHaveBeenCalled();
      });
    }
  }

  test.each(['port_control', 'port_call'] as const)('called by a driver in an async %s', async (ask) => {
    const answer = async (): Promise<never> => {
      runtime.stop();
      return new Promise(() => {});
    };
    runtime.addDriver({ name: 'test', start: () => ({ control: answer, call: answer }) });
    const unhandled = jest.fn();
    process.on('unhandledRejection', unhandled);
    const pid = runtime.spawn((self) => self[ask](self.open_port('test'), 0, ''));
    await pause();
    expect(pid.receiver).toBeUndefined();
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  test('a port that outputs while it is stopped does no harm', async () => {
    runtime.addDriver({
      name: 'test',
      start: (port) => ({
        stop: () => {
          port.output(Buffer.from('last words'));
          port.send_term(port.connected(), 'last words');
          port.failure('again');
        },
      }),
    });
    await run((self) => self.unlink(self.open_port('test')));
    runtime.stop();
    expect(runtime.openPorts.size).toBe(0);
  });
});

/** A port in that state, and a process that lives on; it is the port's owner unless that is to be dead. */
function open(state: string, asks: boolean): Promise<{ port: Port; pid: Pid }> {
  return new Promise((resolve) => {
    runtime.spawn(async (self) => {
      const port = self.open_port('test');
      if (state !== 'linked') self.unlink(port);
      if (state === 'owned by the dead') {
        const [dead, ref] = self.spawn_monitor(() => {});
        await self.receive();
        self.demonitor(ref);
        self.send(port, [self.pid, ['connect', dead]]);
        await self.receive();
      }
      const answer = asks ? self.port_control(port, 0, '') : undefined;
      resolve({ port, pid: self.pid });
      await answer;
      await self.receive();
    });
  });
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2));
}

/** A port that has come to its end, and another that has not. */
async function openAndEnd(self: Self, how: string, name?: string): Promise<{ port: Port; other: Port }> {
  runtime.addDriver({ name: 'failing', start: (port) => ({ output: () => port.failure_eof() }) });
  const other = self.open_port('echo');
  let port: Port | undefined;
  const [owner, ref] = self.spawn_monitor(async (child) => {
    port = child.open_port('failing');
    if (name !== undefined) child.register(name, port);
    await child.receive();
  });
  await self.receive(() => false, { after: 1 });
  if (port === undefined) throw new Error('not opened');
  if (how === 'port_close') self.port_close(port);
  if (how === 'close message') self.send(port, [owner, 'close']);
  if (how === 'exit') self.exit(port, 'normal');
  if (how === 'owner') self.exit(owner, 'boom');
  if (how === 'driver') self.port_command(port, 'x');
  self.demonitor(ref, ['flush']);
  return { port, other };
}

/** Bytes, without garbage. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}

/** How much the runtime keeps of ports and of what is between them and processes. */
function tableSizes() {
  const tables = runtime as unknown as Record<'ports', Map<unknown, unknown>>;
  return {
    openPorts: runtime.openPorts.size,
    ports: tables.ports.size,
    timers: runtime.timers.size,
  };
}
