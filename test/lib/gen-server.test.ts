import { ErlangError, ErlangExit, ErlangThrow } from '#actors/errors';
import type { Pid } from '#actors/identifiers';
import type { Process } from '#actors/process';
import { Runtime } from '#actors/runtime';
import { isTuple, list } from '#actors/term';
import * as gen_server from '#lib/gen-server';
import * as gen_statem from '#lib/gen-statem';
import { ok } from '#lib/result';
import { endOf, exitOf } from '../support/exit-of';
import { runProcess } from '../support/run-process';

let runtime: Runtime;
beforeEach(() => {
  runtime = new Runtime({ onCrash: () => {} });
});
afterEach(() => runtime.stop());

type Calls =
  | ['get', number]
  | [['add', number], 'ok']
  | ['later', number]
  | ['stop', 'stopping']
  | ['crash', never];

const counter: gen_server.Behaviour<number, Calls, 'reset' | 'crash'> = {
  init: (start: unknown) => ['ok', start as number],
  handle_call(request, from, n, self) {
    if (request === 'get') return ['reply', n, n];
    if (request === 'stop') return ['stop', 'normal', 'stopping', n];
    if (request === 'crash') throw new ErlangError('boom');
    if (request !== 'later') return ['reply', 'ok', n + request[1]];
    self.spawn((child) => gen_server.reply(child, from, n));
    return ['noreply', n];
  },
  handle_cast: (request, n) => (request === 'reset' ? ['noreply', 0] : ['stop', 'crashed', n]),
  handle_info: async (message, n) => ['noreply', message === 'double' ? n * 2 : n],
};

describe('a server', () => {
  test('answers calls, keeps its state, takes casts and messages in order', async () => {
    await run(async (self) => {
      const pid = await started(gen_server.start_link(self, counter, 5));
      const n: number = await gen_server.call(self, pid, 'get');
      const ok: 'ok' = await gen_server.call(self, pid, ['add', 2]);
      self.send(pid, 'double');
      expect([n, ok, await gen_server.call(self, pid, 'later')]).toEqual([5, 'ok', 14]);
      expect(gen_server.cast(self, pid, 'reset')).toBe('ok');
      expect(await gen_server.call(self, pid, 'get')).toBe(0);
      expect(self.process_info(self.pid, 'monitors')).toEqual(['monitors', list()]);
    });
  });

  test('is called at the same cost however full the mailbox of the caller is', async () => {
    await run(async (self) => {
      const pid = await started(gen_server.start_link(self, counter, 5));
      let tested = 0;
      const nosy = {
        get length() {
          tested++;
          return 0;
        },
      };
      for (let i = 0; i < 100; i++)
        self.send(self.pid, new Proxy([], { get: (_, key) => (key === 'length' ? nosy.length : undefined) }));
      expect(await gen_server.call(self, pid, 'get')).toBe(5);
      expect(tested).toBe(0);
    });
  });

  test('does one thing after the other, though its callbacks are asynchronous', async () => {
    const trace: string[] = [];
    const slow: gen_server.Behaviour<null, ['job', 'done']> = {
      init: () => ['ok', null],
      async handle_call(_, __, state, self) {
        trace.push('begin');
        await new Promise((resolve) => setTimeout(resolve, 2));
        trace.push('end');
        void self;
        return ['reply', 'done', state];
      },
    };
    await run(async (self) => {
      const pid = await started(gen_server.start(self, slow, undefined));
      for (let i = 0; i < 3; i++) {
        const me = self.pid;
        self.spawn_link(async (child) => child.send(me, await gen_server.call(child, pid, 'job')));
      }
      for (let i = 0; i < 3; i++) expect(await self.receive()).toBe('done');
    });
    expect(trace).toEqual(['begin', 'end', 'begin', 'end', 'begin', 'end']);
  });

  test('continues and times out as its callbacks say', async () => {
    const trace: unknown[] = [];
    const server: gen_server.Behaviour<number> = {
      init: () => ['ok', 0, ['continue', 'first']],
      handle_continue(what, n) {
        trace.push([what, n]);
        return n < 2 ? ['noreply', n + 1, ['continue', 'next']] : ['noreply', n, 5];
      },
      handle_info(message, n) {
        trace.push([message, n]);
        return ['stop', 'normal', n];
      },
    };
    await run(async (self) => {
      const pid = await started(gen_server.start(self, server, undefined));
      expect(await endOf(self, pid)).toBe('normal');
    });
    expect(trace).toEqual([
      ['first', 0],
      ['next', 1],
      ['next', 2],
      ['timeout', 2],
    ]);
  });

  test('that continues for ever lets timers and others run', async () => {
    const restless: gen_server.Behaviour<number, ['get', number]> = {
      init: () => ['ok', 0, ['continue', 'more']],
      handle_continue: (_, n) => ['noreply', n + 1, ['continue', 'more']],
    };
    await run(async (self) => {
      const pid = await started(gen_server.start(self, restless, undefined));
      expect(await self.receive(undefined, { after: 5 })).toBeUndefined();
      expect(self.is_process_alive(pid)).toBe(true);
    });
  });

  test.each([
    ['by throw/1', (value: unknown) => new ErlangThrow(value)],
    ['as they are', (value: unknown) => value],
  ])('values that are thrown %s count as returned', async (_, make) => {
    const thrower: gen_server.Behaviour<number, ['get', number]> = {
      init: () => ['ok', 1],
      handle_call() {
        throw make(['reply', 7, 1]);
      },
    };
    await run(async (self) => {
      const pid = await started(gen_server.start(self, thrower, undefined));
      expect(await gen_server.call(self, pid, 'get')).toBe(7);
    });
  });
});

