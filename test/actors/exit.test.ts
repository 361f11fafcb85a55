import type { Crash } from '#actors/crash';
import { ErlangError, ErlangExit, ErlangThrow, exitReason, ProcessExit } from '#actors/errors';
import type { Pid } from '#actors/identifiers';
import { Process } from '#actors/process';
import { Runtime } from '#actors/runtime';
import { isList, isTuple, type List, list } from '#actors/term';

let runtime: Runtime;
let crashes: Crash[];
const rejections: unknown[] = [];

beforeAll(() => {
  process.on('unhandledRejection', (reason) => rejections.push(reason));
});
beforeEach(() => {
  crashes = [];
  runtime = new Runtime({ onCrash: (crash) => crashes.push(crash) });
});
afterEach(async () => {
  runtime.stop();
  await turn();
  expect(rejections).toEqual([]);
});

/** What the manual says happens to a process. */
function fateOf(
  way: string,
  reason: unknown,
  traps: boolean,
): 'lives' | ['gets', unknown] | ['dies', unknown] {
  if (way === 'exit/2 by itself' && reason === 'normal' && !traps) return ['dies', 'normal'];
  if (way.startsWith('exit/2') && reason === 'kill') return ['dies', 'killed'];
  if (way === 'link, unlinked') return 'lives';
  if (traps) return ['gets', reason];
  return reason === 'normal' ? 'lives' : ['dies', reason];
}

describe.each([false, true])('trap_exit %s', (traps) => {
  describe.each(['link', 'link, unlinked', 'exit/2', 'exit/2 by a linked process', 'exit/2 by itself'])(
    '%s',
    (way) => {
      test.each(['normal', 'kill', 'killed', 'shutdown', 'boom', ['any', 'term'], list()])(
        'reason %p',
        async (reason) => {
          const messages: unknown[] = [];
          const target = runtime.spawn(async (self) => {
            self.process_flag('trap_exit', traps);
            for (;;) {
              const message = await self.receive();
              if (message === 'exit') self.exit(self.pid, reason);
              else messages.push(message);
            }
          });
          const down = downOf(target);
          await turn();
          const other = runtime.spawn((self) => {
            if (way !== 'exit/2' && way !== 'exit/2 by itself') self.link(target);
            if (way === 'link, unlinked') self.unlink(target);
            if (way === 'exit/2 by itself') self.send(target, 'exit');
            else if (way.startsWith('exit/2')) {
              // Unlinked again, so that its own end adds nothing.
              self.exit(target, reason);
              self.unlink(target);
            } else self.exit(reason);
          });
          await turn();
          const sender = way === 'exit/2 by itself' ? target : other;
          const fate = fateOf(way, reason, traps);
          expect(down.reason).toEqual(fate[0] === 'dies' ? [fate[1]] : []);
          expect(messages).toEqual(fate[0] === 'gets' ? [['EXIT', sender, reason]] : []);
        },
      );
    },
  );
});

describe('the reason of an uncaught', () => {
  const oddity = Object.assign(new Error('no such file'), { code: 'ENOENT' });
  test.each([
    ['ErlangExit', new ErlangExit(['a', 1]), ['a', 1], false],
    ['ErlangError', new ErlangError('badarg'), ['badarg', 'stack'], true],
    ['ErlangThrow', new ErlangThrow(7), [['nocatch', 7], 'stack'], true],
    ['thrown value', 'oops', [['nocatch', 'oops'], list()], true],
    ['TypeError', new TypeError('x is not'), [['TypeError', Buffer.from('x is not')], 'stack'], true],
    ['Error with a code', oddity, [['ENOENT', Buffer.from('no such file')], 'stack'], true],
  ])('%s', async (_, thrown, expected, isReported) => {
    const pid = runtime.spawn(async (self) => {
      await self.receive();
      throw thrown;
    });
    const down = downOf(pid);
    await turn();
    runtime.send(pid, 'go');
    await turn();
    const [reason] = down.reason;
    const shown = isTuple(reason) && isStack(reason[1]) ? [reason[0], 'stack'] : reason;
    expect(shown).toEqual(expected);
    expect(crashes).toEqual(isReported ? [{ pid, name: undefined, reason, thrown }] : []);
  });

  test('names the place in an Erlang stack trace', () => {
    const [, stack] = exitReason(new ErlangError('here')) as [string, List<[string, string, number, List]>];
    const [module, , , place] = stack[0]!;
    expect(module).toBe('exit.test');
    expect(place[0]).toEqual(['file', Buffer.from(__filename)]);
    expect(place[1]).toEqual(['line', expect.any(Number)]);
  });
});

