/** What all behaviours share, shown by gen_server: names, starts, and who can be reached how. */
import { Pid } from '#actors/identifiers';
import type { Process } from '#actors/process';
import { Runtime } from '#actors/runtime';
import { list } from '#actors/term';
import * as gen_server from '#lib/gen-server';
import { ok } from '#lib/result';
import * as sys from '#lib/sys';
import { endOf, exitOf } from '../support/exit-of';
import { runProcess } from '../support/run-process';

let runtime: Runtime;
beforeEach(() => {
  runtime = new Runtime({ onCrash: () => {} });
});
afterEach(() => runtime.stop());

type Calls = ['get', number] | ['never', never];
const server: gen_server.Behaviour<number, Calls, number, number | 'fail'> = {
  init: (n) => (n === 'fail' ? ['stop', 'failed'] : ['ok', n]),
  handle_call: (request, _, n) => (request === 'get' ? ['reply', n, n] : ['noreply', n]),
  handle_cast: (n) => ['noreply', n],
};

/** As a module for `{via, Module, Name}`: names are any terms, and compared by what they print. */
class Phonebook implements gen_server.Registry {
  readonly pids = new Map<string, Pid>();

  async register_name(name: unknown, pid: Pid): Promise<'yes' | 'no'> {
    if (this.pids.has(String(name))) return 'no';
    this.pids.set(String(name), pid);
    return 'yes';
  }

  unregister_name(name: unknown): void {
    this.pids.delete(String(name));
  }

  whereis_name(name: unknown): Pid | 'undefined' {
    const pid = this.pids.get(String(name));
    return pid?.receiver === undefined ? 'undefined' : pid;
  }

  send(name: unknown, message: unknown, self: Process): unknown {
    return self.send(this.whereis_name(name) as Pid, message);
  }
}

interface Naming {
  readonly kind: string;
  readonly name: gen_server.ServerName;
  /** What reaches a server of that name. */
  refs(self: Process): (string | readonly [string, string] | gen_server.Via)[];
  readonly shown: unknown;
}

function namings(): Naming[] {
  const via: gen_server.Via = ['via', new Phonebook(), ['room', 7]];
  const local = (self: Process) => ['it', ['it', self.node()] as const];
  return [
    { kind: 'an atom', name: 'it', refs: local, shown: 'it' },
    { kind: '{local, Name}', name: ['local', 'it'], refs: local, shown: 'it' },
    { kind: '{via, Registry, Name}', name: via, refs: () => [via], shown: ['room', 7] },
  ];
}

const STARTS = [
  ['start', gen_server.start],
  ['start_link', gen_server.start_link],
  ['start_monitor', gen_server.start_monitor],
] as const;

