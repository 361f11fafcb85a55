import { badarg, ErlangError, ErlangExit } from '#actors/errors';
import type { Port } from '#actors/identifiers';
import { isList, isTuple, list } from '#actors/term';
import type { Driver, DriverInstance, DriverPort } from '#ports/driver';
import { echoDriver } from '#ports/drivers/echo';
import { PortRuntime } from '#ports/port-runtime';
import type { PortName, Self } from '#ports/self';
import { runProcess } from '../support/run-process';

type Any = never;

let runtime: PortRuntime;
let log: string[];
beforeEach(() => {
  runtime = new PortRuntime({ onCrash: () => {} });
  runtime.addDriver(echoDriver);
  log = [];
});
afterEach(() => runtime.stop());

describe('open_port', () => {
  const names: Record<string, PortName> = {
    'a driver': 'test',
    spawn: ['spawn', 'test'],
    spawn_driver: ['spawn_driver', 'test'],
    'spawn, in bytes': ['spawn', Buffer.from('test')],
  };
  test.each(Object.entries(names))('by %s', async (_, name) => {
    addDriver({});
    await run((self) => expect(self.port_info(self.open_port(name), 'name')).toEqual(['name', 'test']));
  });

  test.each([
    ['test', ''],
    ['test ', ''],
    ['test a', 'a'],
    ['test   a b  c ', 'a b  c '],
    ['test a\tb\nc', 'a\tb\nc'],
  ])('%j: the command is %j', async (text, command) => {
    const start = jest.fn(() => ({}));
    runtime.addDriver({ name: 'test', start });
    await run((self) => self.open_port(['spawn', text]));
    expect(start).toHaveBeenCalledWith(
      expect.anything(),
      command,
      expect.objectContaining({ opened: 'spawn' }),
    );
  });

  const bad: unknown[] = [
    '',
    'none',
    'echo x',
    undefined,
    1,
    list(),
    ['spawn'],
    ['spawn', ''],
    ['spawn', ' echo'],
    ['spawn', 'none'],
    ['spawn', 'echo'],
    ['spawn', new Uint8Array()],
    ['spawn', [101]],
    ['fd', 'echo'],
    ['spawn', 'echo', 1],
    list('spawn', 'echo'),
  ];
  test.each(bad.map((name) => [name]))('%j is badarg', async (name) => {
    await run((self) => expect(() => self.open_port(name as Any)).toThrow('badarg'));
    expectNoPorts();
  });

  test.each([[['exit_status']], [['binary', 'x']], ['binary'], [null], [[['packet', 3]]]])(
    'option %j is badarg',
    async (options) => {
      await run((self) => expect(() => self.open_port('echo', options as Any)).toThrow('badarg'));
      expectNoPorts();
    },
  );

  test('what the driver outputs while it starts is there when open_port returns', async () => {
    addDriver({}, (port) => {
      port.output(Buffer.from('hello'));
    });
    await run(async (self) => {
      const port = self.open_port('test', ['binary']);
      expect(await inbox(self)).toEqual([[port, ['data', Buffer.from('hello')]]]);
    });
  });

  test.each([
    ['an ErlangError', new ErlangError('eacces')],
    ['badarg', badarg()],
    ['an error', new TypeError('bug')],
    ['a value', 'text'],
  ])('raises what start throws (%s), and there is no port', async (_, thrown) => {
    let kept: DriverPort | undefined;
    addDriver({ stop: () => log.push('stop') }, (port) => {
      kept = port;
      throw thrown;
    });
    await run(async (self) => {
      expect(caught(() => self.open_port('test'))).toBe(thrown);
      kept?.output(Buffer.from('late'));
      kept?.failure('late');
      expect(await inbox(self)).toEqual([]);
      expect(self.process_info(self.pid, 'links')).toEqual(['links', list()]);
    });
    expect(log).toEqual([]);
    expectNoPorts();
  });

  test.each([
    ['normal', (port: DriverPort) => port.failure_eof()],
    ['enodev', (port: DriverPort) => port.failure('enodev')],
    ['killed', (port: DriverPort) => port.failure('kill')],
  ])('a port that ends while it starts: %s to who opened it', async (reason, end) => {
    addDriver({ stop: () => log.push('stop') }, end);
    await run(async (self) => {
      self.process_flag('trap_exit', true);
      const port = self.open_port('test');
      expect(port.receiver).toBeUndefined();
      expect(await inbox(self)).toEqual([['EXIT', port, reason]]);
    });
    await run(async (self) => {
      const [child, ref] = self.spawn_monitor((opener) => {
        opener.open_port('test');
        opener.send(self.pid, 'survived');
      });
      const down = ['DOWN', ref, 'process', child, reason];
      expect(await inbox(self)).toEqual(reason === 'normal' ? ['survived', down] : [down]);
    });
    expect(log).toEqual(['stop', 'stop']);
    expectNoPorts();
  });
});

