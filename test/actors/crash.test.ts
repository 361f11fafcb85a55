import type { Crash } from '#actors/crash';
import { ErlangError, ErlangExit } from '#actors/errors';
import type { Process } from '#actors/process';
import { Runtime } from '#actors/runtime';
import { isList, isTuple, list } from '#actors/term';
import * as gen_server from '#lib/gen-server';
import { run } from '../support/run';

let runtime: Runtime;
let crashes: Crash[];

beforeEach(() => {
  crashes = [];
  runtime = new Runtime({ onCrash: (crash) => crashes.push(crash) });
});
afterEach(() => runtime.stop());

function fail(): never {
  throw new TypeError('of some kind');
}

const STACK = 'a stack trace';
const FAILED = [['TypeError', Buffer.from('of some kind')], STACK];

/** Ways to end, whether Erlang would report them, and the reasons. */
const WAYS: [string, (self: Process) => unknown, isReported: boolean, reason: unknown][] = [
  ['an Error', fail, true, FAILED],
  ['an Error in a promise', async () => fail(), true, FAILED],
  [
    'an Error of Node in a promise',
    () => import('node:fs/promises').then((fs) => fs.readFile('/nowhere')),
    true,
    [['ENOENT', Buffer.from("ENOENT: no such file or directory, open '/nowhere'")], STACK],
  ],
  ['an ErlangError', (self) => self.error(['bad', 1]), true, [['bad', 1], STACK]],
  ['a function of Erlang', (self) => self.link(1 as never), true, ['badarg', STACK]],
  ['a throw', (self) => self.throw('x'), true, [['nocatch', 'x'], STACK]],
  ['a value that is no Error', () => Promise.reject('x'), true, [['nocatch', 'x'], list()]],
  ['exit/1', (self) => self.exit('boom'), false, 'boom'],
  ['exit/1 with shutdown', (self) => self.exit('shutdown'), false, 'shutdown'],
  ['exit/2 on itself', (self) => self.exit(self.pid, 'boom'), false, 'boom'],
  [
    'a linked child that crashes',
    (self) => {
      self.spawn_link(fail);
      return self.receive();
    },
    true,
    FAILED,
  ],
];

describe('who ends by', () => {
  test.each(WAYS)('%s', async (_, end, isReported, reason) => {
    const down = await downOf((self) => end(self));
    expect(shown(down)).toEqual(reason);
    expect(crashes.map((crash) => shown(crash.reason))).toEqual(isReported ? [reason] : []);
  });

  test.each([
    [
      'an Error whose stack is no text',
      Object.assign(new Error('odd'), { stack: [] }),
      [['Error', Buffer.from('odd')], list()],
    ],
    [
      'an Error without a message',
      Object.assign(new Error(), { message: undefined }),
      [['Error', Buffer.from('undefined')], STACK],
    ],
    ['nothing', undefined, [['nocatch', undefined], list()]],
  ])('%s', async (_, thrown, reason) => {
    expect(shown(await downOf(() => Promise.reject(thrown)))).toEqual(reason);
    expect(`${crashes[0]}`).toMatch(/^Error in process /);
  });

  test('an error that cannot even be looked at', async () => {
    const thrown = new Error('odd');
    for (const property of ['stack', 'message']) Object.defineProperty(thrown, property, { get: fail });
    // Jest, too, would look at it.
    const reason = (await downOf(() => Promise.reject(thrown))) as [[string, unknown], unknown];
    expect([reason[0][0], reason[0][1] === thrown]).toEqual(['nocatch', true]);
    expect(`${crashes[0]}`).toMatch(/^Error in process .*: what cannot be shown$/);
  });

  test('an error in its finally, after it was killed: nobody hears of that', async () => {
    const down = await downOf(async (self) => {
      self.send_after(1, self.pid, 'never received');
      self.spawn((s) => s.exit(self.pid, 'kill'));
      try {
        await self.receive(() => false);
      } finally {
        fail();
      }
    });
    expect(down).toBe('killed');
    expect(crashes).toEqual([]);
  });
});