test('wrong requests do not compile', async () => {
  await run(async (self) => {
    const pid = await started(gen_server.start(self, counter, 5));
    // @ts-expect-error no such request
    const wrong = exitOf(() => gen_server.call(self, pid, 'got', 1));
    // @ts-expect-error no such cast
    gen_server.cast(self, pid, 'rest');
    await wrong;
    // @ts-expect-error the reply is a number
    const reply: string = await gen_server.call(
      self,
      await started(gen_server.start(self, counter, 5)),
      'get',
    );
    expect(reply).toBe(5);
  });
});

describe('start', () => {
  const failing = (how: () => gen_server.InitResult<null>): gen_server.Behaviour<null> => ({ init: how });
  const boom = (): never => {
    throw new ErlangError('boom');
  };

  const ways: [string, () => gen_server.InitResult<null>, unknown, unknown][] = [
    ['stops', () => ['stop', 'no_disk'], ['error', 'no_disk'], 'no_disk'],
    ['ignores', () => 'ignore', 'ignore', 'normal'],
    ['crashes', boom, ['error', ['boom', expect.anything()]], ['boom', expect.anything()]],
    ['exits', () => exit('why'), ['error', 'why'], 'why'],
    [
      'answers nonsense',
      () => 'what' as never,
      ['error', ['bad_return_value', 'what']],
      ['bad_return_value', 'what'],
    ],
  ];

  test.each(ways)('answers when init %s, and leaves nothing behind', async (_, init, result) => {
    await run(async (self) => {
      expect(await gen_server.start(self, failing(init), null, { name: 'it' })).toEqual(result);
      expect([self.whereis('it'), await self.receive(undefined, { after: 5 })]).toEqual([
        'undefined',
        undefined,
      ]);
    });
  });

  test.each(ways)('linked: a trapping caller gets the answer alone when init %s', async (_, init, result) => {
    await run(async (self) => {
      self.process_flag('trap_exit', true);
      expect(await gen_server.start_link(self, failing(init), null)).toEqual(result);
      expect(await self.receive(undefined, { after: 5 })).toBeUndefined();
    });
  });

  test.each(ways)('linked: the exit signal ends others when init %s', async (_, init, __, reason) => {
    await run(async (self) => {
      const pid = self.spawn(async (child) => {
        await gen_server.start_link(child, failing(init), null);
        return child.exit('survived');
      });
      expect(await endOf(self, pid)).toEqual(reason === 'normal' ? 'survived' : reason);
    });
  });

  test('init may be asynchronous, but not too long', async () => {
    const slow: gen_server.Behaviour<number, ['get', number]> = {
      async init(_, self) {
        await self.receive(() => false, { after: 10 });
        return ['ok', 1];
      },
      handle_call: (_, __, n) => ['reply', n, n],
    };
    await run(async (self) => {
      const pid = await started(gen_server.start(self, slow, null, { timeout: 1000 }));
      expect(await gen_server.call(self, pid, 'get')).toBe(1);
      expect(await gen_server.start(self, slow, null, { timeout: 1, name: 'slow' })).toEqual([
        'error',
        'timeout',
      ]);
      expect(self.whereis('slow')).toBe('undefined');
    });
  });

  test.each([gen_server.start, gen_server.start_link])('a name is taken once', async (start) => {
    await run(async (self) => {
      const pid = await started(start(self, counter, 1, { name: 'counter' }));
      expect(await start(self, counter, 2, { name: 'counter' })).toEqual(['error', ['already_started', pid]]);
      expect(await gen_server.call(self, 'counter', 'get')).toBe(1);
      expect(await gen_server.call(self, ['counter', self.node()], 'get')).toBe(1);
    });
  });
});

