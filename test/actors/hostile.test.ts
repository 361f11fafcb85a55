/** What careless and hostile programs do harms themselves: whoever else is there goes on. */
import type { Pid } from '#actors/identifiers';
import type { Process } from '#actors/process';
import { Runtime } from '#actors/runtime';
import { isTuple } from '#actors/term';
import { run } from '../support/run';
import { runProcess } from '../support/run-process';

let runtime: Runtime;
beforeEach(() => {
  runtime = new Runtime({ onCrash: () => {} });
});
afterEach(() => runtime.stop());

const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

function reasonOf(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return (error as { reason?: unknown }).reason;
  }
}

const UNTOUCHABLE: Record<string, () => unknown> = {
  'an object that cannot be printed': () => ({
    [Symbol.for('nodejs.util.inspect.custom')]() {
      throw new Error('boo');
    },
  }),
  'a revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  'an Error without a readable message': () =>
    Object.defineProperty(new Error(), 'message', {
      get() {
        throw new Error('boo');
      },
    }),
};

describe.each(Object.entries(UNTOUCHABLE))('%s', (_, make) => {
  test('as the reason of an exit signal ends a process as any other', async () => {
    const reason = make();
    const seen: unknown[] = [];
    const victim = runtime.spawn(async (self) => {
      self.register('victim', self.pid);
      try {
        await self.receive();
      } finally {
        seen.push('finally');
      }
    });
    await turn();
    await runProcess(runtime, async (self) => {
      const ref = self.monitor('process', victim);
      self.exit(victim, reason);
      const down = (await self.receive()) as unknown[];
      expect(down[1] === ref && down[4] === reason).toBe(true);
      expect(self.is_process_alive(victim)).toBe(false);
      expect(self.whereis('victim')).toBe('undefined');
    });
    expect(seen).toEqual(['finally']);
  });

  test.each(['thrown', 'rejected'])('%s ends its process and reaches all that are linked', async (way) => {
    const body = (): unknown => {
      if (way === 'thrown') throw make();
      return Promise.reject(make());
    };
    const others: Pid[] = [];
    runtime.spawn((self) => {
      self.spawn_link(body);
      for (let i = 0; i < 3; i++) others.push(self.spawn_link((other) => other.receive()));
      return self.receive();
    });
    // Of the same batch as the one that fails.
    const neighbour = runtime.spawn((self) => self.receive());
    await turn();
    expect(others.map((pid) => pid.receiver)).toEqual([undefined, undefined, undefined]);
    expect(runtime.processes()).toEqual([neighbour]);
  });
});

test('a listener for crashes that throws is nobody else’s failure', async () => {
  const script = `
    const { Runtime } = require('#actors/runtime');
    process.on('uncaughtException', (error) => console.log('uncaught', error.message));
    const runtime = new Runtime({ onCrash() { throw new Error('listener'); } });
    runtime.spawn(() => { throw new Error('x'); });
    runtime.spawn(() => console.log('second'));
    runtime.spawn(async (self) => { await self.receive({ after: 20 }); console.log('third'); });`;
  const { stdout } = await run(process.execPath, ['-e', script], { cwd: `${__dirname}/../..` });
  expect(stdout.split('\n').sort()).toEqual(['', 'second', 'third', 'uncaught listener']);
});

describe('another runtime', () => {
  test('keeps its names and pids: what is asked about them here is badarg', async () => {
    const other = new Runtime();
    const stranger = other.spawn(async (self) => {
      self.register('db', self.pid);
      await self.receive();
    });
    await turn();
    await runProcess(runtime, (self) => {
      expect(reasonOf(() => self.register('db', stranger))).toBe('badarg');
      expect(reasonOf(() => self.is_process_alive(stranger))).toBe('badarg');
      expect(reasonOf(() => self.send_after(1, stranger, 'late'))).toBe('badarg');
      expect(runtime.timers.size).toBe(0);
      expect(self.whereis('db')).toBe('undefined');
      self.exit(stranger, 'kill');
    });
    expect(other.whereis('db')).toBeUndefined();
    other.stop();
  });
});

