import type { Crash } from '#actors/crash';
import { ErlangError, ErlangExit } from '#actors/errors';
import type { Pid } from '#actors/identifiers';
import type { Process } from '#actors/process';
import { Runtime } from '#actors/runtime';
import { isTuple, list } from '#actors/term';
import * as gen_server from '#lib/gen-server';
import { RestartIntensity } from '#lib/restart-intensity';
import * as supervisor from '#lib/supervisor';
import { runProcess } from '../support/run-process';

// Strategies, restarts, shutdowns and specifications are in supervisor-recorded.test.ts.

type Spec = supervisor.ChildSpec<Process>;

let runtime: Runtime;
beforeEach(() => {
  runtime = new Runtime({ onCrash: () => {} });
});
afterEach(() => runtime.stop());

/** Runs `body` as a process that traps exits. */
function run<T>(body: (self: Process) => Promise<T>): Promise<T> {
  return runProcess(runtime, (self) => {
    self.process_flag('trap_exit', true);
    return body(self);
  });
}

/** A child that lives until it is told to end. */
function child(id: string, options: Partial<Spec> = {}): Spec {
  return { id, start: (self) => ['ok', self.spawn_link((idle) => idle.receive())], ...options };
}

function of(flags: supervisor.SupervisorFlags, ...specs: Spec[]): supervisor.Behaviour<unknown, Process> {
  return { init: () => ['ok', [flags, specs]] };
}

async function started(
  self: Process,
  behaviour: supervisor.Behaviour<unknown, Process>,
  name?: string,
): Promise<Pid> {
  const result = await supervisor.start_link(self, behaviour, undefined, name === undefined ? {} : { name });
  if (result[0] !== 'ok') throw new Error(`not started: ${JSON.stringify(result)}`);
  return result[1] as Pid;
}

async function pidOf(self: Process, sup: supervisor.SupervisorRef, id: unknown): Promise<unknown> {
  const children = await supervisor.which_children(self, sup);
  return children.find(([each]) => each === id)?.[1];
}

async function exitOf(self: Process, pid: Pid): Promise<unknown> {
  const isExit = (message: unknown): message is unknown[] =>
    isTuple(message) && message[0] === 'EXIT' && message[1] === pid;
  return (await self.receive(isExit))[2];
}

describe('a supervisor', () => {
  test('has a name, under which it is asked, and which only one can have', async () => {
    await run(async (self) => {
      const sup = await started(self, of({}, child('a')), 'top');
      expect(self.whereis('top')).toBe(sup);
      expect((await supervisor.count_children(self, 'top'))[1]).toEqual(['active', 1]);
      expect(await supervisor.start_link(self, of({}), undefined, { name: 'top' })).toEqual([
        'error',
        ['already_started', sup],
      ]);
    });
  });

  test.each<[string, unknown, unknown]>([
    ['ignores', 'ignore', 'ignore'],
    ['answers nonsense', 'what', ['error', ['bad_return', ['supervisor', 'init', 'what']]]],
    ['answers half of it', ['ok', [{}]], ['error', ['bad_return', ['supervisor', 'init', ['ok', [{}]]]]]],
    ['answers no specifications', ['ok', [{}, 7]], ['error', ['bad_start_spec', 7]]],
  ])('whose init %s does not start', async (_what, result, answer) => {
    await run(async (self) => {
      const behaviour = { init: () => result } as supervisor.Behaviour<unknown, Process>;
      expect(await supervisor.start_link(self, behaviour, undefined)).toEqual(answer);
      expect(runtime.processes()).toEqual([self.pid]);
    });
  });

  test('gets the arguments of start_link, and may take its time', async () => {
    await run(async (self) => {
      const behaviour: supervisor.Behaviour<string[], Process> = {
        async init(ids) {
          await new Promise((resolve) => setTimeout(resolve, 2));
          return ['ok', [{}, ids.map((id) => child(id))]];
        },
      };
      const result = await supervisor.start_link(self, behaviour, ['x', 'y']);
      const children = await supervisor.which_children(self, result[1] as Pid);
      expect(children.map(([id]) => id)).toEqual(list('y', 'x'));
    });
  });

  test.each(['shutdown', 'boom', 'kill'])(
    'ends with its children when its parent exits: %s',
    async (reason) => {
      await run(async (self) => {
        const me = self.pid;
        const parent = self.spawn(async (other) => {
          const sup = await started(other, of({}, child('a'), child('b')));
          other.send(me, [sup, await pidOf(other, sup, 'a'), await pidOf(other, sup, 'b')]);
          await other.receive();
        });
        const pids = (await self.receive()) as Pid[];
        const refs = pids.map((pid) => self.monitor('process', pid));
        self.exit(parent, reason);
        const ends = new Map<unknown, unknown>();
        for (const _ of refs) {
          const [, , , pid, why] = (await self.receive()) as unknown[];
          ends.set(pid, why);
        }
        const [sup, ...children] = pids;
        expect(ends.get(sup)).toBe(reason === 'kill' ? 'killed' : reason);
        expect(children.map((pid) => ends.get(pid))).toEqual(['shutdown', 'shutdown']);
      });
    },
  );

  test('that is killed takes along the children that are linked and do not trap exits', async () => {
    await run(async (self) => {
      const sup = await started(self, of({}, child('a')));
      const ref = self.monitor('process', (await pidOf(self, sup, 'a')) as Pid);
      self.exit(sup, 'kill');
      expect(await exitOf(self, sup)).toBe('killed');
      expect(((await self.receive()) as unknown[]).slice(1)).toEqual([
        ref,
        'process',
        expect.anything(),
        'killed',
      ]);
    });
  });

  test('that is killed while a child starts has no part of it go on', async () => {
    await run(async (self) => {
      const me = self.pid;
      let ended = false;
      const slow: Spec = {
        id: 'slow',
        async start(sup) {
          try {
            self.send(me, ['starting', sup.pid]);
            return (await sup.receive((message): message is 'never' => message === 'never')) as never;
          } finally {
            ended = true;
          }
        },
      };
      self.spawn((other) => started(other, of({}, slow)));
      const [, sup] = (await self.receive()) as ['starting', Pid];
      self.exit(sup, 'kill');
      await new Promise(setImmediate);
      expect(ended).toBe(true);
      expect(self.is_process_alive(sup)).toBe(false);
    });
  });

  test('drops messages that mean nothing to it, and exits of strangers', async () => {
    await run(async (self) => {
      const sup = await started(self, of({}, child('a')));
      const stranger = self.spawn((other) => {
        other.link(sup);
        other.exit('boom');
      });
      for (const message of ['hello', ['EXIT', stranger, 'x'], ['EXIT', 'x', 'y'], ['DOWN', 1]])
        self.send(sup, message);
      expect((await supervisor.count_children(self, sup))[1]).toEqual(['active', 1]);
    });
  });
});

