/** A port exists before its driver has started, and its owner may be gone before that. */
import type { Pid, Port } from '#actors/identifiers';
import { list } from '#actors/term';
import type { Driver, DriverInstance, DriverPort } from '#ports/driver';
import { PortRuntime } from '#ports/port-runtime';
import type { Self } from '#ports/self';
import { runProcess } from '../support/run-process';

let runtime: PortRuntime;
beforeEach(() => {
  runtime = new PortRuntime({ onCrash: () => {} });
});
afterEach(() => runtime.stop());

const run = <T>(body: (self: Self) => T) => runProcess(runtime, body);

function drive(start: Driver['start'], more: Partial<Driver> = {}): void {
  runtime.addDriver({ name: 'starting', start, ...more });
}

/** What has come to a process. */
async function inbox(self: Self): Promise<unknown[]> {
  const all: unknown[] = [];
  for (;;) {
    const message = await self.receive(undefined, { after: 5 });
    if (message === undefined) return all;
    all.push(message);
  }
}

describe('an owner that dies while its driver starts', () => {
  /** How it gets a port whose driver does something before it has started. */
  const WAYS: Record<string, (self: Self, meanwhile: (port: DriverPort) => void, stop: () => void) => Pid> = {
    open_port(self, meanwhile, stop) {
      drive((port) => {
        meanwhile(port);
        return { stop };
      });
      return self.spawn((owner) => void owner.open_port('starting'));
    },
    create_port(self, meanwhile, stop) {
      const owner = self.spawn((process) => process.receive());
      const create = (port: DriverPort) =>
        port.create_port(owner, 'created', (created) => {
          meanwhile(created);
          return { stop };
        });
      drive((port) => ({ output: () => void create(port), stop() {} }));
      const creator = self.open_port('starting');
      setImmediate(() => {
        self.port_command(creator, 'x');
        self.port_close(creator);
      });
      return owner;
    },
  };
  /** Why it dies, and what those hear who are linked to its port. */
  const REASONS: Record<string, unknown> = { kill: 'killed', shutdown: 'shutdown', normal: 'normal' };

  test.each(Object.keys(WAYS).flatMap((way) => Object.keys(REASONS).map((reason) => [way, reason] as const)))(
    'by %s of %s takes the port with it',
    async (way, reason) => {
      const stop = jest.fn();
      await run(async (self) => {
        self.process_flag('trap_exit', true);
        let id: Port | undefined;
        let isOpenStill: unknown;
        let monitor: unknown;
        WAYS[way]?.(
          self,
          (port) => {
            id = port.id;
            self.link(id);
            monitor = self.monitor('port', id);
            const owner = port.connected();
            owner.receiver?.signal({ type: 'exit', from: owner, reason, linked: false });
            isOpenStill = self.port_info(id) !== 'undefined';
            expect(stop).not.toHaveBeenCalled();
          },
          stop,
        );
        const heard = await inbox(self);
        expect(isOpenStill).toBe(true);
        expect(heard).toContainEqual(['EXIT', id, REASONS[reason]]);
        expect(heard).toContainEqual(['DOWN', monitor, 'port', id, REASONS[reason]]);
        expect(stop).toHaveBeenCalledTimes(1);
        expect(self.ports()).toEqual(list());
      });
    },
  );
});