describe('data', () => {
  const SIZES = [0, 1, 4095, 4096, 4097, 300_000];
  test.each(SIZES)('%i bytes to the owner, as binary or list', async (size) => {
    const data = Buffer.alloc(size, 'x');
    await run(async (self) => {
      const binary = self.open_port('echo', ['binary']);
      const plain = self.open_port('echo');
      self.port_command(binary, data);
      self.port_command(plain, data);
      for (const port of [binary, plain]) {
        const [from, [tag, received]] = (await self.receive()) as [Port, ['data', unknown]];
        expect([from, tag]).toEqual([port, 'data']);
        expectBytes(received, data, port === binary);
      }
      expect(self.port_info(plain, 'input')).toEqual(['input', size]);
      expect(self.port_info(plain, 'output')).toEqual(['output', size]);
    });
  });

  test.each(SIZES)('%i bytes as the answer of port_control, as binary or list', async (size) => {
    const data = Buffer.alloc(size, 'x');
    for (const binaryControl of [true, false]) {
      runtime.addDriver({
        name: 'test',
        binaryControl,
        start: () => ({ control: (_, d) => new Uint8Array(d) }),
      });
      const answer = await run((self) => self.port_control(self.open_port('test'), 0, data));
      expectBytes(answer, data, binaryControl);
    }
  });

  test('the echo is a copy', async () => {
    await run((self) => {
      const port = self.open_port('echo', ['binary']);
      const data = Buffer.from('abc');
      self.port_command(port, data);
      data.fill('z');
      expect(self.receive()).toEqual([port, ['data', Buffer.from('abc')]]);
    });
  });

  test('from the driver of a port that has ended go nowhere', async () => {
    const { port: driverPort } = addDriver({});
    await run(async (self) => {
      const port = self.open_port('test');
      self.port_close(port);
      driverPort().output(Buffer.from('late'));
      expect(await inbox(self)).toEqual([]);
    });
  });

  test('to an owner who is dead are lost, and the port stays', async () => {
    await run(async (self) => {
      const port = self.open_port('echo');
      const [dead, ref] = self.spawn_monitor(() => {});
      await self.receive((m) => isTuple(m) && m[1] === ref);
      self.send(port, [self.pid, ['connect', dead]]);
      expect(self.port_command(port, 'x')).toBe(true);
      expect(await inbox(self)).toEqual([[port, 'connected']]);
      expect(self.port_info(port, 'connected')).toEqual(['connected', dead]);
    });
  });
});