/** The child of `inner`, as soon as both are there. */
async function livingLeaf(self: Process): Promise<Pid> {
  for (;;) {
    try {
      const pid = (await pidOf(self, 'inner', 'leaf')) as Pid;
      if (self.is_process_alive(pid)) return pid;
    } catch (error) {
      if (!(error instanceof ErlangExit)) throw error;
    }
    await new Promise(setImmediate);
  }
}

describe('trees', () => {
  test('a supervisor under a supervisor ends when it has restarted too often, and is restarted with its children', async () => {
    await run(async (self) => {
      const inner = of({ intensity: 1, period: 1000 }, child('leaf'));
      const top = await started(self, {
        init: () => [
          'ok',
          [
            { intensity: 1, period: 1000 },
            [
              {
                id: 'inner',
                type: 'supervisor',
                start: (sup) => supervisor.start_link(sup, inner, undefined, { name: 'inner' }),
              },
            ],
          ],
        ],
      });
      const inners = new Set<unknown>();
      for (let crash = 0; crash < 3; crash++) {
        const leaf = await livingLeaf(self);
        inners.add(self.whereis('inner'));
        self.exit(leaf, 'kill');
      }
      const leaf = await livingLeaf(self);
      inners.add(self.whereis('inner'));
      expect(inners.size).toBe(2);
      self.exit(leaf, 'kill');
      expect(await exitOf(self, top)).toBe('shutdown');
      expect(self.whereis('inner')).toBe('undefined');
    });
  });

  test('a gen_server is started again with its first state, by the same name', async () => {
    const counter: gen_server.Behaviour<number, ['next', number], unknown, number, Process> = {
      init: (n) => ['ok', n],
      handle_call: (_request, _from, n) => ['reply', n, n + 1],
    };
    await run(async (self) => {
      await started(
        self,
        of(
          {},
          { id: 'counter', start: (sup) => gen_server.start_link(sup, counter, 7, { name: 'counter' }) },
        ),
      );
      const next = (): Promise<unknown> => gen_server.call(self, 'counter', 'next');
      expect([await next(), await next()]).toEqual([7, 8]);
      self.exit(self.whereis('counter') as Pid, 'kill');
      while (self.whereis('counter') === 'undefined') await new Promise(setImmediate);
      expect(await next()).toBe(7);
    });
  });
});