describe.each(namings().map(({ kind }, i) => [kind, i] as const))('a server named by %s', (_, index) => {
  let naming: Naming;
  beforeEach(() => {
    naming = namings()[index] as Naming;
  });

  test.each(STARTS)('is reached by its names: %s', async (_, start) => {
    await run(async (self) => {
      ok(await start(self, server, 1, { name: naming.name }));
      for (const ref of naming.refs(self)) {
        expect(gen_server.cast(self, ref, 2)).toBe('ok');
        expect(await gen_server.call(self, ref as gen_server.ServerRef<Calls>, 'get')).toBe(2);
        const id = gen_server.send_request(self, ref as gen_server.ServerRef<Calls>, 'get');
        expect(await gen_server.receive_response(self, id)).toEqual(['reply', 2]);
        expect(await sys.get_state(self, ref)).toBe(2);
      }
      const [last] = naming.refs(self);
      expect(await gen_server.stop(self, last as gen_server.ServerRef)).toBe('ok');
      expect(await exitOf(() => gen_server.stop(self, last as gen_server.ServerRef))).toBe('noproc');
    });
  });

  test.each(STARTS)('has its name alone: %s', async (_, start) => {
    await run(async (self) => {
      const pid = ok(await gen_server.start(self, server, 1, { name: naming.name }));
      const before = self.processes().length;
      expect(await start(self, server, 2, { name: naming.name })).toEqual([
        'error',
        ['already_started', pid],
      ]);
      // The name is looked up before anything is started.
      expect(self.processes().length).toBe(before);
    });
  });

  test('loses a race for the name to who was first', async () => {
    await run(async (self) => {
      const results = await Promise.all(
        [1, 2, 3].map(() =>
          runProcess(runtime, (s) => gen_server.start(s, server, 1, { name: naming.name })),
        ),
      );
      const winners = results.filter((result) => result[0] === 'ok');
      expect(winners).toHaveLength(1);
      const pid = ok(winners[0]);
      expect(results.filter((result) => result[0] === 'error')).toEqual([
        ['error', ['already_started', pid]],
        ['error', ['already_started', pid]],
      ]);
      expect(self.is_process_alive(pid as Pid)).toBe(true);
    });
  });

  test('gives its name back when it fails to start', async () => {
    await run(async (self) => {
      expect(await gen_server.start(self, server, 'fail', { name: naming.name })).toEqual([
        'error',
        'failed',
      ]);
      expect((await gen_server.start(self, server, 1, { name: naming.name }))[0]).toBe('ok');
    });
  });

  test('is not there: calls and stops exit, casts are lost, requests have that response', async () => {
    await run(async (self) => {
      for (const ref of naming.refs(self)) {
        const place = ['gen_server', 'call', list<unknown>(ref, 'get')];
        expect(await exitOf(() => gen_server.call(self, ref, 'get'))).toEqual(['noproc', place]);
        expect(await exitOf(() => gen_server.stop(self, ref))).toBe('noproc');
        expect(await exitOf(() => sys.get_state(self, ref))).toEqual([
          'noproc',
          ['sys', 'get_state', list(ref)],
        ]);
        expect(gen_server.cast(self, ref, 1)).toBe('ok');
        const id = gen_server.send_request(self, ref, 'get');
        expect(await gen_server.wait_response(self, id)).toEqual(['error', ['noproc', ref]]);
      }
      expect(self.process_info(self.pid, 'message_queue_len')).toEqual(['message_queue_len', 0]);
    });
  });

  test('calls itself by its name: calling_self', async () => {
    const selfish: gen_server.Behaviour<null, ['call' | 'stop', unknown]> = {
      init: () => ['ok', null],
      handle_call: async (request, _, state, self) => {
        const [ref] = naming.refs(self) as [gen_server.ServerRef];
        const job = () => (request === 'call' ? gen_server.call(self, ref, 'x') : gen_server.stop(self, ref));
        return ['reply', await exitOf(job), state];
      },
    };
    await run(async (self) => {
      const pid = ok(await gen_server.start(self, selfish, undefined, { name: naming.name }));
      for (const request of ['call', 'stop'] as const) {
        const [reason] = (await gen_server.call(self, pid, request)) as unknown[];
        expect(reason).toBe('calling_self');
      }
    });
  });
});

describe('start', () => {
  test.each([17, ['local', 1], ['x', 'y'], ['via', 'x'], list('it')])(
    'badarg for what is no name: %p',
    async (name: unknown) => {
      await run(async (self) => {
        const start = gen_server.start(self, server, 1, { name: name as string });
        await expect(start).rejects.toMatchObject({ reason: 'badarg' });
      });
    },
  );

  test.each([
    ['already_started, with who has it', true],
    ['badarg, where it says that nobody has it', false],
  ])('of a name that the registry gives to another one meanwhile: %s', async (_, isThere) => {
    await run(async (self) => {
      const winner = self.spawn((other) => other.receive(() => false));
      const book = new Phonebook();
      book.register_name = async (name) => {
        if (isThere) book.pids.set(String(name), winner);
        return 'no';
      };
      const answer = await gen_server.start(self, server, 1, { name: ['via', book, 'it'] });
      expect(answer).toEqual([
        'error',
        isThere ? ['already_started', winner] : ['badarg', expect.anything()],
      ]);
      self.exit(winner, 'kill');
    });
  });

  test.each(STARTS)('badarg for a monitor among the options for spawn: %s', async (_, start) => {
    await run(async (self) => {
      for (const option of ['monitor', ['monitor', []]] as const) {
        await expect(start(self, server, 1, { spawn_opt: [option] })).rejects.toMatchObject({
          reason: 'badarg',
        });
      }
    });
  });

  test('takes options for spawn', async () => {
    await run(async (self) => {
      const pid = ok(await gen_server.start(self, server, 1, { spawn_opt: ['link', ['priority', 'high']] }));
      expect(self.process_info(pid, ['links', 'priority'])).toEqual(
        list(['links', list(self.pid)], ['priority', 'high']),
      );
    });
  });

  test.each([
    ['start', gen_server.start, []],
    ['start_link', gen_server.start_link, ['links']],
    ['start_monitor', gen_server.start_monitor, ['monitored_by']],
  ] as const)('%s leaves just the ties that it is for', async (_, start, ties) => {
    await run(async (self) => {
      const started = ok(await start(self, server, 1)) as Pid | [Pid, unknown];
      const pid = started instanceof Pid ? started : started[0];
      const tied = (['links', 'monitored_by'] as const).filter((tie) => {
        const [, others] = self.process_info(pid, tie) as unknown as [string, unknown[]];
        return others.includes(self.pid);
      });
      expect(tied).toEqual(ties);
    });
  });

  test('the monitor of start_monitor is the one that fires', async () => {
    await run(async (self) => {
      const [pid, ref] = ok(await gen_server.start_monitor(self, server, 1));
      self.exit(pid, 'gone');
      expect(await self.receive()).toEqual(['DOWN', ref, 'process', pid, 'gone']);
      expect(await gen_server.start_monitor(self, server, 'fail')).toEqual(['error', 'failed']);
      expect(self.process_info(self.pid, 'monitors')).toEqual(['monitors', list()]);
    });
  });

  test('a timeout kills the process, and not a caller who is linked to it', async () => {
    const slow: gen_server.Behaviour<null> = {
      init: (_, self) => self.receive((m): m is never => m === 'never'),
    };
    for (const trap of [false, true]) {
      await run(async (self) => {
        self.process_flag('trap_exit', trap);
        const before = self.processes().length;
        const result = await gen_server.start_link(self, slow, undefined, { timeout: 1, name: 'slow' });
        expect([result, self.whereis('slow')]).toEqual([['error', 'timeout'], 'undefined']);
        expect(self.processes().length).toBe(before);
        expect(await self.receive(undefined, { after: 5 })).toBeUndefined();
      });
    }
  });
});