describe('the program of a dead process', () => {
  test('runs its finally blocks when it waits in receive', async () => {
    const seen: unknown[] = [];
    const pid = runtime.spawn(async (self) => {
      try {
        await self.receive();
      } finally {
        seen.push('finally');
        try {
          self.send(self.pid, 'x');
        } catch (error) {
          seen.push(error);
        }
      }
    });
    await turn();
    kill(pid, 'boom');
    expect(seen).toEqual([]);
    await turn();
    expect(seen).toEqual(['finally', expect.any(ProcessExit)]);
    expect((seen[1] as ProcessExit).reason).toBe('boom');
  });

  test('stops at its next call of self when it awaits something foreign', async () => {
    const seen: string[] = [];
    let goOn = () => {};
    const foreign = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const pid = runtime.spawn(async (self) => {
      self.register('busy', self.pid);
      await foreign;
      seen.push('after');
      self.register('again', self.pid);
      seen.push('never');
    });
    await turn();
    kill(pid, 'kill');
    expect([runtime.whereis('busy'), runtime.processes().includes(pid)]).toEqual([undefined, false]);
    goOn();
    await turn();
    expect(seen).toEqual(['after']);
    expect(runtime.whereis('again')).toBeUndefined();
  });

  test('does not begin when it is killed before', async () => {
    let ran = false;
    const pid = runtime.spawn(() => {
      ran = true;
    });
    kill(pid, 'boom');
    await turn();
    expect(ran).toBe(false);
  });

  test('cannot save itself by catching, and its outcome does not count', async () => {
    const pid = runtime.spawn(async (self) => {
      for (;;) {
        try {
          await self.receive();
        } catch {
          throw new Error('something else');
        }
      }
    });
    const down = downOf(pid);
    await turn();
    kill(pid, 'boom');
    await turn();
    expect(down.reason).toEqual(['boom']);
    expect(crashes).toEqual([]);
  });

  test('may have left a receive behind', async () => {
    const pid = runtime.spawn((self) => {
      void self.receive();
    });
    await turn();
    expect(runtime.processes()).not.toContain(pid);
  });

  test('is stopped in what it is suspended in', async () => {
    const seen: unknown[] = [];
    const pid = runtime.spawn(async (self) => {
      try {
        await self.suspend<number>().promise;
      } catch (error) {
        seen.push(error);
        throw error;
      }
    });
    await turn();
    kill(pid, 'boom');
    await turn();
    expect(seen).toEqual([expect.any(ProcessExit)]);
  });

  test('has each of its functions raise ProcessExit', async () => {
    let zombie!: Process;
    const pid = runtime.spawn((self) => {
      zombie = self;
    });
    await turn();
    const names = [Process, Object.getPrototypeOf(Process)]
      .flatMap(({ prototype }) => Object.getOwnPropertyNames(prototype))
      .filter((name) => /^[a-z_]+$/.test(name));
    expect(names.length).toBeGreaterThan(30);
    for (const name of names) {
      if (name === 'constructor') continue;
      const call = zombie[name as keyof Process] as (...args: unknown[]) => unknown;
      expect(() => call.call(zombie, pid, 'x', [])).toThrow(ProcessExit);
    }
  });
});

describe('a death is known at once', () => {
  test('a chain of links longer than the stack is deep', async () => {
    const LENGTH = 50_000;
    let last: Pid | undefined;
    const first = runtime.spawn((self) => self.receive());
    for (let i = 1, previous: Pid = first; i < LENGTH; i++, previous = last) {
      const next: Pid = previous;
      last = runtime.spawn((self) => {
        self.link(next);
        return self.receive();
      });
    }
    const { receiver } = last as Pid;
    while ((receiver as Process).links === undefined) await turn();
    kill(last!, 'boom');
    expect(runtime.processes().length).toBe(0);
  });

  test('the name is free, then links and monitors hear of it', async () => {
    const seen: unknown[] = [];
    const pid = runtime.spawn((self) => {
      self.register('it', self.pid);
      return self.receive();
    });
    runtime.spawn(async (self) => {
      self.process_flag('trap_exit', true);
      self.link(pid);
      const ref = self.monitor('process', pid);
      self.exit(pid, 'boom');
      seen.push(self.whereis('it'), self.is_process_alive(pid));
      seen.push([await self.receive(), await self.receive()]);
      seen.push(self.process_info(self.pid, 'links'), self.process_info(self.pid, 'monitors'));
      seen.push(ref);
    });
    await turn();
    const ref = seen.pop();
    expect(seen).toEqual([
      'undefined',
      false,
      [
        ['EXIT', pid, 'boom'],
        ['DOWN', ref, 'process', pid, 'boom'],
      ],
      ['links', list()],
      ['monitors', list()],
    ]);
  });
});

test('a crash is printed once, readably', async () => {
  const write = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  const printing = new Runtime();
  try {
    printing.spawn((self) => {
      self.register('worker', self.pid);
      throw new TypeError('of some kind');
    });
    await turn();
    expect(write).toHaveBeenCalledTimes(1);
    expect(write.mock.calls[0]?.[0]).toMatch(
      /^Error in process <0\.1\.0> \(worker\) at .*exit\.test\.ts:\d+:\d+: TypeError: of some kind\n {4}at .*exit\.test/,
    );
  } finally {
    write.mockRestore();
    printing.stop();
  }
});

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

function downOf(pid: Pid): { reason: unknown[] } {
  const down: { reason: unknown[] } = { reason: [] };
  runtime.spawn(async (self) => {
    const ref = self.monitor('process', pid);
    const message = (await self.receive((m) => isTuple(m) && m[1] === ref)) as unknown[];
    down.reason.push(message[4]);
  });
  return down;
}

/** From outside of any process. */
function kill(pid: Pid, reason: unknown): void {
  pid.receiver?.signal({ type: 'exit', from: pid, reason, linked: false });
}

function isStack(term: unknown): boolean {
  return isList(term) && term.length > 0;
}
