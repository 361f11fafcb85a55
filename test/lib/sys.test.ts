import { ErlangError, ErlangExit, ErlangThrow } from '#actors/errors';
import type { Pid } from '#actors/identifiers';
import type { Process } from '#actors/process';
import { Runtime } from '#actors/runtime';
import { list } from '#actors/term';
import * as gen_server from '#lib/gen-server';
import { ok } from '#lib/result';
import * as sys from '#lib/sys';
import { endOf, exitOf } from '../support/exit-of';
import { runProcess } from '../support/run-process';

let runtime: Runtime;
let printed: string[];
beforeEach(() => {
  runtime = new Runtime({ onCrash: () => {} });
  printed = [];
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed.push(...String(text).trimEnd().split('\n'));
    return true;
  });
});
afterEach(() => {
  jest.restoreAllMocks();
  runtime.stop();
});

type Calls = ['get', number] | [['add', number], 'ok'];
const counter: gen_server.Behaviour<number, Calls, gen_server.NoReply<number>> = {
  init: (n: number) => ['ok', n],
  handle_call: (request, _from, n) => (request === 'get' ? ['reply', n, n] : ['reply', 'ok', n + request[1]]),
  handle_cast: (result) => result,
  handle_continue: (_, n) => ['noreply', n + 100],
};

describe('the state', () => {
  test('is shown, and replaced in the process of the server', async () => {
    await run(async (self) => {
      const pid = ok(await gen_server.start_link(self, counter, 5));
      expect(await sys.get_state(self, pid)).toBe(5);
      expect(await sys.replace_state(self, pid, (n: number) => n * 2)).toBe(10);
      expect(await sys.replace_state(self, pid, async (n: number) => n + 1)).toBe(11);
      expect(await gen_server.call(self, pid, 'get')).toBe(11);
    });
  });

  test.each([
    ['error', new ErlangError('boom')],
    ['exit', new ErlangExit('boom')],
    ['throw', new ErlangThrow('boom')],
    ['throw', 'boom'],
  ])('stays, and the server goes on, where its change raises an %s', async (kind, thrown) => {
    await run(async (self) => {
      const pid = ok(await gen_server.start_link(self, counter, 5));
      const change = (): never => {
        throw thrown;
      };
      await expect(sys.replace_state(self, pid, change)).rejects.toMatchObject({
        name: 'ErlangError',
        reason: ['callback_failed', ['gen_server', 'system_replace_state'], [kind, 'boom']],
      });
      expect(await gen_server.call(self, pid, 'get')).toBe(5);
    });
  });
});

describe('the status', () => {
  test.each([
    ['running', undefined],
    ['running', 'counter'],
    ['suspended', 'counter'],
  ] as const)('of a server that is %s, named %s', async (state, name) => {
    await run(async (self) => {
      self.put('key', 'of the caller');
      const pid = ok(await gen_server.start_link(self, counter, 5, name === undefined ? {} : { name }));
      if (state === 'suspended') await sys.suspend(self, pid);
      expect(await sys.get_status(self, pid)).toEqual([
        'status',
        pid,
        ['module', 'gen_server'],
        list<unknown>(
          list(['$ancestors', list(self.pid)], ['$initial_call', ['gen_server', 'init', 1]]),
          state,
          self.pid,
          list(),
          list<unknown>(
            ['header', Buffer.from(`Status for gen_server ${name ?? pid}`)],
            ['data', list<unknown>(['Status', state], ['Parent', self.pid], ['Logged events', list()])],
            ['data', list(['State', 5])],
          ),
        ),
      ]);
    });
  });

  test('a format_status that fails harms nobody', async () => {
    const fragile: gen_server.Behaviour<string, ['get', string]> = {
      init: () => ['ok', 'here'],
      handle_call: (_request, _from, state) => ['reply', state, state],
      format_status() {
        throw new Error('cannot say');
      },
    };
    await run(async (self) => {
      const pid = ok(await gen_server.start(self, fragile, undefined));
      const [, , , items] = (await sys.get_status(self, pid)) as [string, Pid, unknown, unknown[][]];
      const instead = Buffer.from('gen_server:format_status crashed');
      expect(items[4]?.[2]).toEqual(['data', list(['State', instead])]);
      expect(await gen_server.call(self, pid, 'get')).toBe('here');
    });
  });

  test('shows of the state what format_status makes of it', async () => {
    const secretive: gen_server.Behaviour<string> = {
      init: () => ['ok', 'secret'],
      format_status: (status) => new Map([['state', (status.get('state') as string).length]]),
    };
    await run(async (self) => {
      const pid = ok(await gen_server.start(self, secretive, undefined));
      const [, , , items] = (await sys.get_status(self, pid)) as [string, Pid, unknown, unknown[][]];
      expect(items[4]?.[2]).toEqual(['data', list(['State', 6])]);
      expect(await sys.get_state(self, pid)).toBe('secret');
    });
  });
});

