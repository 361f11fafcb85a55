/** What scripts played against Erlang cannot show: starting, calling, typing, ends, time, and how sys sees a machine. */
import { expectTypeOf } from 'expect-type';
import { ErlangError, ErlangExit } from '#actors/errors';
import type { Pid } from '#actors/identifiers';
import type { Process } from '#actors/process';
import { Runtime } from '#actors/runtime';
import { isTuple, list } from '#actors/term';
import * as gen_statem from '#lib/gen-statem';
import * as proc_lib from '#lib/proc-lib';
import { ok } from '#lib/result';
import * as sys from '#lib/sys';
import { runProcess } from '../support/run-process';

let runtime: Runtime;
beforeEach(() => {
  runtime = new Runtime({ onCrash: () => {} });
});
afterEach(() => runtime.stop());

/** OTP's own example: a door that opens for the right code, for a while. */
interface Lock {
  readonly code: readonly number[];
  readonly pressed: readonly number[];
}
type LockEvents = {
  call: ['code_length', number] | [['change', readonly number[]], 'ok'];
  cast: ['button', number];
  state_timeout: 'lock';
  timeouts: { forget: number };
};

const entered: string[] = [];
beforeEach(() => entered.splice(0));

const lock: gen_statem.StateFunctions<'locked' | 'open', Lock, LockEvents, readonly number[], Process> = {
  state_enter: true,
  init: (code) => ['ok', 'locked', { code, pressed: [] }],
  states: {
    locked([type, content, detail], data) {
      switch (type) {
        case 'enter':
          entered.push('locked');
          return ['keep_state', { ...data, pressed: [] }];
        case 'cast': {
          const pressed = [...data.pressed, content[1]].slice(-data.code.length);
          return String(pressed) === String(data.code)
            ? ['next_state', 'open', data]
            : ['keep_state', { ...data, pressed }, [['timeout', 'forget'], 30, pressed.length]];
        }
        case 'timeout':
          expectTypeOf(content).toEqualTypeOf<number>();
          expectTypeOf(detail).toEqualTypeOf<'forget'>();
          return ['keep_state', { ...data, pressed: [] }];
        case 'call':
          return asked(content, detail, data);
        default:
          return 'keep_state_and_data';
      }
    },
    open([type, content, from], data) {
      switch (type) {
        case 'enter':
          expectTypeOf(content).toEqualTypeOf<'locked' | 'open'>();
          entered.push('open');
          return ['keep_state_and_data', ['state_timeout', 40, 'lock']];
        case 'state_timeout':
          expectTypeOf(content).toEqualTypeOf<'lock'>();
          return ['next_state', 'locked', data];
        case 'cast':
          return ['keep_state_and_data', 'postpone'];
        case 'call':
          return asked(content, from, data);
        default:
          return 'keep_state_and_data';
      }
    },
  },
};

function asked(
  request: LockEvents['call'][0],
  from: gen_statem.From,
  data: Lock,
): gen_statem.Result<'locked' | 'open', Lock, LockEvents> {
  if (request === 'code_length') return ['keep_state_and_data', ['reply', from, data.code.length]];
  return ['next_state', 'locked', { code: request[1], pressed: [] }, ['reply', from, 'ok']];
}

describe('a code lock', () => {
  test('opens for its code, locks itself after a while, and only then takes the buttons that were pressed', async () => {
    await run(async (self) => {
      const pid = ok(await gen_statem.start_link(self, lock, [1, 2], { name: 'lock' }));
      for (const button of [2, 1, 2]) gen_statem.cast(self, pid, ['button', button]);
      expect(await stateOf(self, pid)).toBe('open');
      for (const button of [1, 2]) gen_statem.cast(self, 'lock', ['button', button]);
      expect(await stateOf(self, pid)).toBe('open');
      while (entered.length < 4) await pause(self);
      expect(entered).toEqual(['locked', 'open', 'locked', 'open']);
      expect(await gen_statem.stop(self, pid)).toBe('ok');
    });
  });

  test('forgets buttons that come too slowly', async () => {
    await run(async (self) => {
      const pid = ok(await gen_statem.start(self, lock, [1, 2]));
      gen_statem.cast(self, pid, ['button', 1]);
      while (((await sys.get_state(self, pid)) as [string, Lock])[1].pressed.length > 0) await pause(self);
      gen_statem.cast(self, pid, ['button', 2]);
      expect(await stateOf(self, pid)).toBe('locked');
    });
  });

  test('answers requests of the type that it is asked for', async () => {
    await run(async (self) => {
      const pid = ok(await gen_statem.start(self, lock, [1, 2]));
      const length = await gen_statem.call(self, pid, 'code_length');
      expectTypeOf(length).toEqualTypeOf<number>();
      const changed = await gen_statem.call(self, pid, ['change', [3, 4, 5]], 1000);
      expectTypeOf(changed).toEqualTypeOf<'ok'>();
      expect([length, changed, await gen_statem.call(self, pid, 'code_length')]).toEqual([2, 'ok', 3]);
      // @ts-expect-error no such event
      gen_statem.cast(self, pid, 'button');
      const wrong = new AbortController();
      // @ts-expect-error no such request
      const call = () => gen_statem.call(self, pid, 'length');
      void [wrong, call];
    });
  });
});

