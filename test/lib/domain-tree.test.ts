import fs from 'node:fs';
/** What the domain's own processes consist of heals when it crashes. */
import {
  type Domain,
  ErlangExit,
  gen_server,
  isExit,
  ok,
  type Pid,
  type Port,
  ProcessExit,
  type Self,
  supervisor,
  sys,
  tube,
  xenstore,
} from 'ling-tubes';
import { Box } from '../support/box';
import { descriptorsOf, eventually, tubeMappings } from '../support/residue';
import { End, snapshot } from '../support/tube-ends';

let box: Box;
let a: Domain;
let b: Domain;
let crashes: unknown[];

beforeEach(async () => {
  box = new Box();
  a = await box.boot({ name: 'a' });
  b = await box.boot({ name: 'b' });
  crashes = [];
  for (const domain of [a, b]) domain.on('crash', (crash) => crashes.push(crash.name));
});
afterEach(() => box.close());

function kill(domain: Domain, name: string): Promise<unknown> {
  return domain.run((self) => self.exit(self.whereis(name) as Pid, 'kill'));
}

async function killKeepers(domain: Domain): Promise<void> {
  await domain.run(async (self) => {
    for (const [, pid] of await supervisor.which_children(self, 'tube_keepers'))
      self.exit(pid as Pid, 'kill');
  });
}

/** Resolves when another process than `pid` has the name. */
async function isBack(domain: Domain, name: string, pid: unknown): Promise<void> {
  const isAnother = (): boolean => {
    const found = domain.runtime.whereis(name);
    return found !== undefined && found !== pid;
  };
  await eventually(isAnother, true);
}

/** A supervisor answers when those below it have begun. */
function hasBegun(domain: Domain): Promise<void> {
  return domain.run(async (self) => {
    for (const name of ['ling_sup', 'tube_sup']) await supervisor.which_children(self, name);
  });
}

async function killAndWait(domain: Domain, name: string): Promise<void> {
  const pid = domain.runtime.whereis(name);
  await kill(domain, name);
  await isBack(domain, name, pid);
  await isBack(domain, 'tube_server', name === 'xenstore' ? undefined : pid);
}

/** Opening and accepting work in both directions, and packets arrive. */
async function works(tid: number): Promise<void> {
  for (const [opener, acceptor] of [
    [a, b],
    [b, a],
  ] as const) {
    const [one, other] = await End.pair(opener, acceptor, tid);
    one.send('x');
    other.send('y');
    await eventually(() => [one.got, other.got], [['y'], ['x']]);
    await opener.run((self) => tube.close(self, one.tube));
    await eventually(() => [one.ended, other.ended], ['normal', 'normal']);
    for (const end of [one, other]) end.self.runtime.send(end.self.pid, 'over');
  }
}

/** What there is when nobody has a tube; taken after one was used, which leaves the directories of peers. */
async function look(): Promise<object> {
  return {
    processes: [a, b].map(({ runtime }) => runtime.processes().length),
    names: [a, b].map(({ runtime }) => Array.from(runtime.registry.names()).sort()),
    ports: [a, b].map(({ runtime }) => runtime.openPorts.size),
    mappings: tubeMappings(),
    memories: descriptorsOf('self').filter((target) => target.includes('memfd')).length,
    tree: Object.keys(await snapshot(box)),
  };
}

/** Runs `body`; after it everything works, and nothing is there that was not before. */
async function heals(body: () => Promise<unknown>): Promise<void> {
  const processes = (): number[] => [a, b].map(({ runtime }) => runtime.processes().length);
  const own = processes();
  await works(1000);
  await eventually(processes, own);
  const before = await look();
  await body();
  // Who accepts before the other side has seen the end of a tube is given that one.
  await eventually(() => [a, b].map(({ runtime }) => runtime.openPorts.size), [0, 0]);
  await works(1001);
  await eventually(look, before);
}