describe('call exits its caller', () => {
  const where = (...args: unknown[]) => ['gen_server', 'call', list(...args)];

  test.each(['nobody', 'dead'])('noproc: %s', async (kind) => {
    await run(async (self) => {
      const dead = self.spawn(() => {});
      await endOf(self, dead);
      const server = kind === 'dead' ? dead : 'nobody';
      expect(await exitOf(() => gen_server.call(self, server, 'x'))).toEqual(['noproc', where(server, 'x')]);
    });
  });

  test('nodedown and calling_self', async () => {
    await run(async (self) => {
      const far = ['x', 'no@where'] as const;
      expect(await exitOf(() => gen_server.call(self, far, 'x'))).toEqual([
        ['nodedown', 'no@where'],
        where(far, 'x'),
      ]);
      expect(await exitOf(() => gen_server.call(self, self.pid, 'x'))).toEqual([
        'calling_self',
        where(self.pid, 'x'),
      ]);
    });
  });

  test('timeout, and the late reply is dropped', async () => {
    const late: gen_server.Behaviour<null, ['x', 'late']> = {
      init: () => ['ok', null],
      async handle_call(_, __, state, self) {
        await self.receive(() => false, { after: 10 });
        return ['reply', 'late', state];
      },
    };
    await run(async (self) => {
      const pid = await started(gen_server.start(self, late, null));
      expect(await exitOf(() => gen_server.call(self, pid, 'x', 1))).toEqual(['timeout', where(pid, 'x', 1)]);
      expect(await gen_server.call(self, pid, 'x')).toBe('late');
      expect(self.process_info(self.pid, 'messages')).toEqual(['messages', list()]);
    });
  });

  test('with the reason of a server that crashes, or is killed', async () => {
    await run(async (self) => {
      const pid = await started(gen_server.start(self, counter, 0));
      const [reason, place] = (await exitOf(() => gen_server.call(self, pid, 'crash'))) as unknown[];
      expect([(reason as unknown[])[0], place]).toEqual(['boom', where(pid, 'crash')]);

      const other = await started(gen_server.start(self, counter, 0));
      const me = self.pid;
      self.spawn((child) => child.exit(other, 'kill') && child.send(me, 'killed it'));
      expect(await exitOf(() => gen_server.call(self, other, 'get'))).toEqual([
        'killed',
        where(other, 'get'),
      ]);
    });
  });
});