describe('a call', () => {
  test.each([
    [-1, 'function_clause'],
    [1.5, 'function_clause'],
    ['soon', 'function_clause'],
    [null, 'function_clause'],
    [2 ** 32, 'timeout_value'],
  ])('with %p for a timeout is a %s', async (timeout, error) => {
    await run(async (self) => {
      const pid = ok(await gen_server.start(self, server, 1));
      const end = await exitOf(() => gen_server.call(self, pid, 'get', timeout as number));
      const [[reason], place] = end as [unknown[], unknown];
      expect([reason, place]).toEqual([error, ['gen_server', 'call', list<unknown>(pid, 'get', timeout)]]);
    });
  });

  test.each([17, undefined, null, list('a', 'b'), ['a', 'b', 'c'], {}])(
    'to %p is no call',
    async (server) => {
      await run(async (self) => {
        const end = await exitOf(() => gen_server.call(self, server as never, 'get'));
        expect((end as unknown[][])[0]?.[0]).toBe('function_clause');
      });
    },
  );

  test('is answered also without the alias, and leaves nothing', async () => {
    const direct: gen_server.Behaviour<null> = {
      init: () => ['ok', null],
      handle_call(_, [pid, tag], state, self) {
        self.send(pid, [tag, 'straight']);
        return ['noreply', state];
      },
    };
    await run(async (self) => {
      const pid = ok(await gen_server.start(self, direct, undefined));
      expect(await gen_server.call(self, pid, 'x')).toBe('straight');
      const id = gen_server.send_request(self, pid, 'x');
      expect(await gen_server.receive_response(self, id)).toEqual(['reply', 'straight']);
      expect(self.process_info(self.pid, ['monitors', 'messages'])).toEqual(
        list(['monitors', list()], ['messages', list()]),
      );
    });
  });
});

test('whatever comes first, reply, timeout or end: nothing of a call is left', async () => {
  const slow: gen_server.Behaviour<number, [number, 'done']> = {
    init: (n) => ['ok', n as number],
    handle_call(delay, from, n, self) {
      if (delay === n) return ['stop', 'normal', n];
      self.send_after(delay, self.pid, from);
      return ['noreply', n];
    },
    handle_info(from, n, self) {
      gen_server.reply(self, from as gen_server.From, 'done');
      return ['noreply', n];
    },
  };
  const ends = new Set<unknown>();
  const caller = (timeout: number, delay: number) =>
    run(async (self) => {
      const pid = ok(await gen_server.start(self, slow, 4));
      const end = await exitOf(() => gen_server.call(self, pid, delay, timeout));
      ends.add((end as unknown[])[0]);
      await self.receive(() => false, { after: 8 });
      expect(self.process_info(self.pid, ['messages', 'monitors'])).toEqual(
        list(['messages', list()], ['monitors', list()]),
      );
    });
  const times = [0, 1, 2, 3, 4];
  const each = times.flatMap((timeout) => times.map((delay) => [timeout, delay] as const));
  await Promise.all(
    Array.from({ length: 20 }, () => each).flatMap((all) => all.map((one) => caller(...one))),
  );
  expect(ends).toEqual(new Set(['returned', 'timeout', 'normal']));
});