describe('a gen_server', () => {
  const server: gen_server.Behaviour<undefined> = {
    init: () => ['ok', undefined],
    handle_call: (request) => {
      if (request === 'exit') throw new ErlangExit('boom');
      if (request === 'shutdown') throw new ErlangExit('shutdown');
      return fail();
    },
  };

  test.each([
    ['fail', 1],
    ['exit', 1],
    ['shutdown', 0],
  ])('that ends by %s is reported %i times, with its name, and its caller not', async (request, times) => {
    await new Promise<void>((resolve) => {
      runtime.spawn(async (self) => {
        await gen_server.start(self, server, undefined, { name: 'server' });
        await Promise.resolve(gen_server.call(self, 'server', request)).catch(() => {});
        resolve();
      });
    });
    expect(crashes.map(({ name }) => name)).toEqual(Array(times).fill('server'));
  });
});

describe('its report', () => {
  test('names process, name, and the place in the program, not in this package', async () => {
    await downOf((self) => {
      self.register('worker', self.pid);
      self.link('nobody' as never);
    });
    const [crash] = crashes;
    expect(crash?.position).toMatch(/^\/.*crash\.test\.ts:\d+:\d+$/);
    expect(`${crash}`).toMatch(
      new RegExp(
        `^Error in process ${crash?.pid} \\(worker\\) at ${crash?.position}: ErlangError: badarg: 'nobody' is no pid and no port\n`,
      ),
    );
    expect(`${crash}`).not.toMatch(/node:internal|actors\/actor\./);
  });

  test('tells the cause of an error, and what the system said', async () => {
    await downOf(() => {
      throw new Error('outer', { cause: Object.assign(new Error('inner'), { errno: -2 }) });
    });
    expect(`${crashes[0]}`).toMatch(/Error: outer\n[\s\S]*\[cause\]: Error: inner\n[\s\S]*errno: -2/);
  });

  test('shows a value that was thrown, whose place nobody knows', async () => {
    await downOf(() => Promise.reject(['x', 1]));
    expect(crashes[0]?.position).toBeUndefined();
    expect(`${crashes[0]}`).toBe(`Error in process ${crashes[0]?.pid}: threw [ 'x', 1 ], which is no Error`);
    await downOf(() => Promise.reject('str'));
    expect(`${crashes[1]}`).toMatch(/: threw 'str', which is no Error$/);
  });

  test('is printed when its listener raises an error, which is an uncaught exception', async () => {
    const program = `
      const { Runtime } = require(process.argv[1]);
      process.on('uncaughtException', (error) => console.log('uncaught', error.message));
      const runtime = new Runtime({ onCrash: () => { throw new Error('in the listener'); } });
      runtime.spawn(() => { throw new Error('original'); });
      runtime.spawn(() => console.log('the next runs'));`;
    const { status, stdout, stderr } = await run(process.execPath, [
      '-e',
      program,
      require.resolve('#actors/runtime'),
    ]);
    expect([status, stdout]).toEqual([0, 'the next runs\nuncaught in the listener\n']);
    expect(stderr).toMatch(/^Error in process <0\.1\.0>: Error: original\n/);
  });

  test('is of one who is known no more', async () => {
    let known: unknown;
    runtime = new Runtime({ onCrash: ({ pid }) => (known = runtime.processes().includes(pid)) });
    await downOf(() => {
      throw new ErlangError('x');
    });
    expect(known).toBe(false);
  });
});

function downOf(body: (self: Process) => unknown): Promise<unknown> {
  return new Promise((resolve) => {
    runtime.spawn(async (self) => {
      const [, ref] = self.spawn_monitor(body);
      const down = (await self.receive((m) => isTuple(m) && m[1] === ref)) as unknown[];
      // What is reported is so before this goes on: reports come with the end.
      await self.receive(() => false, { after: 1 });
      resolve(down[4]);
    });
  });
}

function shown(reason: unknown): unknown {
  if (!isTuple(reason) || !isList(reason[1]) || reason[1].length === 0) return reason;
  return [reason[0], STACK];
}
