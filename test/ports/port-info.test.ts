import { list } from '#actors/term';
import type { Driver } from '#ports/driver';
import { echoDriver } from '#ports/drivers/echo';
import { PortRuntime } from '#ports/port-runtime';
import type { Self } from '#ports/self';
import { runProcess } from '../support/run-process';

type Any = never;

const counting: Driver = {
  name: 'counting',
  start: () => ({ info: () => ({ drops: 3, name: 'mine', toString: 'own' }) }),
};

let runtime: PortRuntime;
beforeEach(() => {
  runtime = new PortRuntime();
  for (const driver of [echoDriver, counting]) runtime.addDriver(driver);
});
afterEach(() => runtime.stop());

const run = <T>(body: (self: Self) => T) => runProcess(runtime, body);

test('every item of a fresh port', async () => {
  await run((self) => {
    const port = self.open_port(['spawn_driver', 'echo a b']);
    const expected = {
      name: 'echo a b',
      id: port.id,
      connected: self.pid,
      links: list(self.pid),
      monitors: list(),
      monitored_by: list(),
      input: 0,
      output: 0,
      os_pid: 'undefined',
      queue_size: 0,
      parallelism: false,
      locking: 'port_level',
      memory: expect.any(Number),
    };
    for (const [item, value] of Object.entries(expected)) {
      expect(self.port_info(port, item)).toStrictEqual([item, value]);
    }
  });
});

describe.each(['with a name', 'without a name'])('%s', (named) => {
  test('the list of items holds what each says alone, in Erlang’s order', async () => {
    await run((self) => {
      const port = self.open_port('echo');
      if (named === 'with a name') self.register('name', port);
      self.monitor('port', port);
      self.port_command(port, 'abc');
      const info = self.port_info(port) as [string, unknown][];
      const keys = ['name', 'links', 'id', 'connected', 'input', 'output', 'os_pid'];
      expect([...info.map(([key]) => key)]).toEqual(
        named === 'with a name' ? ['registered_name', ...keys] : keys,
      );
      for (const item of info) expect(self.port_info(port, item[0])).toEqual(item);
    });
  });

  test('registered_name is an item only then', async () => {
    await run((self) => {
      const port = self.open_port('echo');
      if (named === 'with a name') self.register('name', port);
      expect(self.port_info(port, 'registered_name')).toStrictEqual(
        named === 'with a name' ? ['registered_name', 'name'] : list(),
      );
    });
  });
});

test('a driver adds items, replaces none, and they are not listed', async () => {
  await run((self) => {
    const port = self.open_port('counting');
    expect(self.port_info(port, 'drops')).toEqual(['drops', 3]);
    expect(self.port_info(port, 'toString')).toEqual(['toString', 'own']);
    expect(self.port_info(port, 'name')).toEqual(['name', 'counting']);
    expect(Object.fromEntries(self.port_info(port) as [string, unknown][])).not.toHaveProperty('drops');
  });
});

test('counters count data in both directions, refused data not', async () => {
  await run((self) => {
    const port = self.open_port('echo');
    for (const data of ['', 'a', [list('bc'), 100]]) self.port_command(port, data as Any);
    expect(() => self.port_command(port, [256])).toThrow('badarg');
    expect(self.port_info(port, 'output')).toEqual(['output', 4]);
    expect(self.port_info(port, 'input')).toEqual(['input', 4]);
  });
});

const ITEMS = ['id', 'registered_name', 'drops', 'toString', '__proto__', '', undefined];

test.each(ITEMS)('a closed port, and a name that nobody or a process has: undefined (%p)', async (item) => {
  await run((self) => {
    const port = self.open_port('echo');
    self.register('port', port);
    self.register('process', self.pid);
    self.port_close(port);
    for (const which of [port, 'port', 'nobody', 'process'])
      expect(self.port_info(which, item)).toBe('undefined');
  });
});

test.each(['drops', 'toString', '__proto__', '', 1, null, list('id'), ['id']])(
  'no item of an open port: badarg (%p)',
  async (item) => {
    await run((self) => {
      const port = self.open_port('echo');
      expect(() => self.port_info(port, item as Any)).toThrow('badarg');
    });
  },
);

test('no port and no name: badarg', async () => {
  await run((self) => {
    for (const which of [self.pid, self.make_ref(), 1, undefined, list(120), ['name', 'node']]) {
      expect(() => self.port_info(which as Any)).toThrow('badarg');
      expect(() => self.port_info(which as Any, 'id')).toThrow('badarg');
    }
  });
});