/** How a caller that is a process of its own gets on: what is answered, or the reason it exits for. */
async function outcome<T>(domain: Domain, call: (self: Self) => Promise<T>): Promise<unknown> {
  try {
    return await domain.run(call);
  } catch (error) {
    if (error instanceof ErlangExit) return ['exit', (error.reason as unknown[])[0]];
    return error instanceof ProcessExit ? ['exit', error.reason] : error;
  }
}

async function acceptInTheEnd(self: Self): Promise<unknown> {
  for (;;) {
    try {
      return await tube.accept(self);
    } catch (error) {
      if (!(error instanceof ErlangExit)) throw error;
      await new Promise(setImmediate);
    }
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 100));

test('is a tree under ling_sup', async () => {
  const tree = await a.run(async (self) => {
    const pids = (await supervisor.which_children(self, 'ling_sup')).map(([, pid]) => pid);
    const names = (await supervisor.which_children(self, 'tube_sup')).map(([id]) => id);
    const named = ['tube_report', 'tube_sup', 'xenstore'].map((name) => self.whereis(name));
    return [Array.from(pids), named, Array.from(names)];
  });
  expect(tree[0]).toEqual(tree[1]);
  expect(tree[2]).toEqual(['tube_server', 'tube_keepers']);
});

describe.each(['tube_server', 'tube_keepers', 'tube_sup'])('when %s is killed', (name) => {
  test('while there are no tubes: opening and accepting work again', async () => {
    await heals(() => killAndWait(a, name));
  });

  test.each(['opener', 'acceptor'])(
    'on the side of the %s of open tubes: they close, what was sent arrives',
    async (side) => {
      await heals(async () => {
        const pairs = await Promise.all(
          Array.from({ length: 10 }, (_, tid) =>
            side === 'opener' ? End.pair(a, b, tid) : End.pair(b, a, tid),
          ),
        );
        const mine = pairs.map(([opener, acceptor]) => (side === 'opener' ? opener : acceptor));
        const theirs = pairs.map(([opener, acceptor]) => (side === 'opener' ? acceptor : opener));
        for (const end of mine) for (let i = 0; i < 31; i++) end.send(String(i));
        await killAndWait(a, name);
        await eventually(
          () => mine.map(({ ended }) => typeof ended),
          mine.map(() => 'string'),
        );
        expect(mine.map(({ ended }) => ended)).toEqual(
          mine.map(() => (name === 'tube_keepers' ? 'killed' : 'shutdown')),
        );
        await eventually(
          () => theirs.map(({ ended }) => ended),
          theirs.map(() => 'normal'),
        );
        for (const { got } of theirs) expect(got).toEqual(Array.from({ length: 31 }, (_, i) => String(i)));
        for (const { self } of [...mine, ...theirs]) self.runtime.send(self.pid, 'over');
      });
    },
  );

  test('while a tube waits to be accepted: who opens it exits or is told, at once', async () => {
    await heals(async () => {
      const opening = outcome(a, (self) => tube.open(self, b.domid, 3));
      await settle();
      await killAndWait(a, name);
      expect(['exit', 'error']).toContain(((await opening) as unknown[])[0]);
    });
  });

  test('while a tube waits that nobody has accepted: who opens it is told', async () => {
    await heals(async () => {
      const opening = outcome(b, (self) => tube.open(self, a.domid, 3));
      await settle();
      await killAndWait(a, name);
      expect(await opening).toEqual(['error', 'closed']);
    });
  });

  test('while somebody waits for a tube: that one exits', async () => {
    await heals(async () => {
      const accepting = outcome(a, (self) => tube.accept(self));
      await settle();
      await killAndWait(a, name);
      expect(await accepting).toEqual(['exit', name === 'tube_server' ? 'killed' : expect.any(String)]);
    });
  });
});

