import { execFileSync } from 'node:child_process';
import type { Crash } from '#actors/crash';
import type { Pid, Reference } from '#actors/identifiers';
import { Process } from '#actors/process';
import { findRuntime, Runtime } from '#actors/runtime';
import { isTuple } from '#actors/term';
import { runProcess } from '../support/run-process';

let runtime: Runtime;
let crashes: Crash[];
beforeEach(() => {
  crashes = [];
  runtime = new Runtime({ onCrash: (crash) => crashes.push(crash) });
});
afterEach(() => {
  runtime.stop();
  expect(crashes).toEqual([]);
});

describe('receive', () => {
  test('answers a plain value while a message is there', async () => {
    const answers = await run((self) => {
      self.send(self.pid, 'a');
      self.send(self.pid, 'b');
      return [self.receive((m) => m === 'b'), self.receive()];
    });
    expect(answers).toEqual(['b', 'a']);
  });

  test('tests each message once', async () => {
    const tested: unknown[] = [];
    await run(async (self) => {
      const guard = (message: unknown) => {
        tested.push(message);
        return message === 5;
      };
      for (let i = 0; i < 3; i++) self.send(self.pid, i);
      self.spawn((child) => {
        for (let i = 3; i < 6; i++) child.send(self.pid, i);
      });
      await self.receive(guard);
    });
    expect(tested).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test.each(['at once', 'later'])(
    'a guard that throws fails the receiver, not the sender (message there %s)',
    async (when) => {
      const faulty = () => {
        throw new RangeError('bad guard');
      };
      const result = await run(async (self) => {
        if (when === 'at once') self.send(self.pid, 'm');
        else self.spawn((child) => child.send(self.pid, 'm'));
        try {
          await self.receive(faulty);
          return 'received';
        } catch (error) {
          return [(error as Error).message, await self.receive()];
        }
      });
      expect(result).toEqual(['bad guard', 'm']);
    },
  );

  test('one at a time', async () => {
    await run(async (self) => {
      const first = self.receive();
      expect(() => self.receive()).toThrow('another receive');
      self.send(self.pid, 'm');
      expect(await first).toBe('m');
    });
  });

  test.each([undefined, 'infinity', Number.POSITIVE_INFINITY])('after %p waits for ever', async (after) => {
    const result = await run(async (self) => {
      self.send_after(15, self.pid, 'at last');
      return self.receive(undefined, after === undefined ? undefined : { after: after as number });
    });
    expect(result).toBe('at last');
  });

  test.each([1, 2, 10, 30])('after %i waits about so long', async (after) => {
    const started = performance.now();
    expect(await run((self) => self.receive(undefined, { after }))).toBeUndefined();
    expect(performance.now() - started).toBeGreaterThanOrEqual(after - 1.1);
  });

  test('a timeout beyond what setTimeout can do is not 1 ms', async () => {
    const result = await run(async (self) => {
      self.send_after(20, self.pid, 'came');
      const timer = self.send_after(2 ** 40, self.pid, 'never');
      const message = await self.receive(undefined, { after: 0xffff_ffff });
      return [message, Number(self.cancel_timer(timer)) > 2 ** 39];
    });
    expect(result).toEqual(['came', true]);
  });
});

describe('fairness', () => {
  test('two processes that play ping-pong for ever let timers and I/O run', async () => {
    const player = async (self: Process) => {
      for (;;) self.send((await self.receive()) as Pid, self.pid);
    };
    const [a, b] = [runtime.spawn(player), runtime.spawn(player)];
    runtime.send(a, b);
    await new Promise((resolve) => setTimeout(resolve, 5));
  });

  test.each([
    [
      'sends to itself',
      (self: Process) => {
        self.send(self.pid, 'again');
        return self.receive();
      },
    ],
    ['looks into an empty mailbox', (self: Process) => self.receive(undefined, { after: 0 })],
  ])('so does one that %s for ever', async (_, step) => {
    runtime.spawn(async (self) => {
      for (;;) await step(self);
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
  });

  test('so do processes that spawn each other for ever', async () => {
    const ancestor = (self: Process): void => {
      self.spawn(ancestor);
    };
    runtime.spawn(ancestor);
    await new Promise((resolve) => setTimeout(resolve, 5));
  });

  test('order is kept when the budget runs out', async () => {
    const COUNT = 20_000;
    await run(async (self) => {
      self.spawn(async (child) => {
        for (let i = 0; i < COUNT; i++) child.send(self.pid, i);
      });
      for (let i = 0; i < COUNT; i++)
        if ((await self.receive()) !== i) throw new Error(`out of order at ${i}`);
    });
  });

  test('a process that is held back can be killed', async () => {
    const seen: unknown[] = [];
    await run(async (self) => {
      const victim = self.spawn(async (child) => {
        try {
          seen.push(await child.receive());
        } finally {
          seen.push('finally');
        }
      });
      await new Promise((resolve) => setImmediate(resolve));
      runtime.reductions = 1;
      self.send(victim, 'm');
      self.exit(victim, 'kill');
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(seen).toEqual(['finally']);
  });
});

describe('identifiers', () => {
  test('lead back to the living', async () => {
    await run((self) => {
      const { pid } = self;
      const other = self.spawn((child) => child.receive());
      const known = findRuntime(pid.node, pid.origin.creation);
      expect(known).toBe(runtime);
      expect(known?.findPid(pid.id, pid.serial)).toBe(pid);
      self.exit(other, 'kill');
      expect(known?.findPid(other.id, other.serial)).toBeUndefined();
    });
    const { node, creation } = runtime.origin;
    expect(findRuntime('other@node', creation)).toBeUndefined();
    runtime.stop();
    expect(findRuntime(node, creation)).toBeUndefined();
  });

  test('ports have theirs, and a name, until they are dropped', async () => {
    const messages: unknown[] = [];
    const receiver = {
      id: undefined as never,
      registeredName: undefined,
      message: (message: unknown) => {
        messages.push(message);
        return undefined;
      },
      signal: (signal: unknown) => messages.push(signal),
    };
    const port = runtime.makePort(receiver);
    receiver.id = port as never;
    await run((self) => {
      self.register('a_port', port);
      self.send('a_port', 1);
      self.send(port, 2);
      expect(runtime.findPort(port.id)).toBe(port);
      runtime.dropPort(port);
      expect([self.whereis('a_port'), self.send(port, 3), runtime.findPort(port.id)]).toEqual([
        'undefined',
        3,
        undefined,
      ]);
    });
    expect(messages).toEqual([1, 2]);
  });

  test('references are unique', async () => {
    const refs = await run((self) => Array.from({ length: 1000 }, () => self.make_ref() as Reference));
    expect(new Set(refs.map(String)).size).toBe(1000);
  });
});

describe('aliases and timers end with their process', () => {
  test('an alias leads nowhere', async () => {
    const alias = await run((self) => self.alias());
    await turn();
    expect(alias.receiver).toBeUndefined();
  });

  test('what was to be sent to its pid is not kept', async () => {
    await run((self) => self.send_after(1e6, self.pid, 'x'));
    await turn();
    expect(runtime.timers.size).toBe(0);
  });

  test.each(['demonitor', 'reply_demonitor'] as const)(
    'alias mode %s ends with the monitor',
    async (mode) => {
      await run((self) => {
        const ends = [
          (ref: Reference) => self.demonitor(ref),
          (_: Reference, pid: Pid) => self.exit(pid, 'kill'),
        ];
        for (const end of ends) {
          const pid = self.spawn((child) => child.receive());
          const ref = self.monitor('process', pid, [['alias', mode]]);
          end(ref, pid);
          expect([ref.receiver, self.unalias(ref)]).toEqual([undefined, false]);
        }
      });
    },
  );
});

test('self can be a subclass, for its children too', async () => {
  class Self extends Process {
    double(n: number): number {
      return 2 * n;
    }
  }
  const special = new Runtime({ Process: Self });
  const result = await new Promise((resolve) => {
    special.spawn(async (self, n) => {
      const parent = self.pid;
      self.spawn_link((child, m: number) => child.send(parent, (child as Self).double(m)), self.double(n));
      resolve(await self.receive());
    }, 10);
  });
  special.stop();
  expect(result).toBe(40);
});

describe('stop', () => {
  test('kills all, with their finally blocks, and nothing can start after', async () => {
    const seen: string[] = [];
    for (let i = 0; i < 10; i++) {
      runtime.spawn(async (self) => {
        self.process_flag('trap_exit', true);
        try {
          await self.receive(undefined, { after: 1e6 });
        } finally {
          seen.push('finally');
        }
      });
    }
    await turn();
    runtime.stop();
    expect(runtime.processes().length).toBe(0);
    await turn();
    expect(seen).toHaveLength(10);
    expect(() => runtime.spawn(() => {})).toThrow('stopped');
  });

  test('leaves nothing that keeps the OS process alive', () => {
    const program = `
      const { Runtime } = require('#actors/runtime');
      const runtime = new Runtime();
      runtime.spawn(async (self) => { self.send_after(1e6, 'somebody', 'x'); await self.receive(undefined, { after: 1e6 }); });
      runtime.spawn(async (self) => { for (;;) { self.send(self.pid, 'x'); await self.receive(); } });
      setTimeout(() => runtime.stop(), 20);
    `;
    execFileSync(process.execPath, ['-e', program], { cwd: `${__dirname}/../..`, timeout: 10_000 });
  });
});

test('a hundred thousand idle processes', async () => {
  const COUNT = 100_000;
  const pids = Array.from({ length: COUNT }, () =>
    runtime.spawn(async (self) => self.send((await self.receive()) as Pid, 1)),
  );
  const sum = await run(async (self) => {
    for (const pid of pids) self.send(pid, self.pid);
    let total = 0;
    for (let i = 0; i < COUNT; i++) total += (await self.receive()) as number;
    return total;
  });
  expect(sum).toBe(COUNT);
});

test('badarg for what is no body or option', async () => {
  await run((self) => {
    const wrong = [
      () => self.spawn('body' as never),
      () => self.spawn_opt(() => {}, ['likn' as never]),
      () => self.process_flag('trap_exit', 1 as never),
      () => self.process_flag('traps_exit' as never, true as never),
      () => self.process_info(self.pid, 'colour' as never),
      () => self.demonitor(self.make_ref(), ['flash' as never]),
      () => self.whereis(1 as never),
      () => self.unregister('nobody'),
    ];
    for (const call of wrong) expect(call).toThrow(expect.objectContaining({ reason: 'badarg' }));
  });
});

test('spawn_opt links and monitors', async () => {
  const result = await run(async (self) => {
    self.process_flag('trap_exit', true);
    const [pid, ref] = self.spawn_opt((child) => child.exit('r'), ['link', ['monitor', [['tag', 't']]]]) as [
      Pid,
      Reference,
    ];
    const got = [await self.receive(), await self.receive()] as unknown[][];
    return got.map(
      (message) => isTuple(message) && message.map((x) => (x === pid ? 'pid' : x === ref ? 'ref' : x)),
    );
  });
  expect(result).toEqual([
    ['EXIT', 'pid', 'r'],
    ['t', 'ref', 'process', 'pid', 'r'],
  ]);
});

function run<T>(body: (self: Process) => T): Promise<Awaited<T>> {
  return runProcess(runtime, body);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