describe('a callback that throws', () => {
  const errors: [string, unknown, unknown][] = [
    ['an error', new TypeError('bug'), [['TypeError', Buffer.from('bug')], expect.anything()]],
    ['an ErlangError', new ErlangError('einval'), ['einval', expect.anything()]],
    ['an exit', new ErlangExit('gone'), 'gone'],
    ['kill', new ErlangExit('kill'), 'killed'],
    ['a value', 'oops', [['nocatch', 'oops'], list()]],
  ];
  const callbacks: [string, (self: Self, port: Port) => unknown, unknown][] = [
    ['output', (self, port) => self.port_command(port, 'x'), true],
    ['output', (self, port) => self.send(port, [self.pid, ['command', 'x']]) && 'sent', 'sent'],
    [
      'control',
      (self, port) => caught(() => self.port_control(port, 0, '')),
      badarg('#Port<0.1> has failed'),
    ],
    ['call', (self, port) => caught(() => self.port_call(port, 0, 'x')), badarg('#Port<0.1> has failed')],
    [
      'info',
      (self, port) => caught(() => self.port_info(port, 'special')),
      badarg("port_info has no item 'special' of driver test"),
    ],
  ];
  for (const [what, thrown, reason] of errors) {
    test.each(callbacks)(`%s: ${what} ends the port, not the caller`, async (name, ask, answer) => {
      addDriver({ [name]: raise(thrown), stop: () => log.push('stop') });
      await run(async (self) => {
        self.process_flag('trap_exit', true);
        const port = self.open_port('test');
        expect(ask(self, port)).toEqual(answer);
        expect(await inbox(self)).toEqual([['EXIT', port, reason]]);
      });
      expect(log).toEqual(['stop']);
      expectNoPorts();
    });
  }

  test.each(callbacks.slice(2))('%s: badarg is the caller’s', async (name, ask) => {
    addDriver({ [name]: raise(badarg()) });
    await run(async (self) => {
      const port = self.open_port('test');
      expect(caught(() => ask(self, port))).toEqual(badarg());
      expect(self.ports()).toEqual(list(port));
    });
  });

  test('output: badarg is the caller’s of port_command, and badsig to the owner of one who sends', async () => {
    addDriver({ output: raise(badarg()) });
    await run(async (self) => {
      self.process_flag('trap_exit', true);
      const port = self.open_port('test');
      expect(() => self.port_command(port, 'x')).toThrow('badarg');
      expect(await inbox(self)).toEqual([]);
      self.send(port, [self.pid, ['command', 'x']]);
      expect(await inbox(self)).toEqual([['EXIT', port, 'badsig']]);
      expect(self.port_info(port, 'output')).toEqual(['output', 0]);
    });
  });

  test('stop: the others hear of the end all the same, and a warning names the driver', async () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    addDriver({ stop: raise(new Error('stuck')) });
    await run(async (self) => {
      self.process_flag('trap_exit', true);
      const port = self.open_port('test');
      self.send(port, [self.pid, 'close']);
      expect(await inbox(self)).toEqual([
        ['EXIT', port, 'normal'],
        [port, 'closed'],
      ]);
    });
    expect(warned).toHaveBeenCalledWith(expect.stringMatching(/driver test.*stuck/s), 'PortWarning');
    warned.mockRestore();
    expectNoPorts();
  });
});

describe('callbacks never overlap', () => {
  test('a port that its driver ends in a callback ends at once; what is output after is dropped', async () => {
    const driver = addDriver({
      output: () => {
        driver.port().output(Buffer.from('before'));
        driver.port().failure('first');
        driver.port().failure('second');
        driver.port().output(Buffer.from('after'));
        log.push('end of output');
      },
      stop: () => log.push('stop'),
    });
    await run(async (self) => {
      self.process_flag('trap_exit', true);
      const port = self.open_port('test', ['binary']);
      expect(self.port_command(port, 'x')).toBe(true);
      expect(await inbox(self)).toEqual([
        [port, ['data', Buffer.from('before')]],
        ['EXIT', port, 'first'],
      ]);
    });
    expect(log).toEqual(['stop', 'end of output']);
  });

  test('messages that the driver sends its own port wait, in order', async () => {
    const driver = addDriver({
      output: (data: Uint8Array) => {
        const digit = Number(Buffer.from(data).toString());
        log.push(`begin ${digit}`);
        if (digit === 1) for (const next of ['2', '3']) command(driver.port(), next);
        if (digit === 2) command(driver.port(), '4');
        log.push(`end ${digit}`);
      },
    });
    await run((self) => self.port_command(self.open_port('test'), '1'));
    expect(log).toEqual([1, 2, 3, 4].flatMap((digit) => [`begin ${digit}`, `end ${digit}`]));
  });

  test('a close among them is answered last, and what comes behind it is lost', async () => {
    const driver = addDriver({
      output: () => {
        log.push('output');
        const { id } = driver.port();
        const owner = driver.port().connected();
        for (const request of ['close', ['command', 'x'], 'close']) runtime.send(id, [owner, request]);
      },
      stop: () => log.push('stop'),
    });
    await run(async (self) => {
      self.process_flag('trap_exit', true);
      const port = self.open_port('test');
      const ref = self.monitor('port', port);
      self.port_command(port, 'x');
      expect(await inbox(self)).toEqual([
        ['EXIT', port, 'normal'],
        ['DOWN', ref, 'port', port, 'normal'],
        [port, 'closed'],
      ]);
    });
    expect(log).toEqual(['output', 'stop']);
  });

  test('two ports that play ping-pong need no deep stack', async () => {
    const ROUNDS = 50_000;
    const ports: DriverPort[] = [];
    let count = 0;
    runtime.addDriver({
      name: 'test',
      start: (port) => {
        const mine = ports.push(port) - 1;
        return {
          output: () => {
            if (++count < ROUNDS) command(ports[1 - mine] as DriverPort, 'ping');
          },
        };
      },
    });
    await run((self) => {
      const port = self.open_port('test');
      self.open_port('test');
      self.port_command(port, 'ping');
    });
    expect(count).toBe(ROUNDS);
  });

  test('functions of a process cannot be called from within one', async () => {
    let inside: unknown;
    let self: Self | undefined;
    const driver = addDriver({
      output: () => {
        inside = caught(() => self?.port_command(driver.port().id, 'y'));
      },
    });
    await run((me) => {
      self = me;
      me.port_command(me.open_port('test'), 'x');
      expect(me.ports()).toHaveLength(1);
    });
    expect(inside).toEqual(new Error('a callback of this port is running'));
  });
});