describe.each(['tube_server', 'tube_sup'])('who needs tube_server right after %s was killed', (name) => {
  test.each(['opens', 'accepts'])('waits for the next: %s', async (what) => {
    await heals(async () => {
      const [opener, acceptor] = what === 'opens' ? [a, b] : [b, a];
      const killer = what === 'opens' ? opener : acceptor;
      const killed = (self: Self): void => {
        if (self.runtime !== killer.runtime) return;
        self.exit(self.whereis(name) as Pid, 'kill');
        expect(self.whereis('tube_server')).toBe('undefined');
      };
      const opening = outcome(opener, async (self) => {
        killed(self);
        const opened = ok(await tube.open(self, acceptor.domid, 4));
        return tube.close(self, opened);
      });
      const accepting = outcome(acceptor, async (self) => {
        self.process_flag('trap_exit', true);
        killed(self);
        const accepted = ok(await tube.accept(self));
        return (await self.receive(isExit(accepted)))[2];
      });
      expect([await opening, await accepting]).toEqual(['ok', 'normal']);
    });
  });
});

test('who needs tube_server when it stays away exits at once', async () => {
  const reason = await a.run(async (self) => {
    await supervisor.terminate_child(self, 'tube_sup', 'tube_server');
    return outcome(a, (child) => tube.open(child, b.domid));
  });
  expect(reason).toEqual(['exit', 'noproc']);
});

describe('tube_server', () => {
  const ways: Record<string, (self: Self) => unknown> = {
    'that crashes': (self) => gen_server.call(self, 'tube_server', null as never),
    'that is stopped': (self) => gen_server.stop(self, 'tube_server'),
    'that is told to end': (self) => self.exit(self.whereis('tube_server') as Pid, 'boom'),
  };

  test.each(Object.keys(ways))('%s comes back too', async (way) => {
    await heals(async () => {
      const pid = a.runtime.whereis('tube_server');
      await outcome(a, async (self) => ways[way]?.(self));
      await isBack(a, 'tube_server', pid);
    });
    expect(crashes).toEqual(way === 'that crashes' ? ['tube_server'] : []);
  });

  test('finds the invitations that came while it was away', async () => {
    await heals(async () => {
      const pid = a.runtime.whereis('tube_server');
      await a.run((self) => sys.suspend(self, 'tube_sup'));
      await kill(a, 'tube_server');
      const opening = Array.from({ length: 5 }, (_, tid) =>
        new End().start(b, (self) => tube.open(self, a.domid, tid)),
      );
      const invited = async (): Promise<number> =>
        Object.keys(await snapshot(box)).filter((path) => /\/1\/data\/tip\/2\/\d+\/nock$/.test(path)).length;
      await eventually(invited, 5);
      await a.run((self) => sys.resume(self, 'tube_sup'));
      await isBack(a, 'tube_server', pid);
      const accepted = await Promise.all(opening.map(() => new End().start(a, (self) => tube.accept(self))));
      const opened = await Promise.all(opening);
      for (const end of opened) end.send('x');
      await eventually(
        () => accepted.map(({ got }) => got),
        accepted.map(() => ['x']),
      );
      for (const end of accepted) end.self.port_close(end.tube);
      await eventually(
        () => opened.map(({ ended }) => ended),
        opened.map(() => 'normal'),
      );
      for (const { self } of [...opened, ...accepted]) self.runtime.send(self.pid, 'over');
    });
  });

  test('comes back without lingd as well, and says so', async () => {
    const lingdless = new Box();
    const lingd = await lingdless.lingd();
    const domain = await lingdless.boot();
    const gone = new Promise((resolve) => domain.on('disconnected', resolve));
    // No lingd can be started there any more.
    fs.chmodSync(lingdless.rundir, 0o777);
    lingd.kill('SIGKILL');
    await gone;
    await killAndWait(domain, 'tube_server');
    expect(await domain.run((self) => tube.accept(self))).toEqual(['error', 'enotconn']);
    expect(await domain.run((self) => tube.open(self, 7))).toEqual(['error', 'enotconn']);
    expect(domain.status).toBe('running');
    await domain.stop();
    // It has removed what lingd has left.
    expect(fs.existsSync(lingdless.rundir)).toBe(false);
    await (await lingdless.boot()).stop();
    await lingdless.close();
  });
});