test('what a machine may answer is typed', () => {
  type Result = gen_statem.Result<'a' | 'b', number, LockEvents>;
  expectTypeOf<['next_state', 'b', 1]>().toExtend<Result>();
  expectTypeOf<['next_state', 'c', 1]>().not.toExtend<Result>();
  expectTypeOf<['keep_state', 'data']>().not.toExtend<Result>();
  expectTypeOf<['keep_state_and_data', ['state_timeout', 5, 'lock']]>().toExtend<Result>();
  expectTypeOf<['keep_state_and_data', ['state_timeout', 5, 'open']]>().not.toExtend<Result>();
  expectTypeOf<['keep_state_and_data', [['timeout', 'forget'], 'cancel']]>().toExtend<Result>();
  expectTypeOf<['keep_state_and_data', [['timeout', 'other'], 'cancel']]>().not.toExtend<Result>();
  expectTypeOf<['keep_state_and_data', ['reply', gen_statem.From, 'ok']]>().toExtend<Result>();
  expectTypeOf<['keep_state_and_data', ['reply', gen_statem.From, 'no']]>().not.toExtend<Result>();
  expectTypeOf<
    ['keep_state_and_data', ['postpone', 'hibernate', ['state_timeout', 5, 'lock']]]
  >().toExtend<Result>();
  expectTypeOf<['keep_state_and_data', ['postpone', ['state_timeout', 5, 'open']]]>().not.toExtend<Result>();
  expectTypeOf<gen_statem.Event<'a', { cast: 'x' }>>().toEqualTypeOf<
    | readonly ['enter', 'a', undefined?]
    | readonly ['cast', 'x', undefined?]
    | readonly ['info', unknown, undefined?]
  >();
});

type Any = gen_statem.AnyEvents;
/** A machine with one state, which does what `answer` says. */
function machine(
  answer: (event: gen_statem.Event<unknown>, data: unknown, self: Process) => unknown,
  rest: Partial<gen_statem.HandleEventFunction<unknown, unknown, Any, unknown, Process>> = {},
): gen_statem.HandleEventFunction<unknown, unknown, Any, unknown, Process> {
  return {
    init: () => ['ok', 'state', 'data'],
    handle_event: (event, _, data, self) => answer(event, data, self) as 'stop',
    ...rest,
  };
}
const idle = machine(() => 'keep_state_and_data');