describe('port_control', () => {
  test.each([0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1])('operation %d', async (operation) => {
    const control = jest.fn(() => Buffer.from('a'));
    addDriver({ control });
    await run((self) => self.port_control(self.open_port('test'), operation, 'data'));
    expect(control).toHaveBeenCalledWith(operation, Buffer.from('data'));
  });

  test.each([-1, 2 ** 32, 0.5, Number.NaN, '1', 1n, undefined])(
    'operation %p is badarg',
    async (operation) => {
      const control = jest.fn();
      addDriver({ control, call: control });
      await run((self) => {
        const port = self.open_port('test');
        expect(() => self.port_control(port, operation as Any, '')).toThrow('badarg');
        expect(() => self.port_call(port, operation as Any, '')).toThrow('badarg');
      });
      expect(control).not.toHaveBeenCalled();
    },
  );

  test.each([[17], [list(256)], [undefined]])('data %j are badarg', async (data) => {
    await run((self) => {
      const port = self.open_port('echo');
      expect(() => self.port_control(port, 0, data as Any)).toThrow('badarg');
      expect(self.ports()).toEqual(list(port));
    });
  });

  describe('that takes time', () => {
    test('the port goes on meanwhile, and several are answered in any order', async () => {
      const answers: ((bytes: Uint8Array) => void)[] = [];
      addDriver({
        output: () => log.push('output'),
        control: () => new Promise((resolve) => answers.push(resolve)),
      });
      await run(async (self) => {
        const port = self.open_port('test');
        const asked = [1, 2, 3].map((operation) => self.port_control(port, operation, ''));
        self.port_command(port, 'x');
        expect(log).toEqual(['output']);
        for (const i of [2, 0, 1]) answers[i]?.(Buffer.of(i));
        expect(await Promise.all(asked)).toEqual([list(0), list(1), list(2)]);
      });
    });

    const endings: Record<string, (self: Self, port: Port, driverPort: DriverPort) => unknown> = {
      port_close: (self, port) => self.port_close(port),
      'a message': (self, port) => self.send(port, [self.pid, 'close']),
      exit: (self, port) => self.exit(port, 'normal'),
      'its driver': (_, __, driverPort) => driverPort.failure('normal'),
    };
    for (const [how, end] of Object.entries(endings)) {
      test.each(['answers', 'fails', 'is silent'])(
        `is badarg when the port is ended by ${how} before; that the driver %s later changes nothing`,
        async (later) => {
          const answer = pending();
          const driver = addDriver({ control: () => answer.promise });
          await run(async (self) => {
            const port = self.open_port('test');
            const asked = self.port_control(port, 0, '');
            end(self, port, driver.port());
            if (later === 'answers') answer.resolve(Buffer.of(1));
            if (later === 'fails') answer.reject(new Error('late'));
            await expect(asked).rejects.toEqual(badarg(`${port} is closed`));
          });
          expectNoPorts();
        },
      );
    }

    test('badarg as a rejection is the caller’s; the port is unharmed', async () => {
      addDriver({ control: () => Promise.reject(badarg()) });
      await run(async (self) => {
        const port = self.open_port('test');
        await expect(self.port_control(port, 0, '')).rejects.toEqual(badarg());
        expect(self.ports()).toEqual(list(port));
      });
    });

    test('any other rejection ends the port with it, and is badarg for the caller', async () => {
      addDriver({ control: () => Promise.reject(new ErlangExit('broken')) });
      await run(async (self) => {
        self.process_flag('trap_exit', true);
        const port = self.open_port('test');
        await expect(self.port_control(port, 0, '')).rejects.toEqual(badarg(`${port} is closed`));
        expect(await inbox(self)).toEqual([['EXIT', port, 'broken']]);
      });
    });

    test.each(['resolve', 'reject'] as const)(
      'a caller who dies meanwhile does not matter (%s)',
      async (settle) => {
        const answer = pending();
        addDriver({ control: () => answer.promise });
        await run(async (self) => {
          const port = self.open_port('test');
          const [caller, ref] = self.spawn_monitor((child) => child.port_control(port, 0, ''));
          await pause(self);
          self.exit(caller, 'boom');
          expect(await self.receive()).toEqual(['DOWN', ref, 'process', caller, 'boom']);
          answer[settle](settle === 'resolve' ? Buffer.of(1) : (badarg() as Any));
          await pause(self);
          expect(self.ports()).toEqual(list(port));
        });
      },
    );

    test('nobody need wait for it: a port that ends leaves no unhandled rejection', async () => {
      const unhandled = jest.fn();
      process.on('unhandledRejection', unhandled);
      addDriver({ control: () => new Promise(() => {}) });
      await run(async (self) => {
        const port = self.open_port('test');
        void self.port_control(port, 0, '');
        self.port_close(port);
        await pause(self);
      });
      process.off('unhandledRejection', unhandled);
      expect(unhandled).not.toHaveBeenCalled();
    });
  });
});

