/** The cases that command a driver; the fixture has their Erlang. */
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
};