describe('start', () => {
  const failing = (init: () => unknown) => machine(() => 'stop', { init: init as () => 'ignore' });
  const raise = (error: Error) => (): never => {
    throw error;
  };
  const ways: [string, () => unknown, unknown, unknown][] = [
    ['stops', () => ['stop', 'no_disk'], ['error', 'no_disk'], 'no_disk'],
    ['ignores', () => 'ignore', 'ignore', 'normal'],
    ['fails', raise(new ErlangError('boom')), ['error', 'boom'], ['boom', expect.anything()]],
    ['exits', raise(new ErlangExit('why')), ['error', 'why'], 'why'],
    ...[['ok', 'state'], ['error', 'x'], 'stop', ['ok', 's', 'd', list(), 'x']].map(
      (result): [string, () => unknown, unknown, unknown] => [
        `answers ${JSON.stringify(result)}`,
        () => result,
        ['error', ['bad_return_from_init', result]],
        [['bad_return_from_init', result], expect.anything()],
      ],
    ),
  ];

  test.each(ways)('answers when init %s, and leaves nothing behind', async (_, init, result) => {
    await run(async (self) => {
      expect(await gen_statem.start(self, failing(init), null, { name: 'it' })).toEqual(result);
      expect(await gen_statem.start_monitor(self, failing(init), null, { name: 'it' })).toEqual(result);
      expect([self.whereis('it'), await self.receive(undefined, { after: 5 })]).toEqual([
        'undefined',
        undefined,
      ]);
    });
  });

  test.each(ways)('linked: the exit signal ends others when init %s', async (_, init, __, reason) => {
    await run(async (self) => {
      const pid = self.spawn(async (child) => {
        await gen_statem.start_link(child, failing(init), null);
        return child.exit('survived');
      });
      expect(await endOf(self, pid)).toEqual(reason === 'normal' ? 'survived' : reason);
    });
  });

  test('a name is taken once, and start_monitor monitors', async () => {
    await run(async (self) => {
      const [pid, ref] = ok(await gen_statem.start_monitor(self, idle, null, { name: 'it' }));
      expect(await gen_statem.start(self, idle, null, { name: 'it' })).toEqual([
        'error',
        ['already_started', pid],
      ]);
      self.exit(pid, 'kill');
      expect(await self.receive()).toEqual(['DOWN', ref, 'process', pid, 'killed']);
    });
  });

  test('is through before the first state enter call', async () => {
    await run(async (self) => {
      const slow = machine((event, _, me) => event[0] === 'enter' && me.receive(() => false), {
        state_enter: true,
      });
      const pid = ok(await gen_statem.start(self, slow, null));
      expect(self.is_process_alive(pid)).toBe(true);
    });
  });
});

describe('call', () => {
  const where = (...args: unknown[]) => ['gen_statem', 'call', list(...args)];

  test('exits its caller when there is no machine', async () => {
    await run(async (self) => {
      const dead = self.spawn(() => {});
      await endOf(self, dead);
      const far = ['x', 'no@where'] as const;
      for (const [server, reason] of [
        [dead, 'noproc'],
        ['nobody', 'noproc'],
        [self.pid, 'calling_self'],
        [far, ['nodedown', 'no@where']],
      ] as const) {
        const reasonOfExit = await exitOf(() => gen_statem.call(self, server as Pid, 'x'));
        expect(reasonOfExit).toEqual([reason, where(server, 'x', 'infinity')]);
      }
    });
  });

  test('waits as long as it is told, and drops a reply that comes later', async () => {
    await run(async (self) => {
      const late = machine(([type, content, from]) => {
        if (type === 'call') return ['keep_state_and_data', [['timeout', 'later'], 15, from]];
        return ['keep_state_and_data', ['reply', content, 'late']];
      });
      const pid = ok(await gen_statem.start(self, late, null));
      expect(await exitOf(() => gen_statem.call(self, pid, 'x', 1))).toEqual(['timeout', where(pid, 'x', 1)]);
      expect(await gen_statem.call(self, pid, 'x')).toBe('late');
      expect(self.process_info(self.pid, 'messages')).toEqual(['messages', list()]);
    });
  });

  test('is answered by whoever is asked to, one by one or several at once', async () => {
    await run(async (self) => {
      const froms: gen_statem.From[] = [];
      const deaf = machine(([, , from], _, me) => {
        froms.push(from as gen_statem.From);
        if (froms.length < 3) return 'keep_state_and_data';
        me.spawn((helper) => {
          gen_statem.reply(helper, [
            ['reply', froms[2]!, 3],
            ['reply', froms[1]!, 2],
          ]);
          gen_statem.reply(helper, ['reply', froms[0]!, undefined]);
        });
        return 'keep_state_and_data';
      });
      const pid = ok(await gen_statem.start(self, deaf, null));
      const me = self.pid;
      for (const i of [1, 2, 3])
        self.spawn_link(async (child) => child.send(me, [i, await gen_statem.call(child, pid, i)]));
      const replies = [await self.receive(), await self.receive(), await self.receive()] as [
        number,
        unknown,
      ][];
      expect(replies.sort(([a], [b]) => a - b)).toEqual([
        [1, undefined],
        [2, 2],
        [3, 3],
      ]);
    });
  });
});