describe('a keeper that is killed', () => {
  test.each(['opener', 'acceptor'])(
    'on the side of the %s of a tube: that closes, and its name is free',
    async (side) => {
      await heals(async () => {
        for (let round = 0; round < 3; round++) {
          const [opener, acceptor] = side === 'opener' ? await End.pair(a, b, 5) : await End.pair(b, a, 5);
          const [mine, theirs] = side === 'opener' ? [opener, acceptor] : [acceptor, opener];
          mine.send('x');
          await killKeepers(a);
          await eventually(() => [mine.ended, theirs.ended, theirs.got], ['killed', 'normal', ['x']]);
          for (const { self } of [mine, theirs]) self.runtime.send(self.pid, 'over');
        }
      });
    },
  );

  test('while its tube is opened: who waits is told', async () => {
    await heals(async () => {
      const opening = outcome(a, (self) => {
        // The tube is linked to it already, if the other side was quick.
        self.process_flag('trap_exit', true);
        return tube.open(self, b.domid, 3);
      });
      await settle();
      await killKeepers(a);
      expect(await opening).toEqual(['error', 'closed']);
      expect(await outcome(a, (self) => tube.close(self, 'tube' as unknown as Port))).toEqual([
        'error',
        'badarg',
      ]);
    });
  });

  test('while its tube waits to be accepted: who opens it is told, and accept waits for another', async () => {
    await heals(async () => {
      const opening = outcome(b, (self) => tube.open(self, a.domid, 3));
      await settle();
      await killKeepers(a);
      expect(await opening).toEqual(['error', 'closed']);
    });
  });
});

describe.each(['opener', 'acceptor'])(
  'at any moment of opening and accepting, on the side of the %s',
  (side) => {
    test.each(['tube_server', 'keepers', 'xenstore'])('%s may be killed', async (what) => {
      await heals(async () => {
        const [opener, acceptor] = side === 'opener' ? [a, b] : [b, a];
        // Fewer than would be too many crashes.
        for (const ms of what === 'xenstore' ? [0, 5, 15] : [0, 1, 2, 3, 5, 8, 13, 21, 34, 55]) {
          const opening = opener.spawn((self) => tube.open(self, acceptor.domid, ms));
          const accepting = acceptor.spawn(acceptInTheEnd);
          await new Promise((resolve) => setTimeout(resolve, ms));
          if (what === 'keepers') await killKeepers(a);
          else await killAndWait(a, what);
          await eventually(() => opening.receiver, undefined);
          await acceptor.run((self) => self.exit(accepting, 'kill'));
          await eventually(() => [a, b].map(({ runtime }) => runtime.openPorts.size), [0, 0]);
        }
      });
    });
  },
);

describe('xenstore that is killed', () => {
  test('leaves tubes alone, and those who open and accept', async () => {
    await heals(async () => {
      const accepting = new End().start(a, (self) => tube.accept(self));
      const [one, other] = await End.pair(a, b, 6);
      await killAndWait(a, 'xenstore');
      one.send('x');
      await eventually(() => other.got, ['x']);
      const opener = await new End().start(b, (self) => tube.open(self, a.domid, 8));
      const acceptor = await accepting;
      opener.send('y');
      await eventually(() => acceptor.got, ['y']);
      for (const { self, tube } of [one, opener]) self.port_close(tube);
      await eventually(() => [other.ended, acceptor.ended], ['normal', 'normal']);
      for (const { self } of [one, other, opener, acceptor]) self.runtime.send(self.pid, 'over');
    });
  });

  test('goes on with the watches of all processes', async () => {
    const seen: unknown[] = [];
    const watcher = a.spawn(async (self) => {
      expect(await xenstore.watch(self, 'data/x')).toBe('ok');
      for (;;) {
        const message = await self.receive();
        if (Array.isArray(message)) seen.push(message);
        else if (message === 'again') seen.push(await xenstore.watch(self, 'data/x'));
        else seen.push(await xenstore.unwatch(self, 'data/x'));
      }
    });
    await eventually(() => seen.length, 1);
    await killAndWait(a, 'xenstore');
    await a.run((self) => xenstore.write(self, 'data/x', 'y'));
    await eventually(
      () => seen,
      [
        ['watch', 'data/x'],
        ['watch', 'data/x'],
      ],
    );
    a.runtime.send(watcher, 'again');
    await eventually(() => seen.at(-1), ['error', 'eexist']);
    a.runtime.send(watcher, 'off');
    await eventually(() => seen.at(-1), 'ok');
    await a.run((self) => xenstore.write(self, 'data/x', 'z'));
    await a.run((self) => xenstore.read(self, 'data/x'));
    expect(seen).toHaveLength(4);
  });

  test('a caller exits', async () => {
    await a.run((self) => sys.suspend(self, 'xenstore'));
    const watching = outcome(a, (self) => xenstore.watch(self, 'data/x'));
    await settle();
    await kill(a, 'xenstore');
    expect(await watching).toEqual(['exit', 'killed']);
  });
});

