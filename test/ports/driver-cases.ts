/** The cases that command a driver; the fixture has their Erlang. */
import type { Pid, Port } from '#actors/identifiers';
import { list } from '#actors/term';
import type { Self } from '#ports/self';
import { chars, type PortWorld } from './port-world';

type Play = (w: PortWorld, self: Self) => unknown;
type Any = never;

const FOO = list(256);

export const driverCases: Record<string, Play> = {
  drv_007: async (w, self) => {
    const p = w.drv('A');
    self.port_command(p, '');
    const data = await w.mbox0();
    self.port_close(p);
    return [data, w.takeLog()];
  },
  drv_008: (w, self) => {
    const p = w.drv('A some args');
    self.port_command(p, 'exyz');
    const [item, name] = self.port_info(p, 'name') as [string, string];
    return [[item, chars(name)], ...['os_pid', 'output', 'input'].map((other) => self.port_info(p, other))];
  },
  drv_009: (w) =>
    w.exAll(['fail_general', 'fail_errno', 'fail_badarg'].map((how) => () => w.drv(`A ${how}`))),
  drv_010: async (w) => {
    await w.ex(() => w.drv('A fail_general'));
    return w.takeLog();
  },
  drv_011: async (w, self) => {
    w.trap();
    const p = w.drv('A', { driver: 'orc_none' });
    const result = await w.ex(() => self.port_command(p, 'x'));
    self.send(p, [self.pid, ['command', 'x']]);
    return [result, await w.mbox(), w.isOpen(p)];
  },
  drv_012: async (w, self) => {
    const p = w.name(self.open_port(['spawn', 'orc_drv A'], ['binary']), 'Port');
    self.port_command(p, 'ehi');
    return [await w.mbox0(), self.port_info(p, 'os_pid')];
  },
  drv_013: async (w, self) => {
    w.trap();
    const p = w.drv('A');
    for (const bad of [self.pid, FOO]) await w.ex(() => self.port_command(p, bad as Any));
    self.send(p, [self.pid, ['command', FOO]]);
    const heard = await w.mbox();
    self.port_close(p);
    return [heard, await w.mbox0(), w.takeLog()];
  },
  drv_014: (w, self) => {
    self.port_command(w.drv('A'), 'e1');
    return w.mbox0();
  },
  drv_017: async (w) => {
    const p = w.drv('A');
    const x = await w.proc('X');
    await w.on(x, (s) => s.port_command(p, 'c'));
    return w.mbox0();
  },
  drv_019: async (w) => {
    const p = w.drv('A');
    const x = await w.proc('X');
    await w.on(x, (s) => s.port_control(p, 30, ''));
    return w.mbox0();
  },

  ctl_001: async (w, self) =>
    list<unknown>(
      await self.port_control(w.drv('A'), 1, 'abc'),
      await self.port_control(w.drv('A', { driver: 'orc_bin' }), 1, 'abc'),
    ),
  ctl_007: (w, self) => {
    const p = w.drv('A', { driver: 'orc_min' });
    return w.ex(() => self.port_control(p, 1, 'x'));
  },
  ctl_008: (w, self) => {
    const p = w.drv('A');
    self.send(p, [self.pid, ['command', 'n1']]);
    self.port_control(p, 1, '');
    self.port_command(p, 'n22');
    self.send(p, [self.pid, ['command', 'n333']]);
    self.port_control(p, 1, '');
    self.port_close(p);
    return w.takeLog();
  },
  ctl_010: async (w, self) => {
    w.trap();
    const p = w.drv('A');
    return [await w.ex(() => self.port_control(p, 18, '')), await w.mbox0(), w.isOpen(p)];
  },
  ctl_011: async (w) => {
    const o = await w.proc('Owner');
    const p = await w.ownedBy(o, (self) => w.drv('A', { self }));
    return [await w.on(o, (s) => s.port_control(p, 16, '')), await w.fate(o)];
  },

  call_001: (w, self) => {
    const p = w.drv('A');
    const terms = [
      'foo',
      ['a', list<unknown>(1, 2.5, chars('s')), Buffer.from('b'), new Map([['k', 'v']])],
      list(),
    ];
    return list(...terms.map((term) => self.port_call(p, 1, term)));
  },
  call_003: (w, self) => {
    const p = w.drv('A');
    const m = w.drv('B', { driver: 'orc_min' });
    const calls: [unknown, unknown][] = [
      [p, 2],
      [p, -1],
      [p, 2 ** 32],
      [p, 'foo'],
      [m, 1],
      [w.closed(), 1],
      ['foo_unreg', 1],
    ];
    return w.exAll(
      calls.map(
        ([port, operation]) =>
          () =>
            self.port_call(port as Any, operation as Any, 'x'),
      ),
    );
  },
  call_005: async (w, self) => {
    self.register('orc_n1', w.drv('A'));
    return w.on(await w.proc('X'), (s) => s.port_call('orc_n1', 1, 'hi'));
  },

  fail_001: async (w, self) => {
    w.trap();
    const p = w.drv('A');
    w.name(self.monitor('port', p), 'Mon');
    return [await w.ex(() => self.port_command(p, 'a')), await w.mbox0(), w.isOpen(p)];
  },
  fail_003: async (w, self) => {
    w.trap();
    const p = w.drv('A');
    return [await w.ex(() => self.port_command(p, 'x')), await w.mbox0()];
  },
  fail_009: async (w, self) => {
    w.trap();
    const p = w.drv('A dieatom');
    self.port_control(p, 7, '5');
    return [await w.rcv(), w.takeLog()];
  },
  fail_011: (w, self) => {
    w.trap();
    self.send(w.drv('A'), [self.pid, ['command', 'a']]);
    return w.mbox();
  },
  fail_012: async (w, self) => {
    w.trap();
    return [self.port_command(w.drv('A'), 'I'), await w.mbox0()];
  },

  down_001: async (w, self) => {
    w.trap();
    const p = w.drv('A');
    w.name(self.monitor('port', p), 'Mon');
    const x = await w.proc('X', 'trap');
    await w.on(x, (s) => s.link(p));
    self.send(p, [self.pid, 'close']);
    return [await w.mbox(), await w.inbox(x), w.takeLog()];
  },
  down_004: async (w, self) => {
    const p = w.drv('A');
    for (let i = 0; i < 3; i++) self.send(p, [self.pid, ['command', 'n']]);
    self.send(p, [self.pid, 'close']);
    return [await w.rcv(), w.takeLog()];
  },
  down_005: async (w, self) => {
    const p = w.drv('A');
    const n = await w.proc('New');
    self.port_command(p, 'e1');
    self.send(p, [self.pid, ['connect', n]]);
    self.port_command(p, 'e2');
    return [await w.mbox0(), await w.inbox(n)];
  },

  ord_008: (w, self) => {
    const p = w.drv('A');
    self.unlink(p);
    self.send(p, [self.pid, ['command', 'n']]);
    self.exit(p, 'boom');
    self.send(p, [self.pid, ['command', 'nn']]);
    return w.takeLog();
  },

  drv_002: async (w, self) => {
    const p = w.drv('A', { driver: 'orc_v' });
    self.port_command(p, list<unknown>(chars('e'), list<unknown>(Buffer.from('xy'), 122)) as Any);
    const data = await w.mbox0();
    self.port_close(p);
    return [data, w.takeLog(w.logs.orc_v)];
  },
  drv_006: async (w, self) => {
    const heard = list<unknown>();
    for (const options of [['binary'], []]) {
      self.port_command(w.drv('A', { options }), 'hxy');
      heard.push(await w.mbox0());
    }
    return heard;
  },
  drv_020: async (w) => [w.ctl(w.drv('A'), 13), await w.mbox0()],
  drv_022: async (w) => {
    const p = w.drv('A');
    const x = await w.proc('X');
    return [await w.on(x, (s) => s.port_control(p, 14, '')), await w.inbox(x), await w.mbox0()];
  },
  drv_023: async (w, self) => {
    const p = w.drv('A');
    const x = await w.proc('X');
    await w.on(x, (s) => s.port_control(p, 25, ''));
    const [[, q]] = (await w.on(x, (s) => w.mbox0(s))) as [['created', Port]];
    w.name(q, 'Q');
    const [item, name] = self.port_info(q, 'name') as [string, string];
    return [w.owner(q), w.portLinks(q), [item, chars(name)]];
  },
  drv_024: async (w, self) => {
    const p = w.drv('A');
    w.ctl(p, 26);
    w.ctl(p, 27);
    const data = await w.rcv();
    self.port_close(p);
    await w.sleep(5);
    return [data, w.takeLog()];
  },
  drv_026: async (w, self) => {
    const p = w.drv('A');
    w.ctl(p, 15, 'job');
    self.port_close(p);
    await w.sleep(50);
    return [await w.mbox0(), w.takeLog()];
  },

  call_004: (w, self) => {
    const p = w.drv('A');
    return w.ex(() => self.port_call(p, 3, 'x'));
  },

  fail_004: async (w, self) => {
    w.trap();
    const p = w.drv('A', { options: ['binary', 'eof'] });
    self.port_command(p, 'x');
    return [await w.mbox0(), w.isOpen(p)];
  },
  fail_005: (w, self) => exitOf(w, self, 'E'),
  fail_006: (w, self) => exitOf(w, self, 'F'),
  fail_007: async (w, self) => {
    w.trap();
    const p = w.drv('A');
    return [await w.ex(() => self.port_command(p, 'D')), await w.mbox0(), w.takeLog()];
  },

  flush_003: async (w, self) => {
    const p = draining(w, self);
    self.port_close(p);
    await w.sleep(60);
    return [await w.mbox0(), w.takeLog()];
  },
  flush_004: async (w, self) => {
    const p = draining(w, self);
    self.port_close(p);
    self.send(p, [self.pid, ['command', 'ex']]);
    const results = await w.exAll([
      () => self.port_command(p, 'ex'),
      () => w.ctl(p, 1),
      () => self.port_connect(p, self.pid),
      () => self.port_close(p),
      () => list(...(self.port_info(p) as [string, unknown][]).map(([key]) => key)),
      () => self.port_call(p, 1, 't'),
      () => self.port_info(p, 'links'),
      () => self.link(p),
      () => self.register('orc_n1', p),
    ]);
    return [results, await w.mbox0()];
  },
  flush_005: async (w, self) => {
    w.trap();
    self.exit(draining(w, self), 'kill');
    return [await w.mbox0(), w.takeLog()];
  },
  flush_006: async (w, self) => {
    w.trap();
    self.exit(draining(w, self), 'boom');
    await w.sleep(60);
    return [await w.mbox0(), w.takeLog()];
  },
  flush_007: (w) => ownerEnds(w, (o) => w.cast(o, (s) => s.exit('boom'))),
  flush_008: (w, self) => ownerEnds(w, (o) => self.exit(o, 'kill')),
  flush_012: async (w, self) => {
    w.trap();
    const p = draining(w, self, 'A flusheof');
    self.send(p, [self.pid, 'close']);
    return [await w.mbox(), w.takeLog()];
  },
  flush_013: async (w, self) => {
    w.trap();
    const p = draining(w, self, 'A flushatom');
    w.name(self.monitor('port', p), 'Mon');
    self.send(p, [self.pid, 'close']);
    return [await w.mbox(), w.takeLog()];
  },
  flush_015: (w, self) => {
    const p = w.drv('A');
    return [
      w.ctl(p, 31, 'bcd'),
      w.ctl(p, 32, 'a'),
      w.ctl(p, 33),
      w.ctl(p, 34, '2'),
      w.ctl(p, 33),
      w.ctl(p, 28),
      self.port_info(p, 'queue_size'),
      w.ctl(p, 6),
      w.ctl(p, 28),
    ];
  },
  flush_018: async (w, self) => {
    const p = draining(w, self);
    self.port_close(p);
    self.send(p, [self.pid, 'close']);
    return w.mbox(self, 30);
  },
  flush_020: async (w, self) => {
    w.trap();
    const p = draining(w, self);
    self.unlink(p);
    self.port_close(p);
    self.send(p, 'hello');
    const x = await w.proc('X');
    await w.on(x, (s) => s.send(p, [s.pid, 'close']));
    return w.mbox(self, 30);
  },

  tmr_001: async (w) => {
    w.ctl(w.drv('A'), 7, '5');
    return [await w.rcv(), await w.mbox()];
  },
  tmr_002: async (w) => {
    const p = w.drv('A');
    w.ctl(p, 7, '30');
    w.ctl(p, 8);
    await w.sleep(60);
    return w.mbox0();
  },
  tmr_003: async (w) => {
    const p = w.drv('A');
    w.ctl(p, 7, '10');
    w.ctl(p, 7, '20');
    await w.sleep(80);
    return w.mbox0();
  },
  tmr_004: (w) => {
    const p = w.drv('A');
    const before = w.ctl(p, 9);
    w.ctl(p, 7, '5000');
    const running = w.ctl(p, 9);
    w.ctl(p, 8);
    return [before, running, w.ctl(p, 9)];
  },
  tmr_005: async (w, self) => {
    const p = w.drv('A');
    w.ctl(p, 7, '20');
    self.port_close(p);
    await w.sleep(60);
    return [await w.mbox0(), w.takeLog()];
  },
  tmr_006: async (w, self) => {
    const p = w.drv('A');
    const n = await w.proc('New');
    w.ctl(p, 7, '20');
    self.port_connect(p, n);
    await w.sleep(50);
    return [await w.mbox0(), await w.inbox(n)];
  },

  dmon_001: async (w, self) => {
    const p = w.drv('A');
    const x = await w.proc('X');
    await w.on(x, (s) => s.port_control(p, 12, ''));
    const monitors = self.port_info(p, 'monitors');
    w.cast(x, (s) => s.exit('normal'));
    await w.fate(x);
    return [monitors, await w.mbox0(), self.port_info(p, 'monitors'), w.takeLog()];
  },
  dmon_002: async (w) => {
    const p = w.drv('A');
    const x = await w.proc('X');
    const result = await w.on(x, (s) => s.port_control(p, 12, ''));
    const first = w.ctl(p, 11);
    const second = w.ctl(p, 11);
    w.cast(x, (s) => s.exit('x'));
    await w.fate(x);
    return [result, first, second, w.takeLog()];
  },
  dmon_004: async (w) => {
    const o = await w.proc('Owner');
    const p = await w.ownedBy(o, (self) => {
      const q = w.drv('A', { self });
      self.unlink(q);
      self.port_control(q, 10, '');
      return q;
    });
    w.cast(o, (s) => s.exit('x'));
    await w.fate(o);
    return [w.isOpen(p), w.takeLog()];
  },

  busy_001: (w, self) => {
    const p = busy(w);
    const refused = self.port_command(p, 'n', ['nosuspend']);
    const log = w.takeLog();
    w.ctl(p, 5);
    return [refused, log, self.port_command(p, 'n', ['nosuspend'])];
  },
  busy_003: async (w, self) => {
    const x = await w.proc('X');
    const p = busy(w);
    w.cast(x, (s) => s.send(p, [self.pid, ['command', 'n']]));
    const status = await w.suspended(x);
    const log = w.takeLog();
    w.ctl(p, 5);
    await w.on(x, () => 'ok');
    return [status, log, w.takeLog()];
  },
  busy_004: (w, self) => {
    const p = busy(w);
    const message = [self.pid, ['command', 'n']];
    return [self.send(p, message, ['nosuspend']), self.send_nosuspend(p, message), w.takeLog()];
  },
  busy_005: async (w, self) => {
    const p = busy(w);
    const q = busy(w, 'B', 'orc_soft');
    w.takeLog(w.logs.orc_soft);
    return [
      await w.ex(() => self.port_command(p, 'n', ['force'])),
      await w.ex(() => self.port_command(q, 'n', ['force'])),
      w.takeLog(),
      w.takeLog(w.logs.orc_soft),
    ];
  },
  busy_007: async (w, self) => {
    const q = w.drv('B', { driver: 'orc_soft' });
    return [self.port_command(q, 'n', ['force']), self.port_command(q, 'en'), await w.mbox0()];
  },
  busy_009: async (w, self) => {
    const x = await w.proc('X');
    const p = busy(w);
    w.cast(x, async (s) => s.put('r', await w.ex(() => s.port_command(p, 'n'))));
    await w.suspended(x);
    return [self.port_close(p), await w.on(x, (s) => s.get('r'))];
  },
  busy_014: (w, self) => {
    const p = busy(w);
    return w.ex(() => self.port_command(p, FOO as Any, ['nosuspend']));
  },
  busy_016: async (w, self) => {
    const p = w.drv('A');
    const x = await w.proc('X');
    const first = self.port_command(p, 'B');
    w.cast(x, (s) => s.port_command(p, 'n'));
    return [first, await w.suspended(x), self.port_command(p, 'n', ['nosuspend'])];
  },
  busy_017: async (w, self) => {
    const x = await w.proc('X');
    const p = busy(w);
    w.cast(x, (s) => s.port_command(p, 'n'));
    await w.suspended(x);
    self.exit(x, 'kill');
    const fate = await w.fate(x);
    w.ctl(p, 5);
    await w.sleep(5);
    return [fate, w.takeLog()];
  },
  busy_018: async (w, self) => {
    const x = await w.proc('X', 'trap');
    const p = busy(w);
    w.cast(x, (s) => s.port_command(p, 'n'));
    await w.suspended(x);
    self.send(x, 'hi');
    self.exit(x, 'boom');
    const status = await w.suspended(x);
    w.ctl(p, 5);
    return [status, await w.inbox(x)];
  },
  busy_019: (w, self) => self.port_command(w.drv('A busy0'), 'n', ['nosuspend']),
  busy_020: (w, self) => {
    w.trap();
    self.send(busy(w), 'hello');
    return w.mbox();
  },
  busy_021: async (w) => {
    w.trap();
    const x = await w.proc('X');
    const p = busy(w);
    w.cast(x, (s) => s.send(p, [s.pid, ['command', 'n']]));
    const status = await w.suspended(x);
    const before = await w.mbox0();
    w.ctl(p, 5);
    return [status, before, await w.mbox()];
  },
  busy_023: async (w, self) => {
    const x = await w.proc('X');
    self.system_monitor(self.pid, ['busy_port']);
    const p = busy(w);
    w.cast(x, (s) => s.port_command(p, 'n'));
    await w.suspended(x);
    self.system_monitor('undefined');
    w.ctl(p, 5);
    return w.mbox0();
  },

  down_002: async (w, self) => {
    const p = w.drv('A');
    self.send(p, [self.pid, ['connect', await w.dead()]]);
    await w.rcv();
    self.port_command(p, 'exy');
    self.port_command(p, 'c');
    return [w.isOpen(p), w.takeLog()];
  },
};

/** driver_exit, for the owner and for another who is linked. */
async function exitOf(w: PortWorld, self: Self, command: string): Promise<unknown> {
  w.trap();
  const p = w.drv('A');
  const x = await w.proc('X', 'trap');
  await w.on(x, (s) => s.link(p));
  w.name(self.monitor('port', p), 'Mon');
  return [await w.ex(() => self.port_command(p, command)), await w.mbox0(), await w.inbox(x), w.isOpen(p)];
}

/** A port with three bytes in its queue. */
function draining(w: PortWorld, self: Self, args = 'A drain'): Port {
  const p = w.drv(args, { self });
  self.port_command(p, 'qabc');
  return p;
}

async function ownerEnds(w: PortWorld, end: (owner: Pid) => void): Promise<unknown> {
  const o = await w.proc('Owner');
  await w.ownedBy(o, (s) => draining(w, s));
  end(o);
  await w.sleep(60);
  return w.takeLog();
}

/** A busy port; what has been logged until here is forgotten. */
function busy(w: PortWorld, args = 'A', driver = 'orc_drv'): Port {
  const p = w.drv(args, { driver });
  w.ctl(p, 4);
  w.takeLog();
  return p;
}