describe('time', () => {
  test('a timeout that was cancelled after its time is not told, and does not come as a message', async () => {
    await run(async (self) => {
      const told: unknown[] = [];
      const busy = machine(
        async ([type, content]) => {
          told.push([type, content]);
          if (content !== 'go') return 'keep_state_and_data';
          // The timer runs out while nothing is taken.
          await new Promise((resolve) => setTimeout(resolve, 20));
          return ['keep_state_and_data', [['timeout', 'n'], 'cancel']];
        },
        { init: () => ['ok', 'state', 'data', [['timeout', 'n'], 5, 'too late']] },
      );
      const pid = ok(await gen_statem.start(self, busy, null));
      gen_statem.cast(self, pid, 'go');
      await gen_statem.stop(self, pid);
      expect(told).toEqual([['cast', 'go']]);
    });
  });

  test('absolute times are on the clock of monotonic_time', async () => {
    await run(async (self) => {
      const me = self.pid;
      const timed = machine(([type, content], _, it) => it.send(me, [type, content]) && 'stop', {
        init(_, it) {
          const now = Number(it.monotonic_time('millisecond'));
          return [
            'ok',
            'state',
            'data',
            list(
              [['timeout', 'b'], now + 60, 'b', ['abs', true]],
              ['state_timeout', now - 5, 'a', list(['abs', true])],
            ),
          ];
        },
      });
      ok(await gen_statem.start(self, timed, null));
      expect(await self.receive()).toEqual(['state_timeout', 'a']);
    });
  });

  test.each([
    ['internal events', ['keep_state_and_data', ['next_event', 'internal', 'again']]],
    ['timeouts of zero', ['keep_state_and_data', ['state_timeout', 0, 'again']]],
    ['state enter calls', 'repeat_state_and_data'],
  ])('a machine that goes on by itself with %s lets others run, and can be killed', async (_, result) => {
    await run(async (self) => {
      let count = 0;
      const restless = machine(
        () => {
          count++;
          return result;
        },
        { state_enter: true, init: () => ['ok', 'state', 'data', ['next_event', 'internal', 'first']] },
      );
      const pid = ok(await gen_statem.start(self, restless, null));
      await new Promise((resolve) => setTimeout(resolve, 2));
      self.exit(pid, 'kill');
      await new Promise((resolve) => setTimeout(resolve, 2));
      const before = count;
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect([before > 0, count]).toEqual([true, before]);
    });
  });

  test('events wait for a callback that is asynchronous', async () => {
    const trace: unknown[] = [];
    const slow = machine(async ([type, content]) => {
      trace.push(content);
      await new Promise((resolve) => setTimeout(resolve, 2));
      trace.push('end');
      return type === 'info' ? 'stop' : 'keep_state_and_data';
    });
    await run(async (self) => {
      const pid = ok(await gen_statem.start(self, slow, null));
      gen_statem.cast(self, pid, 1);
      self.send(pid, 2);
      await endOf(self, pid);
    });
    expect(trace).toEqual([1, 'end', 2, 'end']);
  });
});

