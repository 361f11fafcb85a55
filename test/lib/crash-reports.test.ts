/** What a behaviour's crash tells: what it was doing, and what it lacks. */
import type { Crash } from '#actors/crash';
import { ErlangError } from '#actors/errors';
import type { Pid } from '#actors/identifiers';
import type { Process } from '#actors/process';
import { Runtime } from '#actors/runtime';
import { list } from '#actors/term';
import * as gen_server from '#lib/gen-server';
import * as gen_statem from '#lib/gen-statem';
import * as proc_lib from '#lib/proc-lib';
import * as supervisor from '#lib/supervisor';
import { exitOf } from '../support/exit-of';
import { runProcess } from '../support/run-process';

type Server = gen_server.Behaviour<unknown, gen_server.Call, unknown, unknown, Process>;
type Tell = (self: Process, pid: Pid) => unknown;

let runtime: Runtime;
let crashes: Crash[];
beforeEach(() => {
  crashes = [];
  runtime = new Runtime({ onCrash: (crash) => crashes.push(crash) });
});
afterEach(() => runtime.stop());

const init = (): ['ok', string] => ['ok', 'state'];
const what = (() => 'what') as never;
function fail(): never {
  throw new TypeError('broken');
}
const call: Tell = (self, pid) => exitOf(() => gen_server.call(self, pid, ['get', 1]));
const cast: Tell = (self, pid) => gen_server.cast(self, pid, 'push');
const send: Tell = (self, pid) => self.send(pid, 'hello');
const nothing: Tell = () => {};

/** Starts it, tells it something that it crashes of, and answers the crash. */
async function crashOf(start: (self: Process) => Promise<unknown>, tell: Tell): Promise<Crash> {
  await runProcess(runtime, async (self) => {
    const [, pid] = (await start(self)) as ['ok', Pid];
    await tell(self, pid);
    const ref = self.monitor('process', pid);
    await self.receive((message) => Array.isArray(message) && message[1] === ref);
  });
  expect(crashes).toHaveLength(1);
  return crashes[0]!;
}

describe('a gen_server', () => {
  test.each<[string, Partial<Server>, Tell, lastMessage: unknown, text: string]>([
    [
      'handle_call',
      {},
      call,
      ['call', ['get', 1], expect.anything()],
      "undef: the gen_server has no handle_call; the request was [ 'get', 1 ]\n",
    ],
    [
      'handle_cast',
      {},
      cast,
      ['cast', 'push'],
      "undef: the gen_server has no handle_cast; the cast was 'push'\n",
    ],
    [
      'handle_continue',
      { init: () => ['ok', 1, ['continue', 'x']] },
      nothing,
      ['continue', 'x'],
      "undef: the gen_server has no handle_continue, for 'x'\n",
    ],
    [
      'a right answer to a call',
      { handle_call: what },
      call,
      ['call', ['get', 1], expect.anything()],
      "bad_return_value: handle_call has answered 'what'\n",
    ],
    [
      'a right answer to a cast',
      { handle_cast: what },
      cast,
      ['cast', 'push'],
      "bad_return_value: handle_cast has answered 'what'\n",
    ],
    [
      'a right answer to a message',
      { handle_info: what },
      send,
      ['info', 'hello'],
      "bad_return_value: handle_info has answered 'what'\n",
    ],
    [
      'a right answer to a continue',
      { init: () => ['ok', 1, ['continue', 'x']], handle_continue: what },
      nothing,
      ['continue', 'x'],
      "bad_return_value: handle_continue has answered 'what'\n",
    ],
    ['what is no error', { handle_cast: fail }, cast, ['cast', 'push'], 'TypeError: broken\n'],
  ])('without %s says so, and its last message', async (_, callbacks, tell, lastMessage, text) => {
    const server: Server = { init, ...callbacks };
    const crash = await crashOf((self) => gen_server.start(self, server, 0, { name: 'db' }), tell);
    expect(crash).toMatchObject({ kind: 'crash', name: 'db', lastMessage, state: undefined });
    expect(`${crash}`).toContain(text);
    expect(`${crash}`).toMatch(/\n {4}its last message: \[ '(call|cast|info|continue)', .*\]$/);
  });

  test.each<[string, unknown, string]>([
    ['undefined', undefined, 'undef: the gen_server undefined has no init'],
    ['without init', {}, 'undef: the gen_server {} has no init'],
    ['whose init answers nonsense', { init: what }, "bad_return_value: init has answered 'what'"],
  ])('%s does not start, and says so', async (_, behaviour, text) => {
    await runProcess(runtime, async (self) => {
      const start = gen_server.start(self, behaviour as Server, 0, { name: 'db' });
      expect((await start)[0]).toBe('error');
    });
    expect(crashes).toMatchObject([{ name: 'db', lastMessage: undefined }]);
    expect(`${crashes[0]}`).toContain(text);
  });

  test('has in its crash also a name that a registry keeps', async () => {
    const registry: gen_server.Registry = {
      register_name: () => 'yes',
      unregister_name: () => 'ok',
      whereis_name: () => 'undefined',
      send: () => 'ok',
    };
    const name = ['via', registry, ['room', 7]] as const;
    const crash = await crashOf((self) => gen_server.start(self, { init } as Server, 0, { name }), cast);
    expect(crash.name).toBe("[ 'room', 7 ]");
  });

  test('shows of a long message only the beginning', async () => {
    const tell: Tell = (self, pid) => gen_server.cast(self, pid, Buffer.alloc(9000, 'x'));
    const crash = await crashOf((self) => gen_server.start(self, { init } as Server, 0), tell);
    expect(`${crash}`.length).toBeLessThan(2500);
    expect(`${crash}`).toMatch(/x\.\.\.$/);
  });
});