describe('links', () => {
  test('one that has ended is no link any more, also where the port goes on', async () => {
    await run(async (self) => {
      const port = self.open_port('echo');
      const [, ref] = self.spawn_monitor((other) => void other.link(port));
      expect(await self.receive()).toEqual(['DOWN', ref, 'process', expect.anything(), 'normal']);
      expect(self.port_info(port, 'links')).toEqual(['links', list(self.pid)]);
    });
  });

  test('an exit signal over none is ignored', async () => {
    await run(async (self) => {
      const port = self.open_port('echo');
      self.unlink(port);
      for (const reason of ['normal', 'boom', 'kill']) {
        port.receiver?.signal({ type: 'exit', from: self.pid, reason, linked: true });
      }
      expect(self.ports()).toEqual(list(port));
    });
  });
});

describe('a process that the driver monitors', () => {
  test.each<[who: string, reason: string, isOwner: boolean, seen: string[]]>([
    ['the owner', 'kill', true, ['process_exit', 'stop']],
    ['the owner', 'normal', true, ['process_exit', 'stop']],
    ['another that is linked', 'broken', false, ['process_exit', 'stop']],
    ['another that is linked', 'normal', false, ['process_exit']],
  ])('%s ends with %s: told once, before the port ends', async (_, reason, isOwner, seen) => {
    const drivers: DriverPort[] = [];
    runtime.addDriver({
      name: 'test',
      start(port) {
        drivers.push(port);
        return { process_exit: () => void log.push('process_exit'), stop: () => void log.push('stop') };
      },
    });
    await run(async (self) => {
      self.process_flag('trap_exit', true);
      const open = (owner: Self): Port => owner.open_port('test');
      const ours = isOwner ? undefined : open(self);
      const monitored = self.spawn(async (other) => {
        self.link(ours ?? open(other));
        if (ours !== undefined) other.link(ours);
        drivers[0]?.monitor_process(other.pid);
        await other.receive((message) => message === 'end');
        if (reason !== 'normal') other.exit(reason);
      });
      await self.receive(isTuple, { after: 10 });
      if (reason === 'kill') self.exit(monitored, 'kill');
      else self.send(monitored, 'end');
      await self.receive(isTuple, { after: 10 });
      expect(log).toEqual(seen);
    });
  });
});