describe('the end', () => {
  const reasons: unknown[] = [];
  const watched = (answer: Parameters<typeof machine>[0]) =>
    machine(answer, {
      init(_, self) {
        self.process_flag('trap_exit', true);
        return ['ok', 'state', 'data'];
      },
      terminate: (...end) => reasons.push(end.slice(0, 3)),
    });
  beforeEach(() => reasons.splice(0));

  test.each([
    ['gen_statem.stop', (self: Process, pid: Pid) => gen_statem.stop(self, pid), 'normal'],
    [
      'with a reason',
      (self: Process, pid: Pid) => gen_statem.stop(self, pid, ['shutdown', 1], 1000),
      ['shutdown', 1],
    ],
    ['sys.terminate', (self: Process, pid: Pid) => sys.terminate(self, pid, 'why'), 'why'],
  ])('%s has it terminate', async (_, end, reason) => {
    await run(async (self) => {
      const pid = ok(
        await gen_statem.start(
          self,
          watched(() => 'keep_state_and_data'),
          null,
        ),
      );
      const ref = self.monitor('process', pid);
      expect(await end(self, pid)).toBe('ok');
      const down = (await self.receive((m) => isTuple(m) && m[1] === ref)) as unknown[];
      expect([down[4], reasons]).toEqual([reason, [[reason, 'state', 'data']]]);
    });
  });

  test('it ends with its parent when it traps exits', async () => {
    await run(async (self) => {
      const me = self.pid;
      const parent = self.spawn(async (child) => {
        child.send(
          me,
          ok(
            await gen_statem.start_link(
              child,
              watched(() => 'keep_state_and_data'),
              null,
            ),
          ),
        );
        await child.receive();
      });
      const pid = (await self.receive()) as Pid;
      const ref = self.monitor('process', pid);
      self.exit(parent, 'gone');
      const down = (await self.receive((m) => isTuple(m) && m[1] === ref)) as unknown[];
      expect([down[4], reasons]).toEqual(['gone', [['gone', 'state', 'data']]]);
    });
  });

  test('a killed one is not asked', async () => {
    await run(async (self) => {
      const pid = ok(
        await gen_statem.start(
          self,
          watched(() => 'keep_state_and_data'),
          null,
        ),
      );
      self.exit(pid, 'kill');
      await pause(self);
      expect(reasons).toEqual([]);
    });
  });

  test('a state without a function is undef, whatever it is called', async () => {
    await run(async (self) => {
      for (const state of ['nowhere', 'toString', 'constructor', '__proto__']) {
        const lost: gen_statem.StateFunctions<string, null, Any, null, Process> = {
          init: () => ['ok', state, null],
          states: {},
        };
        const pid = ok(await gen_statem.start(self, lost, null));
        const [reason] = (await exitOf(() => gen_statem.call(self, pid, 'x'))) as [unknown[]];
        expect(reason[0]).toBe('undef');
      }
    });
  });
});