describe('a gen_statem', () => {
  const lost = { init: () => ['ok', 'b', 'data'], states: {} } as never;
  const deaf = { init: () => ['ok', ['b', 1], 'data'] } as never;
  test.each<[string, never, unknown, string]>([
    [
      'a function for its state',
      lost,
      'b',
      "undef: the gen_statem has no function for state 'b'; the event was [ 'cast', 'push' ]\n",
    ],
    [
      'handle_event',
      deaf,
      ['b', 1],
      "undef: the gen_statem has no handle_event; the event was [ 'cast', 'push' ]\n",
    ],
  ])('without %s says so, its last event and its state', async (_, machine, state, text) => {
    const crash = await crashOf((self) => gen_statem.start(self, machine, 0 as never), cast);
    expect(crash).toMatchObject({ lastMessage: ['cast', 'push'], state });
    expect(`${crash}`).toContain(text);
    expect(`${crash}`).toMatch(/\n {4}its last message: \[ 'cast', 'push' \]\n {4}its state: .*'b'.*$/);
  });

  test('tells of a call whose it was', async () => {
    const crash = await crashOf((self) => gen_statem.start(self, lost, 0 as never), call);
    expect(crash.lastMessage).toEqual(['call', ['get', 1], expect.anything()]);
  });

  test('without init does not start', async () => {
    await runProcess(runtime, (self) => gen_statem.start(self, {} as never, 0 as never));
    expect(`${crashes[0]}`).toContain('undef: the gen_statem {} has no init');
  });
});

describe('what cannot be started is refused', () => {
  test('a supervisor without init', async () => {
    await runProcess(runtime, (self) => {
      self.process_flag('trap_exit', true);
      return supervisor.start_link(self, undefined as never, 0);
    });
    expect(`${crashes[0]}`).toContain('undef: the supervisor undefined has no init');
  });

  test.each(['start', 'start_link', 'start_monitor'])('with an unknown option: %s', async (start) => {
    await runProcess(runtime, async (self) => {
      const server = { init };
      const ways: [module: unknown, args: unknown[]][] = [
        [gen_server, [server, 0]],
        [gen_statem, [server, 0]],
        [proc_lib, [() => {}]],
      ];
      for (const [module, args] of ways) {
        const functions = module as Record<string, (...args: unknown[]) => Promise<unknown>>;
        const refused = functions[start]!(self, ...args, { namee: 'x' });
        await expect(refused).rejects.toThrow(
          new ErlangError('badarg', 'badarg: namee is no option of a start'),
        );
      }
      expect(self.processes()).toEqual(list(self.pid));
    });
  });

  test.each<[string, object, object, unknown]>([
    [
      'key of a specification',
      {},
      { id: 1, start: fail, restartt: 'never' },
      ['start_spec', ['unknown_key', 'restartt']],
    ],
    ['flag', { intensityy: 3 }, { id: 1, start: fail }, ['supervisor_data', ['unknown_key', 'intensityy']]],
  ])('with an unknown %s', async (_, flags, spec, reason) => {
    await runProcess(runtime, async (self) => {
      self.process_flag('trap_exit', true);
      const tree = { init: () => ['ok', [flags, [spec]]] } as never;
      expect(await supervisor.start_link(self, tree, 0)).toEqual(['error', reason]);
    });
  });
});

test('processes of proc_lib know what started them, and what they are', async () => {
  await runProcess(runtime, async (self) => {
    self.register('top', self.pid);
    const child = async (parent: Process): Promise<unknown> => {
      const [, pid] = (await gen_server.start(parent, { init } as Server, 0)) as ['ok', Pid];
      return self.process_info(pid, 'dictionary');
    };
    const [, pid] = (await proc_lib.start<Process, ['ok', Pid]>(self, async function worker(it) {
      it.put('child', await child(it));
      proc_lib.init_ack(it, ['ok', it.pid]);
      await it.receive();
    })) as ['ok', Pid];
    const dictionary = new Map((self.process_info(pid, 'dictionary') as [string, [unknown, unknown][]])[1]);
    expect(dictionary.get('$ancestors')).toEqual(list('top'));
    expect(dictionary.get('$initial_call')).toEqual(['proc_lib', 'worker', 1]);
    expect(dictionary.get('child')).toEqual([
      'dictionary',
      list(['$ancestors', list<unknown>(pid, 'top')], ['$initial_call', ['gen_server', 'init', 1]]),
    ]);
    const trees: [unknown, unknown][] = [];
    const tree = {
      init(_: unknown, own: Process) {
        trees.push(...own.get());
        return 'ignore';
      },
    } as never;
    await supervisor.start_link(self, tree, 0);
    expect(trees).toContainEqual(['$initial_call', ['supervisor', 'init', 1]]);
  });
});