describe('the end', () => {
  function watched(seen: unknown[]): gen_server.Behaviour<string, ['end', 'bye'] | ['nonsense', never]> {
    return {
      init(_, self) {
        self.process_flag('trap_exit', true);
        return ['ok', 'state'];
      },
      handle_call: (request, _, state) =>
        request === 'end' ? ['stop', 'shutdown', 'bye', state] : (['what'] as never),
      handle_cast(): never {
        throw new ErlangError('boom');
      },
      terminate(reason, state) {
        seen.push([isTuple(reason) && reason[0] === 'boom' ? 'boom' : reason, state]);
      },
    };
  }

  test('terminate sees the reason, whatever it is', async () => {
    const seen: unknown[] = [];
    await run(async (self) => {
      const ends: [(pid: Pid) => unknown, unknown][] = [
        [(pid) => gen_server.stop(self, pid), 'normal'],
        [(pid) => gen_server.stop(self, pid, ['shutdown', 1]), ['shutdown', 1]],
        [(pid) => gen_server.call(self, pid, 'end'), 'shutdown'],
        [(pid) => gen_server.cast(self, pid, 'x'), 'boom'],
        [(pid) => exitOf(() => gen_server.call(self, pid, 'nonsense')), ['bad_return_value', ['what']]],
      ];
      for (const [end, reason] of ends) {
        const pid = await started(gen_server.start(self, watched(seen), undefined));
        const ref = self.monitor('process', pid);
        await end(pid);
        await self.receive((m) => isTuple(m) && m[1] === ref);
        expect(seen.pop()).toEqual([reason, 'state']);
      }
    });
  });

  test('a server that traps exits ends with its parent; one that does not is not asked', async () => {
    const seen: unknown[] = [];
    await run(async (self) => {
      const me = self.pid;
      const parent = self.spawn(async (child) => {
        child.send(me, await started(gen_server.start_link(child, watched(seen), undefined)));
        await child.receive();
      });
      const pid = (await self.receive()) as Pid;
      const ref = self.monitor('process', pid);
      self.exit(parent, 'gone');
      const down = (await self.receive((m) => isTuple(m) && m[1] === ref)) as unknown[];
      expect(down[4]).toBe('gone');

      const killed = await started(gen_server.start(self, watched(seen), undefined));
      self.exit(killed, 'kill');
      await new Promise((resolve) => setImmediate(resolve));
    });
    expect(seen).toEqual([['gone', 'state']]);
  });

  test('a missing callback is undef, a missing handle_info drops', async () => {
    await run(async (self) => {
      const bare: gen_server.Behaviour<null> = { init: () => ['ok', null] };
      const pid = await started(gen_server.start(self, bare, null));
      self.send(pid, 'hello');
      const [reason] = (await exitOf(() => gen_server.call(self, pid, 'x'))) as unknown[][];
      expect(reason?.[0]).toBe('undef');
    });
  });

  test.each([
    ['normal', []],
    ['shutdown', []],
    [['shutdown', 'why'], []],
    ['why', ['why']],
  ])('with %p is reported as it deserves', async (reason, reports) => {
    const reported: unknown[] = [];
    const other = new Runtime({ onCrash: (crash) => reported.push(crash.reason) });
    const stopping: gen_server.Behaviour<null> = {
      init: () => ['ok', null],
      handle_cast: (_, state) => ['stop', reason, state],
    };
    await runProcess(other, async (self) => {
      const pid = await started(gen_server.start(self, stopping, null));
      gen_server.cast(self, pid, 'stop');
      expect(await endOf(self, pid)).toEqual(reason);
    });
    other.stop();
    expect(reported).toEqual(reports);
  });

  test('stop exits its caller when it cannot have what it wants', async () => {
    const stubborn: gen_server.Behaviour<null> = {
      init: () => ['ok', null],
      terminate(_, __, self) {
        return self.receive(() => false, { after: 30 });
      },
    };
    await run(async (self) => {
      expect(await exitOf(() => gen_server.stop(self, 'nobody'))).toBe('noproc');
      const pid = await started(gen_server.start(self, stubborn, null));
      expect(await exitOf(() => gen_server.stop(self, pid, 'normal', 1))).toBe('timeout');
    });
  });
});

async function started<P extends Pid>(
  result: Promise<['ok', P] | ['error', unknown] | 'ignore'>,
): Promise<P> {
  const answer = await result;
  if (answer[0] !== 'ok') throw new Error(`did not start: ${String(answer)}`);
  return answer[1] as P;
}

function exit(reason: unknown): never {
  throw new ErlangExit(reason);
}

function run<T>(body: (self: Process) => T): Promise<Awaited<T>> {
  return runProcess(runtime, body);
}

test.each(['gen_server', 'gen_statem'])(
  'a %s that is killed after a message has come does not handle it',
  async (kind) => {
    const handled: unknown[] = [];
    const server: gen_server.Behaviour<number> = {
      init: () => ['ok', 0],
      handle_cast: (request, n) => {
        handled.push(request);
        return ['noreply', n];
      },
    };
    const machine: gen_statem.StateFunctions<'on', number> = {
      init: () => ['ok', 'on', 0],
      states: {
        on: ([, content]) => {
          handled.push(content);
          return 'keep_state_and_data';
        },
      },
    };
    await run(async (self) => {
      const pid = ok(
        kind === 'gen_server'
          ? await gen_server.start(self, server, undefined)
          : await gen_statem.start(self, machine, undefined),
      );
      await self.yield();
      const cast = kind === 'gen_server' ? gen_server.cast : gen_statem.cast;
      cast(self, pid, 'first');
      await self.yield();
      cast(self, pid, 'second');
      self.exit(pid, 'kill');
      await self.yield();
    });
    expect(handled).toEqual(['first']);
  },
);