describe('a suspended server', () => {
  test('takes system messages only; the others wait, in order', async () => {
    await run(async (self) => {
      const pid = ok(await gen_server.start_link(self, counter, 1));
      expect(await sys.suspend(self, pid)).toBe('ok');
      expect(await sys.suspend(self, pid)).toBe('ok');
      const id = gen_server.send_request(self, pid, ['add', 1]);
      gen_server.cast(self, pid, ['noreply', 7]);
      expect(await gen_server.wait_response(self, id, 5)).toBe('timeout');
      expect(await sys.get_state(self, pid)).toBe(1);
      expect(await sys.replace_state(self, pid, () => 3)).toBe(3);
      expect(await sys.resume(self, pid)).toBe('ok');
      expect(await gen_server.wait_response(self, id)).toEqual(['reply', 'ok']);
      expect(await gen_server.call(self, pid, 'get')).toBe(7);
      expect(await sys.resume(self, pid)).toBe('ok');
    });
  });

  const ENDS: Record<string, (self: Process, pid: Pid, parent: Pid) => unknown> = {
    'sys.terminate': (self, pid) => sys.terminate(self, pid, 'over'),
    'gen_server.stop': (self, pid) => gen_server.stop(self, pid, 'over'),
    'the end of its parent': (self, _, parent) => self.exit(parent, 'over'),
  };

  test.each(Object.keys(ENDS))('ends by %s, through terminate', async (end) => {
    const seen: unknown[] = [];
    const trapping: gen_server.Behaviour<string> = {
      init(_, self) {
        self.process_flag('trap_exit', true);
        return ['ok', 'state'];
      },
      terminate: (...args) => seen.push(args.slice(0, 2)),
    };
    await run(async (self) => {
      const me = self.pid;
      const parent = self.spawn(async (child) => {
        child.send(me, ok(await gen_server.start_link(child, trapping, undefined)));
        await child.receive();
      });
      const pid = (await self.receive()) as Pid;
      await sys.suspend(self, pid);
      const ended = runProcess(runtime, (other) => endOf(other, pid));
      await ENDS[end]?.(self, pid, parent);
      expect(await ended).toBe('over');
    });
    expect(seen).toEqual([['over', 'state']]);
  });

  test('is only asked: a system message does not end the timeout of a server, it starts it anew', async () => {
    const ticks: unknown[] = [];
    const server: gen_server.Behaviour<number> = {
      init: () => ['ok', 0, 15],
      handle_info(message, n) {
        ticks.push(message);
        return ['noreply', n];
      },
    };
    await run(async (self) => {
      const pid = ok(await gen_server.start_link(self, server, undefined));
      await sys.get_state(self, pid);
      await self.receive(undefined, { after: 60 });
    });
    expect(ticks).toEqual(['timeout']);
  });
});

describe('trace', () => {
  test('prints every event, from when it is switched on until it is off', async () => {
    await run(async (self) => {
      const pid = ok(await gen_server.start_link(self, counter, 1, { name: 'counter' }));
      await gen_server.call(self, pid, 'get');
      expect(await sys.trace(self, pid, true)).toBe('ok');
      await gen_server.call(self, pid, ['add', 1]);
      gen_server.cast(self, pid, ['noreply', 5]);
      self.send(pid, ['hello', 1]);
      gen_server.cast(self, pid, ['noreply', 5, ['continue', 'go']]);
      await sys.get_state(self, pid);
      expect(await sys.trace(self, pid, false)).toBe('ok');
      await gen_server.call(self, pid, 'get');
      expect(printed).toEqual([
        `*DBG* counter got call [ 'add', 1 ] from ${self.pid}`,
        `*DBG* counter sent ok to ${self.pid}, new state 2`,
        "*DBG* counter got cast [ 'noreply', 5 ]",
        '*DBG* counter new state 5',
        "*DBG* counter got [ 'hello', 1 ]",
        '*DBG* counter new state 5',
        "*DBG* counter got cast [ 'noreply', 5, [ 'continue', 'go' ] ]",
        '*DBG* counter new state 5',
        '*DBG* counter goes on with go',
        '*DBG* counter new state 105',
      ]);
    });
  });

  test('is an option of a start, and sees the last reply', async () => {
    const stopping: gen_server.Behaviour<number> = {
      init: () => ['ok', 1],
      handle_call: () => ['stop', 'normal', 'bye', 2],
    };
    await run(async (self) => {
      const pid = ok(await gen_server.start(self, stopping, undefined, { debug: ['trace'] }));
      await gen_server.call(self, pid, 'end');
      expect(printed).toEqual([
        `*DBG* ${pid} got call end from ${self.pid}`,
        `*DBG* ${pid} sent bye to ${self.pid}, new state 2`,
      ]);
    });
  });
});