test.each([true, undefined])('a command to one that flushes; softBusy is %j', async (softBusy) => {
  runtime.addDriver({
    name: 'test',
    softBusy,
    start: (port) => ({
      output(data) {
        port.enq(data);
      },
    }),
  } as Driver);
  await run((self) => {
    const port = self.open_port('test');
    self.port_command(port, 'queued');
    self.port_close(port);
    expect(self.ports()).toContain(port);
    const raises = (reason: string) => expect.objectContaining({ reason });
    expect(() => self.port_command(port, 'late')).toThrow(raises('badarg'));
    expect(() => self.port_command(port, 'late', ['nosuspend'])).toThrow(raises('badarg'));
    expect(() => self.port_command(port, 'late', ['force'])).toThrow(raises(softBusy ? 'badarg' : 'notsup'));
  });
});

test('caller and owner are told apart', async () => {
  const seen: unknown[] = [];
  const driver = addDriver({
    output: () => seen.push([driver.port().caller(), driver.port().connected()]),
    control: () => {
      seen.push([driver.port().caller(), driver.port().connected()]);
      return Buffer.alloc(0);
    },
  });
  await run(async (self) => {
    const port = self.open_port('test');
    const other = self.spawn((child) => {
      child.port_command(port, '');
      child.port_control(port, 0, '');
      child.send(port, [self.pid, ['command', '']]);
    });
    await pause(self);
    expect(driver.port().caller()).toBeUndefined();
    runtime.send(port, [self.pid, ['command', '']]);
    expect(seen).toEqual([...Array(3).fill([other, self.pid]), [undefined, self.pid]]);
  });
});

// ---- What the tests are made of

function run<T>(body: (self: Self) => T): Promise<Awaited<T>> {
  return runProcess(runtime, body);
}

/** Registers a driver `test`; `port()` is its latest port. */
function addDriver(
  instance: Partial<Record<keyof DriverInstance, unknown>>,
  start?: (port: DriverPort) => void,
) {
  let latest: DriverPort | undefined;
  const driver: Driver = {
    name: 'test',
    start: (port) => {
      latest = port;
      start?.(port);
      return instance as DriverInstance;
    },
  };
  runtime.addDriver(driver);
  return { port: () => latest as DriverPort };
}

/** As the port's owner, from within a driver. */
function command(port: DriverPort, data: string): void {
  runtime.send(port.id, [port.connected(), ['command', data]]);
}

async function inbox(self: Self): Promise<unknown[]> {
  const messages: unknown[] = [];
  for (;;) {
    const message = await self.receive(undefined, { after: 1 });
    if (message === undefined) return messages;
    messages.push(message);
  }
}

async function pause(self: Self): Promise<void> {
  await self.receive(() => false, { after: 2 });
}

function pending() {
  let settle: Pick<PromiseWithResolvers, 'resolve' | 'reject'> | undefined;
  const promise = new Promise<Uint8Array>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, ...settle } as PromiseWithResolvers;
}

interface PromiseWithResolvers {
  promise: Promise<Uint8Array>;
  resolve(bytes: Uint8Array): void;
  reject(error: unknown): void;
}

function raise(thrown: unknown): () => never {
  return () => {
    throw thrown;
  };
}

function caught(job: () => unknown): unknown {
  try {
    return job();
  } catch (error) {
    return error;
  }
}

/** Not toEqual, which looks at each byte for long. */
function expectBytes(received: unknown, data: Buffer, isBinary: boolean): void {
  expect([Buffer.isBuffer(received), isList(received)]).toEqual([isBinary, !isBinary]);
  expect(Buffer.from(received as Buffer | number[]).equals(data)).toBe(true);
}

function expectNoPorts(): void {
  expect(runtime.openPorts.size).toBe(0);
}