describe('a start that fails', () => {
  const WRONG: Record<string, () => unknown> = {
    nothing: () => undefined,
    null: () => null,
    'a number': () => 1,
    text: () => 'instance',
    'a function': () => () => ({}),
    'a promise': async () => ({}),
    'a promise that is rejected': () => Promise.reject(new Error('too late')),
  };
  const WAYS: Record<string, (self: Self, start: () => DriverInstance) => unknown> = {
    open_port(self, start) {
      drive(start);
      return self.open_port('starting');
    },
    openPortAsync(self, start) {
      drive(start);
      return self.openPortAsync('starting');
    },
    create_port(self, start) {
      let end: DriverPort | undefined;
      drive((port) => {
        end = port;
        return {};
      });
      const creator = self.open_port('starting');
      try {
        return end?.create_port(self.pid, 'created', start);
      } finally {
        self.port_close(creator);
      }
    },
  };

  test.each(Object.keys(WAYS).flatMap((way) => Object.keys(WRONG).map((what) => [way, what] as const)))(
    '%s says so of a driver that answers %s',
    async (way, what) => {
      await run(async (self) => {
        const message = /^driver starting: start has to answer an object with its callbacks, not /;
        await expect(async () => WAYS[way]?.(self, WRONG[what] as () => DriverInstance)).rejects.toThrow(
          message,
        );
        expect(self.ports()).toEqual(list());
        expect(self.process_info(self.pid, 'links')).toEqual(['links', list()]);
        expect(await self.receive(undefined, { after: 5 })).toBeUndefined();
      });
    },
  );

  test('is the end of the port for whom the driver has told of it, and not for its owner', async () => {
    await run(async (self) => {
      let id: Port | undefined;
      let monitor: unknown;
      const other = self.spawn(async (process) => {
        process.process_flag('trap_exit', true);
        self.send(self.pid, await process.receive());
      });
      drive((port) => {
        id = port.id;
        other.receiver?.signal({ type: 'link', from: id });
        id.receiver?.signal({ type: 'link', from: other });
        monitor = self.monitor('port', id);
        throw new RangeError('no');
      });
      await self.receive(undefined, { after: 1 });
      expect(() => self.open_port('starting')).toThrow(new RangeError('no'));
      const [down, exit] = await inbox(self);
      expect(down).toEqual([
        'DOWN',
        monitor,
        'port',
        id,
        [['RangeError', Buffer.from('no')], expect.anything()],
      ]);
      expect(exit).toEqual(['EXIT', id, [['RangeError', Buffer.from('no')], expect.anything()]]);
      expect(self.ports()).toEqual(list());
    });
  });
});

test('a driver that exits while it starts has not told its owner', async () => {
  await run(async (self) => {
    self.process_flag('trap_exit', true);
    const stop = jest.fn();
    drive((port) => {
      port.exit('epipe');
      return { stop };
    });
    const id = self.open_port('starting');
    expect(self.port_info(id)).toBe('undefined');
    expect(stop).toHaveBeenCalledTimes(1);
    expect(await inbox(self)).toEqual([]);
  });
});

describe('a driver that takes its time to start', () => {
  test('is waited for by openPortAsync, which any other driver is opened with at once', async () => {
    await run(async (self) => {
      let port: DriverPort | undefined;
      const start = (given: DriverPort): DriverInstance => {
        port = given;
        return {};
      };
      drive(start, { useInitAck: true });
      const opening = self.openPortAsync('starting');
      expect(await self.receive(undefined, { after: 1 })).toBeUndefined();
      port?.init_ack();
      expect(await opening).toBe(port?.id);
      const failing = self.openPortAsync('starting');
      port?.init_ack(new RangeError('no'));
      await expect(failing).rejects.toThrow('no');

      drive(start);
      expect(await self.openPortAsync('starting')).toBe(port?.id);
      await expect(self.openPortAsync('nosuch')).rejects.toThrow('there is no driver nosuch');
      await expect(self.openPortAsync('starting', ['nosuch' as never])).rejects.toThrow('badarg');
    });
  });

  test('is refused by open_port, which does not wait, and nothing has started', async () => {
    await run((self) => {
      const start = jest.fn(() => ({}));
      drive(start, { useInitAck: true });
      expect(() => self.open_port('starting')).toThrow(
        'badarg: driver starting takes its time to start: openPortAsync',
      );
      expect(start).not.toHaveBeenCalled();
    });
  });

  test('has its port closed when the owner dies meanwhile', async () => {
    await run(async (self) => {
      const stop = jest.fn();
      drive(() => ({ stop }), { useInitAck: true });
      const owner = self.spawn((process) => process.openPortAsync('starting'));
      await self.receive(undefined, { after: 1 });
      expect(self.ports()).toHaveLength(1);
      self.exit(owner, 'kill');
      expect(self.ports()).toEqual(list());
      expect(stop).toHaveBeenCalledTimes(1);
    });
  });
});