describe('simple_one_for_one', () => {
  test('starts children with their arguments, again too, and ends a thousand at once', async () => {
    await run(async (self) => {
      const me = self.pid;
      const spec: Spec = {
        id: 'any',
        shutdown: 1000,
        start: (sup: Process, ...args: unknown[]) => [
          'ok',
          sup.spawn_link((idle) => {
            idle.send(me, ['started', ...args]);
            return idle.receive();
          }),
        ],
      };
      const sup = await started(self, of({ strategy: 'simple_one_for_one' }, spec));
      const pids: Pid[] = [];
      for (let i = 0; i < 1000; i++) {
        pids.push((await supervisor.start_child(self, sup, [i, 'x']))[1] as Pid);
        expect(await self.receive()).toEqual(['started', i, 'x']);
      }
      self.exit(pids[7] as Pid, 'boom');
      expect(await self.receive()).toEqual(['started', 7, 'x']);
      expect(await supervisor.count_children(self, sup)).toEqual(
        list(['specs', 1], ['active', 1000], ['supervisors', 0], ['workers', 1000]),
      );
      self.exit(sup, 'shutdown');
      expect(await exitOf(self, sup)).toBe('shutdown');
      expect(pids.some((pid) => self.is_process_alive(pid))).toBe(false);
      expect(runtime.processes()).toEqual([me]);
    });
  });

  test('a child that is ignored when it is started again is forgotten', async () => {
    await run(async (self) => {
      let starts = 0;
      const spec: Spec = {
        id: 'any',
        start: (sup) => (starts++ === 0 ? ['ok', sup.spawn_link((idle) => idle.receive())] : 'ignore'),
      };
      const sup = await started(self, of({ strategy: 'simple_one_for_one' }, spec));
      const [, pid] = await supervisor.start_child(self, sup, []);
      self.exit(pid as Pid, 'boom');
      expect(await supervisor.which_children(self, sup)).toEqual(list());
      self.exit(sup, 'shutdown');
      expect(await exitOf(self, sup)).toBe('shutdown');
    });
  });
});

test('what starts a child may throw anything', async () => {
  await run(async (self) => {
    const error = new ErlangError('no');
    const sup = await started(self, of({}));
    const start = async (thrown: unknown): Promise<unknown> => {
      const spec: Spec = {
        id: 'x',
        start: () => {
          throw thrown;
        },
      };
      const [, [reason]] = (await supervisor.start_child(self, sup, spec)) as ['error', [unknown, unknown]];
      return reason;
    };
    expect(await start('text')).toBe('text');
    expect(await start(['error', 'reason'])).toBe('reason');
    expect(await start(error)).toEqual(['EXIT', ['no', expect.anything()]]);
    expect(await start(new TypeError('bad'))).toEqual([
      'EXIT',
      [['TypeError', Buffer.from('bad')], expect.anything()],
    ]);
  });
});

test('a specification that throws when it is read is an invalid one', async () => {
  await run(async (self) => {
    const sup = await started(self, of({}));
    const spec = {
      id: 'x',
      get start(): Spec['start'] {
        throw new TypeError('unreadable');
      },
    };
    expect(await supervisor.start_child(self, sup, spec)).toEqual(['error', ['invalid_child_spec', spec]]);
    expect(supervisor.check_childspecs([spec])).toEqual(['error', ['invalid_child_spec', spec]]);
    expect(await supervisor.which_children(self, sup)).toEqual(list());
  });
});

describe('check_childspecs', () => {
  const right: Spec = child('a');
  test.each<[unknown, unknown, unknown]>([
    [[right, child('b')], undefined, 'ok'],
    [[right, child('a')], undefined, ['error', ['duplicate_child_name', 'a']]],
    [
      [child(['a', 1] as never), child(['a', 1] as never)],
      undefined,
      ['error', ['duplicate_child_name', ['a', 1]]],
    ],
    ['x', undefined, ['error', ['badarg', 'x']]],
    [[right], 'x', ['error', ['badarg', 'x']]],
    [[child('a', { significant: true, restart: 'transient' })], undefined, 'ok'],
    [
      [child('a', { significant: true, restart: 'transient' })],
      'never',
      ['error', ['bad_combination', list(['auto_shutdown', 'never'], ['significant', true])]],
    ],
    [
      [child('a', { significant: true })],
      undefined,
      ['error', ['bad_combination', list(['restart', 'permanent'], ['significant', true])]],
    ],
    [[child('a', { modules: 'dynamic' })], undefined, 'ok'],
    [[child('a', { modules: ['x', 7] as never })], undefined, ['error', ['invalid_module', 7]]],
  ])('%p for %p', (specs, autoShutdown, answer) => {
    expect(supervisor.check_childspecs(specs as Spec[], autoShutdown as supervisor.AutoShutdown)).toEqual(
      answer,
    );
  });
});