describe('sys', () => {
  test('sees and replaces state and data', async () => {
    await run(async (self) => {
      const pid = ok(await gen_statem.start(self, idle, null, { name: 'it' }));
      expect(await sys.get_state(self, pid)).toEqual(['state', 'data']);
      const change = ([state, data]: [string, string]) => [`${state}2`, `${data}2`];
      expect(await sys.replace_state(self, pid, change)).toEqual(['state2', 'data2']);
      expect(await sys.get_state(self, pid)).toEqual(['state2', 'data2']);
      await expect(sys.replace_state(self, pid, () => 'nonsense')).rejects.toMatchObject({
        reason: [
          'callback_failed',
          ['gen_statem', 'system_replace_state'],
          ['error', ['badmatch', 'nonsense']],
        ],
      });
      expect(await sys.get_state(self, pid)).toEqual(['state2', 'data2']);
    });
  });

  test('shows the status as format_status has it', async () => {
    await run(async (self) => {
      const secret = machine(() => 'keep_state_and_data', {
        format_status: (status) => new Map([...status, ['data', 'hidden']]),
      });
      for (const [behaviour, shown] of [
        [idle, ['state', 'data']],
        [secret, ['state', 'hidden']],
      ] as const) {
        const pid = ok(await gen_statem.start(self, behaviour, null));
        const [kind, who, module, details] = (await sys.get_status(self, pid)) as unknown[];
        expect([kind, who, module]).toEqual(['status', pid, ['module', 'gen_statem']]);
        expect((details as unknown[][])[4]![2]).toEqual(['data', list(['State', shown])]);
      }
    });
  });

  test('shows timeouts and postponed events', async () => {
    await run(async (self) => {
      const waiting = machine(() => ['keep_state_and_data', 'postpone'], {
        init: () => [
          'ok',
          'state',
          'data',
          [
            ['state_timeout', 10_000, 's'],
            [['timeout', 'n'], 10_000, 'x'],
          ],
        ],
      });
      const pid = ok(await gen_statem.start(self, waiting, null));
      for (const event of [1, 2]) gen_statem.cast(self, pid, event);
      const [, , , details] = (await sys.get_status(self, pid)) as unknown[][];
      const [, data] = (details![4] as unknown[][])[1]!;
      const timeouts = list(['state_timeout', 's'], [['timeout', 'n'], 'x']);
      expect(data).toEqual(expect.arrayContaining([['Time-outs', [2, timeouts]]]));
      expect(data).toEqual(expect.arrayContaining([['Postponed', list(['cast', 1], ['cast', 2])]]));
    });
  });

  test('a suspended one takes no events, and loses none; looking at it is no event', async () => {
    await run(async (self) => {
      const told: unknown[] = [];
      const timed = machine(([type, content]) => told.push([type, content]) && 'keep_state_and_data', {
        init: () => ['ok', 'state', 'data', ['timeout', 30, 'quiet']],
      });
      const pid = ok(await gen_statem.start(self, timed, null));
      await sys.suspend(self, pid);
      await self.receive(() => false, { after: 50 });
      expect([await sys.get_state(self, pid), told]).toEqual([['state', 'data'], []]);
      gen_statem.cast(self, pid, 'go');
      await sys.resume(self, pid);
      await gen_statem.stop(self, pid);
      expect(told).toEqual([
        ['timeout', 'quiet'],
        ['cast', 'go'],
      ]);
    });
  });

  test('traces events in the words of OTP', async () => {
    const written: string[] = [];
    const write = jest
      .spyOn(process.stdout, 'write')
      .mockImplementation((text) => written.push(String(text)) > 0);
    try {
      await run(async (self) => {
        const traced: gen_statem.StateFunctions<'a' | 'b', null, Any, null, Process> = {
          init: () => ['ok', 'a', null],
          states: {
            a: ([, content]) =>
              content === 'later'
                ? ['keep_state_and_data', 'postpone']
                : ['next_state', 'b', null, ['next_event', 'internal', 'in']],
            b: ([type, , from]) =>
              type === 'call' ? ['keep_state_and_data', ['reply', from, 'hi']] : 'keep_state_and_data',
          },
        };
        const pid = ok(await gen_statem.start(self, traced, null, { name: 'it', debug: ['trace'] }));
        gen_statem.cast(self, pid, 'later');
        gen_statem.cast(self, pid, 'go');
        await gen_statem.call(self, pid, 'hello');
        const me = String(self.pid);
        await gen_statem.stop(self, pid);
        expect(written.map((line) => line.replaceAll(me, '<me>').trimEnd())).toEqual([
          '*DBG* it receive cast later in state a',
          '*DBG* it postpone cast later in state a',
          '*DBG* it receive cast go in state a',
          '*DBG* it receive internal in in state b',
          '*DBG* it consume cast go in state a => b',
          '*DBG* it consume internal in in state b',
          '*DBG* it consume cast later in state b',
          '*DBG* it receive call hello from <me> in state b',
          '*DBG* it send hi to <me>',
          '*DBG* it consume call hello from <me> in state b',
        ]);
      });
    } finally {
      write.mockRestore();
    }
  });
});

describe('requests whose responses are not waited for at once', () => {
  type LaterEvents = { call: ['next', number] | ['end', never]; cast: number };
  type Waiting = gen_statem.From<number>[];
  const later: gen_statem.HandleEventFunction<Waiting, null, LaterEvents, null, Process> = {
    init: () => ['ok', [], null],
    handle_event([type, content, from], waiting) {
      if (type === 'cast')
        return ['next_state', [], null, waiting.map((each) => ['reply', each, content] as const)];
      if (type !== 'call') return 'keep_state_and_data';
      return content === 'end' ? ['stop', 'why'] : ['next_state', [...waiting, from], null];
    },
  };

  test('each is found by its own id', async () => {
    await run(async (self) => {
      const pid = ok(await gen_statem.start(self, later, null));
      const one = gen_statem.send_request(self, pid, 'next');
      const two = gen_statem.send_request(self, pid, 'next');
      expect(await gen_statem.wait_response(self, one, 1)).toBe('timeout');
      self.send(self.pid, 'another');
      gen_statem.cast(self, pid, 5);
      const response = await gen_statem.receive_response(self, two);
      expectTypeOf(response).toEqualTypeOf<gen_statem.Response<number> | 'timeout'>();
      expect(response).toEqual(['reply', 5]);
      expect(gen_statem.check_response(self, await self.receive(), one)).toBe('no_reply');
      expect(gen_statem.check_response(self, await self.receive(), one)).toEqual(['reply', 5]);
    });
  });

  test('one that is abandoned leaves nothing, and an end is a response', async () => {
    await run(async (self) => {
      const pid = ok(await gen_statem.start(self, later, null, { name: 'later' }));
      const abandoned = gen_statem.send_request(self, pid, 'next');
      expect(await gen_statem.receive_response(self, abandoned, 1)).toBe('timeout');
      gen_statem.cast(self, pid, 5);
      const last = gen_statem.send_request(self, gen_statem.named<LaterEvents>('later'), 'end');
      expect(await gen_statem.receive_response(self, last)).toEqual(['error', ['why', pid]]);
      const none = gen_statem.send_request(self, 'later', 'next');
      expect(await gen_statem.wait_response(self, none)).toEqual(['error', ['noproc', 'later']]);
      expect(await self.receive({ after: 2 })).toBeUndefined();
    });
  });
});

