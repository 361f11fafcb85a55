/** Guards of what the runtime itself sends, against messages that it has sent; patterns of ts-pattern as guards. */
import { isMatching, P } from 'ts-pattern';
import { isDown, isExit, isTagged, isTimeout } from '#actors/messages';
import type { Process } from '#actors/process';
import { Runtime } from '#actors/runtime';
import { list, toList } from '#actors/term';
import { runProcess } from '../support/run-process';

let runtime: Runtime;
beforeEach(() => {
  runtime = new Runtime();
});
afterEach(() => runtime.stop());

/** One message of each kind, as the runtime makes it, with what names its origin. */
const KINDS = {
  exit: {
    guard: isExit,
    async make(self: Process) {
      self.process_flag('trap_exit', true);
      return self.spawn_link((child) => child.exit('why'));
    },
  },
  down: {
    guard: isDown,
    async make(self: Process) {
      const [, ref] = self.spawn_monitor((child) => child.exit('why'));
      return ref;
    },
  },
  'down of a name': {
    guard: isDown,
    make: async (self: Process) => self.monitor('process', 'nobody'),
  },
  timeout: {
    guard: isTimeout,
    make: async (self: Process) => self.start_timer(0, self.pid, 'over'),
  },
};
type Guard = (origin?: unknown) => (message: unknown) => boolean;

describe.each(Object.entries(KINDS))('%s', (_name, { guard, make }) => {
  const guardOf = guard as Guard;

  async function receiveOne(self: Process): Promise<[origin: unknown, message: unknown[]]> {
    const origin = await make(self);
    return [origin, (await self.receive()) as unknown[]];
  }

  test('is found by its own guard and no other', async () => {
    await run(async (self) => {
      const [origin, message] = await receiveOne(self);
      for (const other of new Set<Guard>([isExit, isDown, isTimeout] as Guard[])) {
        expect(other()(message)).toBe(other === guardOf);
        expect(other(origin)(message)).toBe(other === guardOf);
      }
    });
  });

  test('is told from one of another origin', async () => {
    await run(async (self) => {
      const [first, message] = await receiveOne(self);
      const [second, another] = await receiveOne(self);
      self.send(self.pid, message);
      self.send(self.pid, another);
      expect(await self.receive(guardOf(second))).toBe(another);
      expect(await self.receive(guardOf(second), { after: 0 })).toBeUndefined();
      expect(await self.receive(guardOf(first))).toBe(message);
    });
  });

  test('is nothing that only looks like it', async () => {
    await run(async (self) => {
      const [, message] = await receiveOne(self);
      const lookalikes = [
        message.slice(0, -1),
        [...message, 'more'],
        ['other', ...message.slice(1)],
        toList([...message]),
        message[0],
        undefined,
        null,
        Object.assign({ length: message.length }, message),
      ];
      for (const lookalike of lookalikes) expect(guardOf()(lookalike)).toBe(false);
    });
  });
});

describe('a pattern of ts-pattern', () => {
  test('takes what it matches, wherever that is in the mailbox, and leaves the rest in order', async () => {
    await run(async (self) => {
      const messages = [
        ['store', 'a', 1],
        ['fetch', 'a'],
        'text',
        ['store', 'b', 200],
        new Map([['name', 'a map']]),
        { name: 'ada' },
        list('a', 'list'),
        0,
      ];
      for (const message of messages) self.send(self.pid, message);
      expect(await self.receive(isMatching(['store', P._, P.number.gt(100)]))).toBe(messages[3]);
      expect(await self.receive(isMatching({ name: P.string }))).toBe(messages[5]);
      expect(await self.receive(isMatching(P.map(P.string, P.string)))).toBe(messages[4]);
      expect(await self.receive(isMatching(['stop', P._]), { after: 0 })).toBeUndefined();
      const rest: unknown[] = [];
      for (let i = self.mailbox.length; i > 0; i--) rest.push(await self.receive());
      expect(rest).toEqual([messages[0], messages[1], messages[2], messages[6], messages[7]]);
    });
  });

  test('is waited for, and finds signals too', async () => {
    await run(async (self) => {
      const { pid } = self;
      const isReply = isMatching(['reply', P.when((from) => from === child), P.number]);
      const child = self.spawn((other) => {
        other.send(pid, ['reply', pid, 1]);
        other.send(pid, ['reply', other.pid, 'one']);
        other.send(pid, ['reply', other.pid, 2]);
      });
      const ref = self.monitor('process', child);
      const [, , n] = await self.receive(isReply);
      expect(n).toBe(2);
      const down = await self.receive(isMatching(['DOWN', P.when((x) => x === ref), 'process', P._, P._]));
      expect(down[4]).toBe('normal');
      expect(self.mailbox.length).toBe(2);
    });
  });
});

test('isTagged takes tuples by their first element', async () => {
  await run(async (self) => {
    const ref = self.make_ref();
    const lists = [list<unknown>('pong', 1), list<unknown>()];
    const others = ['pong', 'p', 0, [], [['pong']], ['ping', 'pong'], [ref], { 0: 'pong' }, ...lists];
    for (const message of [...others, ['pong', 1], ['pong']]) self.send(self.pid, message);
    expect(await self.receive(isTagged('pong'))).toEqual(['pong', 1]);
    expect(await self.receive(isTagged('pong'))).toEqual(['pong']);
    expect(await self.receive(isTagged('pong'), { after: 0 })).toBeUndefined();
    expect(await self.receive(isTagged(self.make_ref()), { after: 0 })).toBeUndefined();
    expect(await self.receive(isTagged(ref), { after: 0 })).toEqual([ref]);
  });
});

function run(body: (self: Process) => Promise<void>): Promise<void> {
  return runProcess(runtime, body);
}