describe('restart intensity', () => {
  test.each([0, 1, 3])('%p restarts in a period are allowed, one more is not', (most) => {
    const restarts = new RestartIntensity(most, 5);
    for (let i = 0; i < most; i++) expect(restarts.allows(100 + i)).toBe(true);
    expect(restarts.allows(105)).toBe(false);
  });

  test('the period slides', () => {
    const restarts = new RestartIntensity(2, 5);
    const allowed = [0, 3, 6, 9, 12, 15, 17, 18].map((time) => restarts.allows(time));
    expect(allowed).toEqual([true, true, true, true, true, true, false, false]);
  });
});

describe('what a supervisor reports:', () => {
  let crashes: Crash[];
  beforeEach(() => {
    crashes = [];
    runtime = new Runtime({ onCrash: (crash) => crashes.push(crash) });
  });

  const failing: gen_server.Behaviour<undefined, gen_server.Call, unknown, unknown, Process> = {
    init: () => {
      throw new TypeError('no database');
    },
  };
  const throws: Spec['start'] = () => {
    throw new TypeError('no database');
  };
  const startsFailing: Spec['start'] = (self) => gen_server.start_link(self, failing, undefined);

  test('a start that throws, with supervisor, child, error and place', async () => {
    await run(async (self) => {
      const start = supervisor.start_link(self, of({}, { id: 'db', start: throws }), undefined, {
        name: 'top',
      });
      expect((await start)[0]).toBe('error');
    });
    const [report] = crashes;
    expect(crashes).toHaveLength(1);
    expect(report).toMatchObject({
      kind: 'start_error',
      name: 'top',
      child: 'db',
      thrown: expect.any(TypeError),
    });
    expect(`${report}`).toMatch(
      /^Child db of supervisor <0\.\d+\.0> \(top\) could not be started at \/\S+supervisor\.test\.ts:\d+:\d+: TypeError: no database\n {4}at /,
    );
  });

  test.each<[string, Spec['start'], string]>([
    ['answers an error', () => ['error', 'eaddrinuse'], 'eaddrinuse'],
    ['answers nonsense', (() => 7) as never, '7'],
    ['throws a value', () => Promise.reject('nope'), 'nope'],
    ['exits', (self) => self.exit('boom'), "[ 'EXIT', 'boom' ]"],
  ])('a start that %s', async (_, start, reason) => {
    await run(async (self) => {
      await supervisor.start_link(self, of({}, { id: 'db', start }), undefined);
    });
    expect(crashes.map(String)).toEqual([
      expect.stringMatching(/^Child db of supervisor \S+ could not be started: /),
    ]);
    expect(`${crashes[0]}`.endsWith(`: ${reason}`)).toBe(true);
  });

  test('a child that has told of its crash itself without the stack, and its own failure not above it', async () => {
    const inner = of({}, { id: 'db', start: startsFailing });
    const outer = of({}, { id: 'inner', start: (self) => supervisor.start_link(self, inner, undefined) });
    await run(async (self) => {
      expect((await supervisor.start_link(self, outer, undefined))[0]).toBe('error');
    });
    expect(crashes.map(({ kind }) => kind)).toEqual(['crash', 'start_error']);
    expect(`${crashes[1]}`).toMatch(
      /^Child db of supervisor \S+ could not be started: \[ \[ 'TypeError', <<"no database">> \], <at \S+:\d+> \]$/,
    );
  });

  test.each<[string, supervisor.Strategy]>([
    ['an ordered', 'one_for_one'],
    ['a simple', 'simple_one_for_one'],
  ])('%s one: each restart that fails, and that it gives up', async (_, strategy) => {
    let starts = 0;
    const start: Spec['start'] = (self) => {
      if (++starts > 1) return throws(self);
      return ['ok', self.spawn_link((once) => once.receive())];
    };
    await run(async (self) => {
      const sup = await started(self, of({ strategy, intensity: 2, period: 10 }, { id: 'db', start }), 'top');
      if (strategy === 'simple_one_for_one') await supervisor.start_child(self, sup, []);
      const [[, pid]] = (await supervisor.which_children(self, sup)) as unknown as [[unknown, Pid]];
      self.exit(pid, 'kill');
      expect(await exitOf(self, sup)).toBe('shutdown');
    });
    expect(crashes.map(({ kind }) => kind)).toEqual(['start_error', 'start_error', 'shutdown']);
    expect(`${crashes[2]}`).toMatch(
      /^Supervisor <0\.\d+\.0> \(top\) gives up: more than 2 restarts in 10 s; the last child was db, because \[ 'EXIT', \[ \[ 'TypeError', <<"no database">> \], <at \S+> \] \]$/,
    );
  });

  test('nothing of children that end and are restarted, or are to end', async () => {
    await run(async (self) => {
      const sup = await started(self, of({ intensity: 5 }, child('a'), child('b')));
      self.exit((await pidOf(self, sup, 'a')) as Pid, 'boom');
      await supervisor.count_children(self, sup);
      await gen_server.stop(self, sup, 'shutdown');
    });
    expect(crashes).toEqual([]);
  });
});