describe('requests whose replies come later', () => {
  test('are told apart, in whatever order they are waited for', async () => {
    await run(async (self) => {
      const pids = [];
      for (const n of [1, 2, 3]) pids.push(ok(await gen_server.start(self, server, n)));
      const ids = pids.map((pid) => gen_server.send_request(self, pid, 'get'));
      const replies = [];
      for (const id of ids.reverse()) replies.push(await gen_server.wait_response(self, id));
      expect(replies).toEqual([
        ['reply', 3],
        ['reply', 2],
        ['reply', 1],
      ]);
    });
  });

  test('wait_response can wait again, receive_response gives up for ever', async () => {
    const later: gen_server.Behaviour<null> = {
      init: () => ['ok', null],
      handle_call(request, from, state, self) {
        self.send_after(request as number, self.pid, from);
        return ['noreply', state];
      },
      handle_info(from, state, self) {
        gen_server.reply(self, from as gen_server.From, 'late');
        return ['noreply', state];
      },
    };
    await run(async (self) => {
      const pid = ok(await gen_server.start(self, later, undefined));
      const patient = gen_server.send_request(self, pid, 10);
      expect(await gen_server.wait_response(self, patient, 1)).toBe('timeout');
      expect(await gen_server.wait_response(self, patient)).toEqual(['reply', 'late']);
      const impatient = gen_server.send_request(self, pid, 10);
      expect(await gen_server.receive_response(self, impatient, 1)).toBe('timeout');
      expect(await self.receive(undefined, { after: 30 })).toBeUndefined();
      expect(await gen_server.receive_response(self, impatient, 1)).toBe('timeout');
    });
  });

  test('check_response says which message is the response', async () => {
    await run(async (self) => {
      const pid = ok(await gen_server.start(self, server, 1));
      const id = gen_server.send_request(self, pid, 'get');
      self.send(self.pid, 'other');
      expect(gen_server.check_response(self, await self.receive(), id)).toBe('no_reply');
      expect(gen_server.check_response(self, await self.receive(), id)).toEqual(['reply', 1]);
      const lost = gen_server.send_request(self, pid, 'never');
      self.exit(pid, 'gone');
      expect(gen_server.check_response(self, await self.receive(), lost)).toEqual(['error', ['gone', pid]]);
    });
  });

  test('to another node: nodedown', async () => {
    await run(async (self) => {
      const far = ['it', 'no@where'] as const;
      const id = gen_server.send_request(self, far, 'get');
      expect(await gen_server.wait_response(self, id)).toEqual(['error', [['nodedown', 'no@where'], far]]);
      expect(await exitOf(() => gen_server.stop(self, far))).toEqual(['nodedown', 'no@where']);
      expect(gen_server.cast(self, far, 1)).toBe('ok');
    });
  });

  test('multi_call: who has replied, and who has not, in their order', async () => {
    await run(async (self) => {
      const alive = ok(await gen_server.start(self, server, 1));
      const other = ok(await gen_server.start(self, server, 1));
      const gone = ok(await gen_server.start(self, server, 1));
      self.exit(gone, 'kill');
      const servers: gen_server.ServerRef<Calls>[] = [gone, other, 'nobody', alive];
      expect(await gen_server.multi_call(self, servers, 'get')).toEqual([
        list([other, 1], [alive, 1]),
        list<unknown>(gone, 'nobody'),
      ]);
      expect(await gen_server.multi_call(self, servers, 'never', 5)).toEqual([list(), list(...servers)]);
      expect(self.process_info(self.pid, ['monitors', 'messages'])).toEqual(
        list(['monitors', list()], ['messages', list()]),
      );
    });
  });
});

test('a parent that ends ends those that were started linked, and no others', async () => {
  const trapping: gen_server.Behaviour<null> = {
    init(_, self) {
      self.process_flag('trap_exit', true);
      return ['ok', null];
    },
  };
  await run(async (self) => {
    const me = self.pid;
    const parent = self.spawn(async (child) => {
      for (const start of [gen_server.start, gen_server.start_link])
        child.send(me, ok(await start(child, trapping, undefined)));
      await child.receive();
    });
    const alone = (await self.receive()) as Pid;
    const linked = (await self.receive()) as Pid;
    self.exit(parent, 'gone');
    expect(await endOf(self, linked)).toBe('gone');
    // An 'EXIT' of somebody else is a message as any other.
    self.send(alone, ['EXIT', me, 'gone']);
    expect(await sys.get_state(self, alone)).toBeNull();
  });
});

function run<T>(body: (self: Process) => T): Promise<Awaited<T>> {
  return runProcess(runtime, body);
}