describe('when tube_report is killed', () => {
  /** What it answers to domain 0. */
  async function ask(id: string): Promise<void> {
    const store = box.client('socket');
    const question = `/local/domain/${a.domid}/data/ask/${id}`;
    await store.mkdir(question);
    await eventually(() => store.readString(question), '1');
    await store.rm(question);
  }

  test('no tube notices, and the next one answers', async () => {
    const [one, other] = await End.pair(a, b);
    await ask('before');
    const pid = a.runtime.whereis('tube_report');
    await kill(a, 'tube_report');
    await isBack(a, 'tube_report', pid);
    await ask('after');
    one.send('still there');
    await eventually(() => other.got, ['still there']);
    expect([one.ended, other.ended]).toEqual([undefined, undefined]);
  });
});

describe('too many crashes', () => {
  test.each([
    ['tube_server', 16],
    ['xenstore', 4],
    ['ling_sup', 1],
  ])('of %s end the domain: %i', async (name, most) => {
    const [, other] = await End.pair(a, b);
    const ends: unknown[] = [];
    a.on('stopped', (reason) => ends.push(reason));
    let killed = 0;
    for (; ends.length === 0 && killed < 100; killed++) {
      const pid = a.runtime.whereis(name);
      if (pid === undefined) break;
      await kill(a, name);
      await eventually(() => ends.length > 0 || ![undefined, pid].includes(a.runtime.whereis(name)), true);
      // One that is killed before it has begun counts twice.
      await hasBegun(a).catch(() => undefined);
    }
    expect([killed, ends]).toEqual([most, [name === 'ling_sup' ? 'killed' : 'shutdown']]);
    expect(a.status).toBe('stopped');
    await eventually(() => other.ended, 'normal');
    await eventually(
      async () => Object.keys(await snapshot(box)).some((path) => path === '/local/domain/1'),
      false,
    );
    await a.stop();
    expect(ends).toHaveLength(1);
  });

  test('are printed when nobody listens, and a stop is not', async () => {
    const write = jest.spyOn(process.stderr, 'write').mockImplementation(() => true);
    try {
      await kill(a, 'ling_sup');
      await eventually(() => a.status, 'stopped');
      await b.stop();
      expect(write.mock.calls).toEqual([['Domain 1 has ended: killed\n']]);
    } finally {
      write.mockRestore();
    }
  });

  test('are the end of who waits in run', async () => {
    const running = outcome(a, (self) => self.receive() as Promise<unknown>);
    a.on('stopped', () => {});
    await kill(a, 'ling_sup');
    expect(await running).toEqual(['exit', 'killed']);
  });
});

test('a stopped domain says so with reason normal', async () => {
  const ends: unknown[] = [];
  a.on('stopped', (reason) => ends.push(reason));
  await a.stop();
  expect(ends).toEqual(['normal']);
});
