/** Where a process crashed that was suspended by a port: in its own call, not in that of who has brought it about. */
import { Crash } from '#actors/crash';
import { ErlangError } from '#actors/errors';
import type { Port } from '#actors/identifiers';
import type { DriverPort } from '#ports/driver';
import { PortRuntime } from '#ports/port-runtime';
import type { Self } from '#ports/self';
import { runProcess } from '../support/run-process';

let runtime: PortRuntime;
let crashes: Crash[];
let end: DriverPort;
beforeEach(() => {
  crashes = [];
  runtime = new PortRuntime({ onCrash: (crash) => crashes.push(crash) });
  runtime.addDriver({
    name: 'stuck',
    start(port) {
      end = port;
      port.set_busy(true);
      return {
        output() {
          throw new ErlangError('badarg', 'badarg: refused');
        },
        control: () => new Promise(() => {}),
        call: () => new Promise(() => {}),
      };
    },
  });
});
afterEach(() => runtime.stop());

/** Each is called by name, so that the stack says which of them it was. */
const CALLS = {
  async port_command(self: Self, port: Port) {
    await self.port_command(port, 'x');
  },
  async port_control(self: Self, port: Port) {
    await self.port_control(port, 1, '');
  },
  async port_call(self: Self, port: Port) {
    await self.port_call(port, 1, 'x');
  },
};
const BEHIND = {
  async port_close(self: Self, port: Port) {
    self.port_command(port, 'x');
    await self.port_close(port);
  },
  async port_connect(self: Self, port: Port) {
    self.port_command(port, 'x');
    await self.port_connect(port, self.pid);
  },
};
const ENDS = {
  closes: (self: Self, port: Port) => self.port_close(port),
  kills: (self: Self, port: Port) => self.exit(port, 'kill'),
};

describe.each(Object.entries(ENDS))('when somebody %s the port', (_how, endIt) => {
  test.each(Object.entries({ ...CALLS, ...BEHIND }))('it is the call of %s', async (name, call) => {
    await runProcess(runtime, async (self) => {
      const port = self.open_port('stuck');
      self.unlink(port);
      self.spawn((caller) => call(caller, port));
      await self.receive(undefined, { after: 1 });
      await (async function culprit() {
        await endIt(self, port);
      })();
      await self.receive(undefined, { after: 1 });
    });
    expect(crashes).toEqual([expect.any(Crash)]);
    expect(crashes[0]?.position).toContain(__filename);
    expect(String(crashes[0])).toMatch(new RegExp(`is closed\\n    at (async )?(Object\\.)?${name} `));
    expect(String(crashes[0])).not.toContain('culprit');
  });
});

test('what the driver refuses later tells where, and then of the call', async () => {
  await runProcess(runtime, async (self) => {
    const port = self.open_port('stuck');
    self.spawn((caller) => CALLS.port_command(caller, port));
    await self.receive(undefined, { after: 1 });
    end.set_busy(false);
    await self.receive(undefined, { after: 1 });
  });
  expect(String(crashes)).toMatch(
    /: refused\n {4}at [^\n]*output .*\n {4}at (async )?(Object\.)?port_command /s,
  );
});

test('who does not await has not failed, nor anything else', async () => {
  const unhandled = jest.fn();
  process.on('unhandledRejection', unhandled);
  await runProcess(runtime, async (self) => {
    const port = self.open_port('stuck');
    self.unlink(port);
    self.spawn((caller) => {
      for (const call of ['port_command', 'port_control', 'port_call'] as const)
        void CALLS_OF(caller)[call](port);
      return caller.receive();
    });
    await self.receive(undefined, { after: 1 });
    self.port_close(port);
    await new Promise(setImmediate);
  });
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
  expect(crashes).toEqual([]);
});

const CALLS_OF = (self: Self) => ({
  port_command: (port: Port) => self.port_command(port, 'x'),
  port_control: (port: Port) => self.port_control(port, 1, ''),
  port_call: (port: Port) => self.port_call(port, 1, 'x'),
});
