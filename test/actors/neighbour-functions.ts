/** Messages, names, timers and the rest: the cases of test/fixtures/erlang/neighbours.escript. */
import type { Pid, Reference } from '#actors/identifiers';
import type { MonitorOption } from '#actors/monitors';
import type { List } from '#actors/term';
import type { Self } from '#ports/self';
import { settle } from '../support/erlang-world';
import {
  type Any,
  DEATHS,
  each,
  idle,
  type Job,
  type NeighbourWorld,
  type Play,
  sleep,
} from './neighbour-world';
export const functionCases: Record<string, Play> = {
  'process_flag: values that are none': (w, self) =>
    w.exAll(
      [
        ['trap_exit', 1],
        ['trap_exit', 'foo'],
        ['priority', 'foo'],
        ['priority', 1],
        ['message_queue_data', 'foo'],
        ['foo', true],
        [1, true],
      ].map(
        ([flag, value]) =>
          () =>
            self.process_flag(flag as Any, value as Any),
      ),
    ),
  'process_flag: message_queue_data': (_, self) => [
    self.process_flag('message_queue_data', 'off_heap'),
    self.process_info(self.pid, 'message_queue_data'),
    self.process_flag('message_queue_data', 'on_heap'),
  ],
  'process_flag: priority max is seen': (_, self) => [
    self.process_flag('priority', 'max'),
    self.process_info(self.pid, 'priority'),
    self.process_flag('priority', 'low'),
    self.process_flag('priority', 'normal'),
  ],
  'process_flag: of the child is its own': (w, self) => {
    self.process_flag('priority', 'high');
    w.trap();
    const x = self.spawn(idle);
    return [self.process_info(x, 'priority'), self.process_info(x, 'trap_exit')];
  },

  'process_info: a list of items keeps its order': (_, self) =>
    self.process_info(self.pid, ['trap_exit', 'priority', 'trap_exit', 'registered_name']),
  'process_info: no items': (_, self) => self.process_info(self.pid, []),
  'process_info: of the dead': async (w, self) => {
    const d = await w.dead();
    return [self.process_info(d), self.process_info(d, 'links'), self.process_info(d, ['links'])];
  },
  'process_info: what is none': async (w, self) => {
    const x = await w.proc('X');
    return w.exAll([
      () => self.process_info(x, 'foo' as Any),
      () => self.process_info(x, ['links', 'foo'] as Any),
      () => self.process_info('foo' as Any),
      () => self.process_info('foo' as Any, 'links'),
    ]);
  },
  'process_info: dictionary': async (w, self) => {
    const x = await w.proc('X');
    await w.on(x, (s) => s.put('k', 'v'));
    return [self.process_info(x, 'dictionary'), self.process_info(self.pid, 'dictionary')];
  },
  'process_info: a registered one': async (w, self) => {
    const x = await w.proc('X');
    self.register('orc_n1', x);
    return [self.process_info(x, 'registered_name'), self.process_info(x, ['registered_name'])];
  },
  'process_info: links of two kinds': async (w, self) => {
    const x = await w.proc('X');
    self.link(x);
    w.name(self.open_port('echo'), 'P');
    return w.sorted(w.links(self));
  },
  'process_info: initial_call and parent of a grandchild': async (w, self) => {
    const x = await w.proc('X');
    const y = w.name((await w.on(x, (s) => s.spawn(idle))) as Pid, 'Y');
    return [self.process_info(y, 'initial_call'), self.process_info(y, 'parent')];
  },

  'is_process_alive: after the end': async (w, self) => {
    const x = await w.proc('X');
    const before = self.is_process_alive(x);
    self.exit(x, 'kill');
    return [before, self.is_process_alive(x)];
  },

  'receive: after 0 on an empty mailbox': async (_, self) =>
    (await self.receive(undefined, { after: 0 })) ?? 'none',
  'receive: after 0 scans all': async (w, self) => {
    for (let i = 1; i <= 500; i++) self.send(self.pid, i);
    self.send(self.pid, 'x');
    const r = (await self.receive((m) => m === 'x', { after: 0 })) === 'x' ? 'got' : 'none';
    return [r, ((await w.mbox0()) as List).length];
  },
  'receive: after infinity': (_, self) => {
    self.spawn(async (s) => {
      await sleep(s, 3);
      s.send(self.pid, 'x');
    });
    return self.receive(undefined, { after: 'infinity' });
  },
  'receive: the largest timeout': async (_, self) => {
    self.send(self.pid, 'm');
    return (await self.receive((m) => m === 'm', { after: 0xffff_ffff })) === 'm' ? 'got' : 'none';
  },
  'receive: a bad timeout and no match': async (w, self) => {
    self.send(self.pid, 'm');
    return [await w.ex(() => self.receive((m) => m === 'n', { after: 'foo' as Any })), await w.mbox0()];
  },
  'receive: what it skips keeps its order': async (w, self) => {
    for (const m of ['a', 'b', 'c', 'd']) self.send(self.pid, m);
    await self.receive((m) => m === 'c');
    self.send(self.pid, 'e');
    await self.receive((m) => m === 'a');
    return w.mbox0();
  },
  'receive: only a timeout takes nothing': async (w, self) => {
    self.send(self.pid, 'a');
    await sleep(self, 5);
    return w.mbox0();
  },
  'receive: one in another': async (w, self) => {
    for (const m of [1, 2, 'x']) self.send(self.pid, m);
    await self.receive((m) => m === 'x');
    await self.receive((m) => m === 2);
    return w.mbox0();
  },
  'receive: a message that comes during a selective one': async (w, self) => {
    self.spawn(async (s) => {
      s.send(self.pid, 'a');
      await sleep(s, 2);
      s.send(self.pid, 'b');
      await sleep(s, 2);
      s.send(self.pid, 'wanted');
    });
    await self.receive((m) => m === 'wanted');
    return w.mbox0();
  },
  'receive: equal messages come one by one': async (w, self) => {
    for (let i = 0; i < 3; i++) self.send(self.pid, 'a');
    await self.receive((m) => m === 'a');
    return w.mbox0();
  },

  'register: what nobody has': (w, self) =>
    w.exAll([
      () => self.unregister('orc_n9'),
      () => self.send('orc_n9', 'x'),
      () => self.whereis('orc_n9'),
      () => self.send('orc_n9', 'x', []),
    ]),
  'register: again after unregister, and under another name': (_, self) => [
    self.register('orc_n1', self.pid),
    self.unregister('orc_n1'),
    self.register('orc_n2', self.pid),
    self.whereis('orc_n1'),
    self.whereis('orc_n2'),
    self.process_info(self.pid, 'registered_name'),
  ],
  'register: the name moves with a death': async (w, self) => {
    const [x, y] = [await w.proc('X'), await w.proc('Y')];
    self.register('orc_n1', x);
    self.exit(x, 'kill');
    self.register('orc_n1', y);
    self.send('orc_n1', 'a');
    return w.inbox(y);
  },
  'register: of the dead is in no list': async (w, self) => {
    const x = await w.proc('X');
    self.register('orc_n1', x);
    const before = self.registered().includes('orc_n1');
    self.exit(x, 'kill');
    return [before, self.registered().includes('orc_n1')];
  },
  'register: unregister leaves messages': async (w, self) => {
    const x = await w.proc('X');
    self.register('orc_n1', x);
    self.send('orc_n1', 'a');
    self.unregister('orc_n1');
    return [await w.inbox(x), await w.ex(() => self.send('orc_n1', 'b'))];
  },

  'send: answers what was sent': async (w, self) => {
    const x = await w.proc('X');
    self.register('orc_n1', x);
    const node = self.node();
    const sent = [
      self.send(x, 'a'),
      self.send('orc_n1', 'b'),
      self.send(['orc_n1', node], 'c'),
      self.send(['orc_n9', node], 'd'),
      self.send(x, 'e'),
    ];
    return [...sent, await w.inbox(x)];
  },
  'send: with options': async (w, self) => {
    const x = await w.proc('X');
    self.register('orc_n1', x);
    const answers = [
      self.send('orc_n1', 'a', ['nosuspend']),
      self.send(['orc_n1', self.node()], 'b', ['noconnect']),
      self.send_nosuspend(x, 'c'),
    ];
    return [...answers, await w.inbox(x)];
  },
  'send: to a plain reference': async (w, self) => [
    self.send(self.make_ref(), 'a'),
    self.send(self.make_ref(), 'a', []),
    await w.mbox(),
  ],
  'send: to oneself by name': (w, self) => {
    self.register('orc_n1', self.pid);
    self.send('orc_n1', 'a');
    self.send(['orc_n1', self.node()], 'b');
    return w.mbox0();
  },

  'signal_order: message, exit, message': async (w, self) => {
    const [x, m] = await w.watched();
    self.send(x, 'a');
    self.exit(x, 'r');
    self.send(x, 'b');
    return [await w.rcv(), self.demonitor(m, ['info'])];
  },
  'signal_order: unlink before exit': async (w, self) => {
    w.trap();
    const a = await w.proc('A');
    await w.on(a, (s) => s.link(self.pid));
    w.cast(a, (s) => {
      s.unlink(self.pid);
      s.exit('r');
    });
    return [await w.fate(a), await w.mbox()];
  },
  'signal_order: demonitor before its end': async (w, self) => {
    const [x, m] = await w.watched();
    self.demonitor(m);
    self.exit(x, 'r');
    return [await w.fate(x), await w.mbox()];
  },
  'signal_order: link, send, exit': async (w, self) => {
    w.trap();
    const p = self.spawn((s) => {
      s.link(self.pid);
      s.send(self.pid, 'a');
      s.send(self.pid, 'b');
      s.exit('r');
    });
    w.name(p, 'P');
    return [await w.rcv(), await w.rcv(), await w.rcv(), self.is_process_alive(p)];
  },
  'signal_order: exit and DOWN of the same end': async (w, self) => {
    w.trap();
    const [x] = await w.watched();
    self.link(x);
    self.exit(x, 'r');
    return w.sorted(w.mbox());
  },
  'signal_order: trap_exit at the last moment': async (w, self) => {
    const x = await w.proc('X');
    await w.on(x, (s) => s.process_flag('trap_exit', true));
    self.exit(x, 'r');
    return [self.is_process_alive(x), await w.inbox(x)];
  },

  'spawn: runs after the call': async (w, self) => {
    self.spawn((s) => s.send(self.pid, 'child'));
    self.send(self.pid, 'parent');
    return w.sorted(w.mbox());
  },
  'spawn: options link and monitor': async (w, self) => {
    w.trap();
    spawned(w, self, ['link', 'monitor'], (s) => s.exit('r'));
    return w.sorted(w.mbox());
  },
  'spawn: a monitor with a tag and an alias': async (w, self) => {
    const options: MonitorOption[] = [
      ['tag', 't'],
      ['alias', 'reply_demonitor'],
    ];
    const [p, m] = spawned(w, self, [['monitor', options]], async (s) => {
      await idle(s);
      s.exit('r');
    });
    self.send(m, 'a');
    self.send(m, 'b');
    self.send(p, 'stop');
    return [await w.mbox(), self.demonitor(m, ['info'])];
  },
  'spawn: the monitor of a tag': (w, self) => {
    spawned(w, self, [['monitor', [['tag', 't']]]], (s) => s.exit('r'));
    return w.mbox();
  },
  'spawn: what is no fun': (w, self) =>
    w.exAll([
      () => self.spawn('foo' as Any),
      () => self.spawn_link(1 as Any),
      () => self.spawn_monitor('foo' as Any),
      () => self.spawn_opt(() => 'ok', 'foo' as Any),
      () => self.spawn_opt('foo' as Any, []),
    ]),
  "spawn: a child has its parent's group leader": async (w, self) => {
    const x = await w.proc('X');
    self.group_leader(x, self.pid);
    return [self.process_info(self.spawn(idle), 'group_leader'), self.group_leader()];
  },

  'timer: start_timer': async (w, self) => {
    const r = w.name(self.start_timer(5, self.pid, 'm'), 'R');
    return [await w.rcv(), self.read_timer(r), self.cancel_timer(r)];
  },
  'timer: read and cancel before its end': async (w, self) => {
    const r = self.send_after(10_000, self.pid, 'm');
    const a = Number(self.read_timer(r));
    const b = Number(self.cancel_timer(r));
    const right = [a > 9000 && a <= 10_000, b > 9000 && b <= a];
    return [...right, self.cancel_timer(r), self.read_timer(r), await w.mbox()];
  },
  'timer: cancelled by another process': async (w, self) => {
    const r = self.send_after(20, self.pid, 'm');
    const x = await w.proc('X');
    const a = await w.on(x, (s) => Number.isInteger(s.cancel_timer(r)));
    await sleep(self, 40);
    return [a, await w.mbox0()];
  },
  'timer: cancel of what is none': (_, self) => {
    const ref = () => self.make_ref();
    return [
      self.cancel_timer(ref()),
      self.read_timer(ref()),
      self.cancel_timer(ref(), [['info', false]]),
      self.cancel_timer(ref(), [
        ['async', true],
        ['info', false],
      ]),
    ];
  },
  'timer: async answers of one that has run out': async (w, self) => {
    const r = w.name(self.send_after(0, self.pid, 'm'), 'R');
    const a = await w.rcv();
    self.cancel_timer(r, [['async', true]]);
    return [a, await w.rcv()];
  },
  'timer: in the order of their times': (w, self) => {
    for (const t of [30, 10, 20]) self.send_after(t, self.pid, t);
    return each([1, 2, 3], () => w.rcv());
  },
  'timer: abs': async (w, self) => {
    const n = Number(self.monotonic_time('millisecond'));
    self.send_after(n + 5, self.pid, 'a', [['abs', true]]);
    const a = await w.rcv();
    self.send_after(n - 1000, self.pid, 'b', [['abs', true]]);
    return [a, await w.rcv()];
  },
  'timer: to a dead process': async (w, self) => {
    const r = self.send_after(10_000, await w.dead(), 'm');
    return [r !== undefined, self.read_timer(r), self.cancel_timer(r)];
  },
  'timer: of a process that dies': async (w, self) => {
    const x = await w.proc('X');
    const r = self.send_after(10_000, x, 'm');
    self.exit(x, 'kill');
    return [self.read_timer(r), self.cancel_timer(r)];
  },
  'timer: to a name that changes hands': async (w, self) => {
    const [x, y] = [await w.proc('X'), await w.proc('Y')];
    self.register('orc_n1', x);
    self.send_after(20, 'orc_n1', 'm');
    self.unregister('orc_n1');
    self.register('orc_n1', y);
    await sleep(self, 40);
    return [await w.inbox(x), await w.inbox(y)];
  },
  'timer: not to {Name, Node}': (w, self) =>
    w.ex(() => self.send_after(1, ['orc_n1', self.node()] as Any, 'm')),

  'misc: hibernate with a message there': (w, self) => {
    self.spawn((s) => {
      s.send(s.pid, 'a');
      return s.hibernate(async (s) => s.send(self.pid, ['woken', await s.receive()]));
    });
    return w.rcv();
  },
  'misc: hibernate keeps the order of messages': async (w, self) => {
    const p = self.spawn((s) => s.hibernate(async (s) => s.send(self.pid, await w.mbox(s))));
    await settle(self);
    for (const m of ['a', 'b', 'c']) self.send(p, m);
    return w.rcv();
  },
  'misc: hibernate ends with what it runs': (w, self) =>
    each(DEATHS, async (die) => {
      const p = await w.proc('P');
      w.name(self.monitor('process', p), 'M');
      w.cast(p, async (s) => {
        try {
          await s.hibernate(die);
        } catch {
          return 'saved';
        }
      });
      await settle(self);
      self.send(p, 'go');
      return w.normalise(await w.rcv());
    }),
  'misc: hibernate and exit signals': async (w, self) => {
    const p = self.spawn((s) => {
      s.process_flag('trap_exit', true);
      return s.hibernate(async (s) => s.send(self.pid, await s.receive()));
    });
    await settle(self);
    self.exit(p, 'r');
    const a = await w.rcv();
    const q = w.name(
      self.spawn((s) => s.hibernate((s) => s.send(self.pid, 'never'))),
      'Q',
    );
    w.name(self.monitor('process', q), 'M');
    await settle(self);
    self.exit(q, 'r');
    return [a, await w.rcv()];
  },
  'misc: the dictionary': async (w, self) => {
    self.put('a', 1);
    self.put('b', 2);
    self.put('c', 1);
    const r = [
      await w.sorted(self.get()),
      await w.sorted(self.get_keys()),
      await w.sorted(self.get_keys(1)),
      self.get_keys(9),
    ];
    return [r, await w.sorted(self.erase()), self.get(), self.erase('a')];
  },
  'misc: unique integers': (_, self) => {
    const [a, b] = [self.unique_integer(), self.unique_integer()];
    const c = self.unique_integer(['positive']);
    const [d, e] = [self.unique_integer(['monotonic']), self.unique_integer(['monotonic'])];
    return [a !== b, c > 0, d < e];
  },
  'misc: clocks': (_, self) => {
    const error = self.system_time('second') - self.monotonic_time('second') - self.time_offset('second');
    const earlier = self.monotonic_time();
    return [error >= -1 && error <= 1, earlier <= self.monotonic_time()];
  },
};

function spawned(
  w: NeighbourWorld,
  self: Self,
  options: Parameters<Self['spawn_opt']>[1],
  body: Job,
): [Pid, Reference] {
  const [p, m] = self.spawn_opt(body as Any, options) as [Pid, Reference];
  return [w.name(p, 'P'), w.name(m, 'M')];
}