describe('guards with effects', () => {
  type Ender = [name: string, end: (self: Process) => void];
  const enders: Ender[] = [
    ['itself', (self) => self.exit(self.pid, 'kill')],
    ['another process', (self) => runtime.spawn((other) => other.exit(self.pid, 'kill'))],
    ['the runtime', () => runtime.stop()],
  ];
  test.each(enders.filter(([name]) => name !== 'another process'))(
    'a scan that is ended by %s ends the program',
    async (_, end) => {
      const seen: string[] = [];
      runtime.spawn(async (self) => {
        self.send(self.pid, 'x');
        try {
          await self.receive(
            () => {
              try {
                end(self);
              } catch {}
              return false;
            },
            { after: 3000 },
          );
          seen.push('went on');
        } finally {
          seen.push('finally');
        }
      });
      await turn();
      expect(seen).toEqual(['finally']);
    },
  );

  test('a receive inside of a guard is refused, and the scan goes on', async () => {
    await runProcess(runtime, async (self) => {
      for (const message of ['a', 'b', 'c']) self.send(self.pid, message);
      const codes: unknown[] = [];
      const guard = (message: unknown): message is 'c' => {
        try {
          void self.receive();
        } catch (error) {
          codes.push((error as { code?: unknown }).code);
        }
        return message === 'c';
      };
      expect(await self.receive(guard)).toBe('c');
      expect(codes).toEqual(Array(3).fill('ERR_CONCURRENT_RECEIVE'));
      expect([await self.receive(), await self.receive()]).toEqual(['a', 'b']);
    });
  });

  test('one that sends to its own process loses no message', async () => {
    await runProcess(runtime, async (self) => {
      const { pid } = self;
      self.spawn((other) => other.send(pid, 'outer'));
      let sent = false;
      const first = await self.receive((message): message is string => {
        if (!sent) {
          sent = true;
          runtime.send(pid, 'inner');
        }
        return typeof message === 'string';
      });
      expect([first, await self.receive({ after: 0 })].sort()).toEqual(['inner', 'outer']);
    });
  });
});

test.each([
  ['undefined', undefined],
  ['null', null],
  ['a promise', Promise.resolve(1)],
  // biome-ignore lint/suspicious/noThenProperty: that is what is tested
  ['a thenable', { then() {} }],
])('%s is no message', async (_, message) => {
  await runProcess(runtime, (self) => {
    expect(reasonOf(() => self.send(self.pid, message))).toBe('badarg');
    expect(self.process_info(self.pid, 'message_queue_len')).toEqual(['message_queue_len', 0]);
  });
});

test.each([
  ['an object like a pid', { receiver: { message() {} } }],
  ['an object with a receiver that is none', { receiver: 5 }],
  ['a function', () => {}],
])('%s is no destination', async (_, destination) => {
  await runProcess(runtime, (self) => {
    expect(reasonOf(() => self.send(destination as unknown as Pid, 'x'))).toBe('badarg');
  });
});

test.each([undefined, null, 'body', {}])('%p is nothing to spawn, from outside either', (body) => {
  expect(reasonOf(() => runtime.spawn(body as never))).toBe('badarg');
  expect(runtime.processes()).toEqual([]);
});

test('hibernate: a process that is killed after its message has come does not go on', async () => {
  const seen: string[] = [];
  const pid = runtime.spawn((self) => self.hibernate(() => seen.push('went on')));
  await turn();
  runtime.send(pid, 'wake');
  runtime.spawn((self) => self.exit(pid, 'kill'));
  pid.receiver?.signal({ type: 'exit', from: pid, reason: 'kill', linked: false });
  await turn();
  expect(seen).toEqual([]);
});

describe('parts of a program that nobody awaits', () => {
  const program = (body: string, options: string[] = []) =>
    run(
      process.execPath,
      [
        ...options,
        '-e',
        `const { Runtime } = require('#actors/runtime');
         const runtime = new Runtime();
         const helper = async (self) => { await self.receive(); };
         const other = runtime.spawn(async (self) => { await self.receive({ after: 100 }); console.log('lives'); runtime.stop(); });
         ${body}`,
      ],
      { cwd: `${__dirname}/../..` },
    );

  test.each([
    'helper(self);',
    'Promise.all([helper(self), helper2()]);',
    'helper(self).finally(() => console.log("finally"));',
  ])('end with their process, and nobody else does: %s', async (part) => {
    const { status, stdout, stderr } = await program(
      `const helper2 = async () => {}; runtime.spawn((self) => { ${part} });`,
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toBe(part.includes('finally') ? 'finally\nlives\n' : 'lives\n');
  });

  test('other rejections end the OS process, as without a runtime', async () => {
    const { status, stdout, stderr } = await program(`Promise.reject(new Error('mine'));`);
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain('Error: mine');
  });

  test('whoever listens to rejections hears of them', async () => {
    const { status, stdout } = await program(
      `process.on('unhandledRejection', (reason) => console.log('heard', reason.message)); Promise.reject(new Error('mine'));`,
    );
    expect([status, stdout]).toEqual([0, 'heard mine\nlives\n']);
  });

  test('what Node has been told to do with rejections it does', async () => {
    const { status, stdout, stderr } = await program(`Promise.reject(new Error('mine'));`, [
      '--unhandled-rejections=warn',
    ]);
    expect([status, stdout]).toEqual([0, 'lives\n']);
    expect(stderr).toContain('mine');
  });

  test('after the last runtime all is as it was', async () => {
    const { stdout } = await program(
      `process.once('exit', () => console.log(process.listenerCount('unhandledRejection')));
       console.log(process.listenerCount('unhandledRejection'));`,
    );
    expect(stdout).toBe('1\nlives\n0\n');
  });
});

test('a message that is a tuple may hold anything', async () => {
  await runProcess(runtime, async (self) => {
    self.send(self.pid, ['late', undefined, Promise.resolve()]);
    expect(isTuple(await self.receive())).toBe(true);
  });
});