describe('log', () => {
  test('keeps the last events, and prints them when asked', async () => {
    await run(async (self) => {
      const pid = ok(await gen_server.start_link(self, counter, 1));
      expect(await sys.log(self, pid, 'get')).toEqual(['ok', list()]);
      expect(await sys.log(self, pid, [true, 3])).toBe('ok');
      for (const n of [1, 2]) gen_server.cast(self, pid, ['noreply', n]);
      expect(await sys.log(self, pid, 'get')).toEqual([
        'ok',
        list(['noreply', 1], ['in', ['$gen_cast', ['noreply', 2]]], ['noreply', 2]),
      ]);
      expect(await sys.log(self, pid, [true, 1])).toBe('ok');
      expect(printed).toEqual([]);
      expect(await sys.log(self, pid, 'print')).toBe('ok');
      expect(printed).toEqual([`*DBG* ${pid} new state 2`]);
      expect(await sys.log(self, pid, false)).toBe('ok');
      expect(await sys.log(self, pid, 'get')).toEqual(['ok', list()]);
    });
  });

  test.each([
    ['log', 10],
    [['log', 4], 4],
  ] as const)('is an option of a start: %p', async (option, limit) => {
    await run(async (self) => {
      const pid = ok(await gen_server.start_link(self, counter, 1, { debug: [option] }));
      for (let n = 0; n < 20; n++) gen_server.cast(self, pid, ['noreply', n]);
      const [, events] = await sys.log(self, pid, 'get');
      expect(events).toHaveLength(limit);
      expect(events.at(-1)).toEqual(['noreply', 19]);
    });
  });
});

test('statistics count messages', async () => {
  await run(async (self) => {
    const pid = ok(await gen_server.start_link(self, counter, 1));
    expect(await sys.statistics(self, pid, 'get')).toEqual(['ok', 'no_statistics']);
    expect(await sys.statistics(self, pid, true)).toBe('ok');
    for (let i = 0; i < 3; i++) await gen_server.call(self, pid, 'get');
    gen_server.cast(self, pid, ['noreply', 2]);
    const time = [expect.any(Array), expect.any(Array)];
    expect(await sys.statistics(self, pid, 'get')).toEqual([
      'ok',
      list<unknown>(['start_time', time], ['current_time', time], ['messages_in', 4], ['messages_out', 3]),
    ]);
    expect(await sys.statistics(self, pid, false)).toBe('ok');
    expect(await sys.statistics(self, pid, 'get')).toEqual(['ok', 'no_statistics']);
  });
});

test('what is no request of sys is answered so', async () => {
  await run(async (self) => {
    const pid = ok(await gen_server.start_link(self, counter, 1));
    for (const [request, answer] of [
      ['what', ['error', ['unknown_system_msg', 'what']]],
      [['debug', 'what'], 'unknown_debug'],
      [['debug', ['log', [true, -1]]], 'unknown_debug'],
      [['debug', ['trace', 'maybe']], 'unknown_debug'],
    ]) {
      self.send(pid, ['system', [self.pid, 'tag'], request]);
      expect(await self.receive()).toEqual(['tag', answer]);
    }
    expect(await gen_server.call(self, pid, 'get')).toBe(1);
  });
});

const CLIENTS: Record<string, (self: Process, server: Pid | string, timeout?: number) => Promise<unknown>> = {
  get_state: (self, server, timeout) => sys.get_state(self, server, timeout),
  get_status: (self, server, timeout) => sys.get_status(self, server, timeout),
  suspend: (self, server, timeout) => sys.suspend(self, server, timeout),
  resume: (self, server, timeout) => sys.resume(self, server, timeout),
};

test.each(Object.keys(CLIENTS))('%s exits its caller where there is no answer', async (name) => {
  const client = CLIENTS[name] as (typeof CLIENTS)[string];
  await run(async (self) => {
    expect(await exitOf(() => client(self, 'nobody'))).toEqual(['noproc', ['sys', name, list('nobody')]]);
    const deaf = self.spawn((child) => child.receive((m): m is never => m === 'never'));
    expect(await exitOf(() => client(self, deaf, 1))).toEqual([
      'timeout',
      ['sys', name, list<unknown>(deaf, 1)],
    ]);
    expect(await exitOf(() => client(self, self.pid))).toEqual([
      'calling_self',
      ['sys', name, list(self.pid)],
    ]);
  });
});

function run<T>(body: (self: Process) => T): Promise<Awaited<T>> {
  return runProcess(runtime, body);
}