describe('enter_loop', () => {
  type Told = { call: ['told', string[]]; internal: 'first'; state_timeout: 'over' };
  let end: unknown[];
  const states: gen_statem.StateFunctions<'a' | 'b', string[], Told, never, Process> = {
    state_enter: true,
    init: () => 'ignore',
    states: {
      a: ([type, content], data) => ['keep_state', [...data, `${type} ${content}`]],
      b([type, content, from], data) {
        if (type === 'call') return ['keep_state_and_data', ['reply', from, data]];
        return ['keep_state', [...data, `${type} ${content}`]];
      },
    },
    terminate(...last) {
      end = last;
    },
  };

  test('makes a machine of a process, with its parent, its name and its actions', async () => {
    await run(async (self) => {
      const program = (child: Process) => {
        child.register('late', child.pid);
        proc_lib.init_ack(child, ['ok', child.pid]);
        const actions = [
          ['next_event', 'internal', 'first'],
          ['state_timeout', 0, 'over'],
        ] as const;
        return gen_statem.enter_loop(child, states, { name: 'late' }, 'b', ['given'], actions);
      };
      const [, pid] = (await proc_lib.start_link(self, program)) as [string, Pid];
      const late = gen_statem.named<Told>('late');
      const expected = ['given', 'enter b', 'internal first', 'state_timeout over'];
      expect(await gen_statem.call(self, late, 'told')).toEqual(expected);
      const [, , [, module], [, , parent]] = await sys.get_status(self, pid);
      expect([module, parent]).toEqual(['gen_statem', self.pid]);
      expect(await gen_statem.stop(self, late)).toBe('ok');
      expect(end.slice(0, 3)).toEqual(['normal', 'b', expected]);
    });
  });

  test('handles events by one function for all states', async () => {
    type Events = { call: ['get', [number, string]] };
    const machine: gen_statem.HandleEventFunction<number, string, Events, never, Process> = {
      init: () => 'ignore',
      handle_event: ([type, , from], state, data) =>
        type === 'call' ? ['keep_state_and_data', ['reply', from, [state, data]]] : 'keep_state_and_data',
    };
    await run(async (self) => {
      const pid = self.spawn((child) => gen_statem.enter_loop(child, machine, {}, 7, 'data'));
      expect(await gen_statem.call(self, pid, 'get')).toEqual([7, 'data']);
    });
  });

  test('exits where the name is not its own', async () => {
    await run(async (self) => {
      const nameless = self.spawn((child) => gen_statem.enter_loop(child, states, { name: 'late' }, 'a', []));
      expect(await endOf(self, nameless)).toBe('process_not_registered');
    });
  });
});

async function stateOf(self: Process, pid: Pid): Promise<unknown> {
  return ((await sys.get_state(self, pid)) as unknown[])[0];
}

async function endOf(self: Process, pid: Pid): Promise<unknown> {
  const ref = self.monitor('process', pid);
  const down = (await self.receive((m) => isTuple(m) && m[1] === ref)) as unknown[];
  return down[4];
}

async function exitOf(job: () => unknown): Promise<unknown> {
  try {
    return ['returned', await job()];
  } catch (error) {
    if (error instanceof ErlangExit) return error.reason;
    throw error;
  }
}

function pause(self: Process): unknown {
  return self.receive(() => false, { after: 2 });
}

function run<T>(body: (self: Process) => T): Promise<Awaited<T>> {
  return runProcess(runtime, body);
}
