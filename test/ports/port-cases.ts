/** The cases that hold for ports of any kind; the fixture has their Erlang. */
import { type Pid, Port, Reference } from '#actors/identifiers';
import { isTuple, list } from '#actors/term';
import type { Self } from '#ports/self';
import { chars, type PortWorld } from './port-world';

type Play = (w: PortWorld, self: Self) => unknown;
type Any = never;

/** What the cases call foo: no iodata. Text would be. */
const FOO = list(256);
const bytes = (text: string) => Buffer.from(text, 'latin1');
const keys = (info: unknown) => list(...(info as [string, unknown][]).map(([key]) => key));

export const portCases: Record<string, Play> = {
  open_001: (w) => {
    const p = w.cat();
    return [p instanceof Port, w.owner(p), w.portLinks(p), (w.ownLinks() as string[]).includes('<Port>')];
  },

  cmd_001: async (w, self) => [self.port_command(w.cat(), bytes('hello')), await w.rcv()],
  cmd_002: async (w, self) => {
    const p = w.cat();
    const improper = list<unknown>(bytes('a'));
    improper.tail = bytes('b');
    const received = list<unknown>();
    for (const data of [
      chars('abc'),
      list<unknown>(bytes('a'), 98, list(list(), chars('c'))),
      improper,
      list(list(list(list(bytes('x'))))),
      list(255, 0),
    ]) {
      self.port_command(p, data as Any);
      received.push(await w.rcv());
    }
    return received;
  },
  cmd_006: async (w) => {
    const p = w.cat();
    const x = await w.proc('X');
    return [await w.on(x, (s) => s.port_command(p, chars('from x'))), await w.rcv(), await w.inbox(x)];
  },
  cmd_007: async (w) => {
    w.trap();
    const p = w.cat();
    const x = await w.proc('X');
    return [await w.on(x, (s) => w.ex(() => s.port_command(p, FOO))), await w.mbox(), w.isOpen(p)];
  },
  cmd_012: (w, self) => {
    const p = w.cat();
    const improper = list('nosuspend');
    improper.tail = 'x';
    const options: unknown[] = [
      [],
      ['nosuspend'],
      ['force'],
      ['nosuspend', 'force'],
      ['foo'],
      improper,
      'foo',
      ['nosuspend', 'nosuspend'],
    ];
    return w.exAll(options.map((each) => () => self.port_command(p, bytes('x'), each as Any)));
  },
  cmd_018: async (w, self) => {
    const p = w.cat();
    for (let i = 1; i <= 50; i++) self.port_command(p, list(i));
    for (let i = 1; i <= 50; i++) {
      const [, [, data]] = (await w.rcv()) as [Port, ['data', Buffer]];
      if (data.length !== 1 || data[0] !== i) return false;
    }
    return true;
  },

  bang_003: async (w, self) => {
    const p = w.cat();
    const x = await w.proc('X');
    await w.on(x, (s) => s.send(p, [self.pid, ['command', chars('x')]]));
    return [await w.rcv(), await w.inbox(x)];
  },
  bang_004: async (w, self) => {
    w.trap();
    const p = w.cat();
    const x = await w.proc('X', 'trap');
    await w.on(x, (s) => s.send(p, [s.pid, ['command', chars('x')]]));
    return [
      await w.mbox(),
      await w.inbox(x),
      await w.fate(x),
      self.port_command(p, chars('still')),
      await w.rcv(),
    ];
  },
  bang_006: async (w, self) => {
    w.trap();
    const p = w.cat();
    const x = await w.proc('X', 'trap');
    self.send(p, [x, ['command', chars('x')]]);
    return [await w.mbox(), await w.inbox(x), w.isOpen(p)];
  },
  bang_008: async (w, self) => {
    w.trap();
    const p = w.cat();
    const x = await w.proc('X', 'trap');
    self.send(p, [x, ['command', FOO]]);
    return [await w.mbox(), await w.inbox(x)];
  },
  bang_009: async (w, self) => {
    w.trap();
    const p = w.cat();
    const heard = list<unknown>();
    for (const garbage of [
      'hello',
      ['a'],
      ['a', 'b'],
      [self.pid, 'foo'],
      [self.pid, ['foo', 1]],
      [self.pid, ['command', chars('a'), 'x']],
      [self.pid, 'close', 1],
      ['foo', 'close'],
      list(),
      bytes('x'),
      [self.pid, ['connect', 'nopid']],
      [p, 'close'],
      [self.pid, list('close')],
    ]) {
      self.send(p, garbage);
      heard.push(await w.mbox());
    }
    return [heard, w.isOpen(p)];
  },
  bang_011: async (w, self) => {
    w.trap();
    const p = w.cat();
    self.unlink(p);
    self.send(p, 'hello');
    return [await w.mbox(), w.isOpen(p)];
  },
  bang_012: async (w, self) => {
    const o = await w.proc('Owner');
    const p = await w.ownedBy(o, unlinkedCat(w));
    self.send(p, 'hello');
    return [await w.fate(o), w.isOpen(p), w.owner(p)];
  },
  bang_013: async (w, self) => {
    const p = w.cat();
    self.send(p, [self.pid, 'close']);
    return [await w.rcv(), await w.mbox(), w.isOpen(p)];
  },
  bang_014: (w, self) => {
    w.trap();
    self.send(w.cat(), [self.pid, 'close']);
    return w.mbox();
  },
  bang_015: (w, self) => {
    const p = w.cat();
    self.send(p, [self.pid, 'close']);
    self.send(p, [self.pid, 'close']);
    return w.mbox();
  },
  bang_018: async (w, self) => {
    const p = w.cat();
    const x = await w.proc('X');
    await w.on(x, (s) => s.send(p, [self.pid, 'close']));
    return [await w.mbox(), await w.inbox(x)];
  },
  bang_019: async (w) => {
    w.trap();
    const p = w.cat();
    const x = await w.proc('X');
    await w.on(x, (s) => s.send(p, [s.pid, 'close']));
    return [await w.mbox(), await w.inbox(x), w.isOpen(p)];
  },
  bang_020: async (w, self) => {
    const p = w.cat();
    const n = await w.proc('New');
    self.send(p, [self.pid, ['connect', n]]);
    return [await w.rcv(), w.owner(p), w.portLinks(p), await w.inbox(n)];
  },
  bang_021: async (w, self) => {
    const p = w.cat();
    const n = await w.proc('New');
    self.send(p, [self.pid, ['connect', n]]);
    await w.rcv();
    self.port_command(p, chars('x'));
    return [await w.inbox(n), await w.mbox()];
  },
  bang_023: async (w) => {
    w.trap();
    const p = w.cat();
    const x = await w.proc('X');
    await w.on(x, (s) => s.send(p, [s.pid, ['connect', s.pid]]));
    return [await w.mbox(), await w.inbox(x), w.owner(p)];
  },
  bang_026: async (w, self) => {
    const p = w.cat();
    self.send(p, [self.pid, ['connect', self.pid]]);
    return [await w.mbox(), w.owner(p), w.portLinks(p)];
  },
  bang_027: async (w, self) => {
    w.trap();
    const p = w.cat();
    const heard = list<unknown>();
    for (const nobody of ['foo', 1, p, self.make_ref()]) {
      self.send(p, [self.pid, ['connect', nobody]]);
      heard.push(await w.mbox());
    }
    return [heard, w.owner(p)];
  },
  bang_030: async (w) => {
    const outcomes = list<unknown>();
    for (const reason of ['normal', 'boom']) {
      const o = await w.proc('Owner');
      const n = await w.proc('New', 'trap');
      const p = (await w.on(o, async (s) => {
        const q = w.cat(s);
        s.send(q, [s.pid, ['connect', n]]);
        await s.receive((m) => isTuple(m) && m[0] === q && m[1] === 'connected');
        return q;
      })) as Port;
      w.cast(o, (s) => s.exit(reason));
      await w.fate(o);
      outcomes.push([reason, w.isOpen(p), await w.inbox(n)]);
    }
    return outcomes;
  },
  bang_031: async (w, self) => {
    self.register('orc_n1', w.cat());
    self.send('orc_n1', [self.pid, ['command', chars('n')]]);
    return [await w.rcv(), await w.ex(() => self.send('orc_n2', [self.pid, 'close']))];
  },
  bang_034: async (w, self) => {
    const p = w.cat();
    self.register('orc_n1', p);
    const message = [self.pid, ['command', chars('t')]];
    return [
      await w.ex(() => self.send_after(1, p as Any, message)),
      await w.ex(() => self.send_after(1, 'orc_n1', message) instanceof Reference),
      (await self.receive(undefined, { after: 50 })) ?? 'timeout',
    ];
  },
  bang_035: async (w, self) => {
    const p = w.cat();
    const x = await w.proc('X', 'trap');
    await w.on(x, (s) => s.link(p));
    self.send(p, [self.pid, 'close']);
    return [await w.mbox(), await w.inbox(x)];
  },
  bang_036: (w, self) => {
    w.trap();
    const p = w.cat();
    for (const bad of ['a', 'b', 'c']) self.send(p, bad);
    return w.mbox();
  },
  bang_037: async (w, self) => {
    const p = w.cat();
    const n = await w.proc('New');
    self.send(p, [self.pid, ['connect', n]]);
    self.send(p, [n, 'close']);
    return [await w.mbox(), await w.inbox(n)];
  },

  close_001: async (w, self) => {
    const p = w.cat();
    return [self.port_close(p), await w.mbox(), w.isOpen(p)];
  },
  close_002: async (w, self) => {
    w.trap();
    return [self.port_close(w.cat()), await w.mbox0()];
  },
  close_004: async (w, self) => {
    const p = w.cat();
    return [self.port_close(p), await w.ex(() => self.port_close(p))];
  },
  close_005: (w, self) =>
    w.exAll(
      [self.pid, 'foo_unregistered', 1, 'undefined', list(), self.make_ref()].map(
        (x) => () => self.port_close(x as Any),
      ),
    ),
  close_007: (w, self) => {
    const p = w.cat();
    w.name(self.monitor('port', p), 'Mon');
    self.port_close(p);
    return w.mbox0();
  },
  close_009: async (w, self) => {
    const p = w.cat();
    self.port_command(p, chars('a'));
    await w.settle();
    self.port_close(p);
    return [await w.mbox(), await w.ex(() => self.port_command(p, chars('b')))];
  },
  close_010: async (w, self) => {
    const p = w.cat();
    self.send(p, [self.pid, 'close']);
    return [await w.ex(() => self.port_close(p)), await w.mbox0()];
  },

  conn_001: async (w, self) => {
    const p = w.cat();
    const n = await w.proc('New');
    return [self.port_connect(p, n), w.owner(p), w.portLinks(p), await w.mbox(), await w.inbox(n)];
  },
  conn_005: (w, self) =>
    w.exAll(
      [w.closed(), self.pid, 'foo_unregistered', 1].map((x) => () => self.port_connect(x as Any, self.pid)),
    ),
  conn_006: async (w, self) => {
    const p = w.cat();
    return [self.port_connect(p, self.pid), w.owner(p), w.portLinks(p), await w.mbox()];
  },
  conn_008: async (w, self) => {
    const p = w.cat();
    const n = await w.proc('New');
    self.port_connect(p, n);
    self.port_command(p, chars('x'));
    return [await w.inbox(n), await w.mbox()];
  },
  conn_009: async (w) => {
    const outcomes = list<unknown>();
    for (const reason of ['normal', 'boom', 'kill', 'shutdown']) {
      const o = await w.proc('Owner');
      const n = await w.proc('New', 'trap');
      const p = await w.ownedBy(o, connectedCat(w, n));
      w.cast(o, (s) => s.exit(reason));
      await w.fate(o);
      outcomes.push([reason, w.isOpen(p), await w.inbox(n)]);
    }
    return outcomes;
  },
  conn_010: async (w) => {
    const o = await w.proc('Owner');
    const n = await w.proc('New', 'trap');
    const p = await w.ownedBy(o, (s) => {
      const q = connectedCat(w, n)(s);
      s.unlink(q);
      return q;
    });
    w.cast(o, (s) => s.exit('boom'));
    await w.fate(o);
    return [w.isOpen(p), w.portLinks(p), await w.inbox(n)];
  },
  conn_012: async (w) => {
    const o = await w.proc('Owner');
    const n = await w.proc('New');
    const p = await w.ownedBy(o, connectedCat(w, n));
    w.cast(n, (s) => s.exit('boom'));
    await w.fate(n);
    return [w.isOpen(p), await w.fate(o)];
  },
  conn_014: async (w, self) => {
    const p = w.cat();
    const a = await w.proc('A');
    await w.on(a, (s) => s.link(p));
    return [self.port_connect(p, a), w.portLinks(p)];
  },
  conn_015: async (w, self) => {
    w.trap();
    const p = w.cat();
    const n = await w.proc('New');
    self.send(p, [self.pid, ['connect', n]]);
    await w.rcv();
    await w.on(n, (s) => s.link(p));
    w.cast(n, (s) => s.exit('normal'));
    await w.fate(n);
    return [w.isOpen(p), await w.mbox()];
  },

  death_001: (w) => w.ownerDies((s) => s.exit('normal')),
  death_002: (w) => w.ownerDies((s) => s.exit('boom')),
  death_003: (w) => w.ownerDies((s) => s.exit('kill')),
  death_005: (w) => w.ownerDies((s) => s.exit('shutdown')),
  death_008: async (w, self) => {
    const o = await w.proc('Owner');
    const p = await w.ownedBy(o, unlinkedCat(w));
    w.cast(o, (s) => s.exit('boom'));
    return [
      await w.fate(o),
      w.isOpen(p),
      w.owner(p),
      w.portLinks(p),
      self.port_command(p, chars('x')),
      self.port_close(p),
    ];
  },
  death_012: (w) => w.linkedDies((s) => s.exit(s.pid, 'kill')),
  death_013: async (w, self) => {
    const o = await w.proc('Owner');
    await w.ownedBy(o, (s) => {
      const q = w.cat(s);
      s.register('orc_n1', s.pid);
      s.register('orc_n2', q);
      return q;
    });
    w.cast(o, (s) => s.exit('x'));
    await w.fate(o);
    return [self.whereis('orc_n1'), self.whereis('orc_n2')];
  },

  exitp_001: (w) => w.exitPort('owner', 'boom'),
  exitp_002: (w) => w.exitPort('other', 'boom'),
  exitp_004: (w) => w.exitPort('owner', 'normal'),
  exitp_005: (w) => w.exitPort('other', 'normal'),
  exitp_006: (w) => w.exitPort('linked', 'normal'),
  exitp_007: (w) => w.exitPort('owner', 'kill'),
  exitp_008: (w) => w.exitPort('other', 'kill'),
  exitp_010: async (w) => {
    const o = await w.proc('Owner');
    const p = await w.ownedBy(o);
    w.cast(o, (s) => s.exit(p, 'boom'));
    return [await w.fate(o), w.isOpen(p)];
  },
  exitp_011: async (w, self) => {
    const p = w.closed();
    const q = w.cat();
    self.register('orc_n1', q);
    return [self.exit(p, 'boom'), await w.ex(() => self.exit('orc_n1' as Any, 'boom')), w.isOpen(q)];
  },

  plink_001: async (w) => {
    const p = w.cat();
    const x = await w.proc('X');
    await w.on(x, (s) => [s.link(p), s.link(p)]);
    const before = w.portLinks(p);
    await w.on(x, (s) => s.unlink(p));
    return [before, w.portLinks(p)];
  },
  plink_003: async (w, self) => {
    w.trap();
    const p = w.closed();
    return [await w.ex(() => self.link(p)), await w.mbox()];
  },
  plink_006: (w, self) => {
    w.trap();
    const p = w.cat();
    self.unlink(p);
    self.port_close(p);
    return w.mbox();
  },
  plink_007: (w, self) => {
    w.trap();
    const p = w.cat();
    self.port_close(p);
    self.unlink(p);
    return w.mbox();
  },
  plink_009: async (w, self) => {
    w.cat();
    self.link(await w.proc('X'));
    return w.ownLinks();
  },
  plink_010: async (w, self) => {
    const fates = list<unknown>();
    for (const end of [
      (p: Port) => self.port_close(p),
      (p: Port) => self.send(p, [self.pid, 'close']),
      (p: Port) => self.exit(p, 'boom'),
      (p: Port) => self.exit(p, 'normal'),
    ]) {
      const p = unlinkedCat(w)(self);
      const x = await w.proc('X');
      await w.on(x, (s) => s.link(p));
      end(p);
      fates.push(await w.fate(x));
    }
    return fates;
  },

  pmon_004: (w, self) => {
    w.name(self.monitor('port', w.closed()), 'Mon');
    return w.rcv();
  },
  pmon_005: (w, self) => {
    w.name(self.monitor('port', 'orc_n9'), 'Mon');
    return w.rcv();
  },
  pmon_006: (w, self) => {
    const p = w.cat();
    const pairs = [
      ['port', self.pid],
      ['process', p],
      ['foo', p],
      ['port', 1],
      ['port', self.make_ref()],
      ['port', ['a', 'b', 'c']],
      ['port', chars('x')],
    ];
    return w.exAll(
      pairs.map(
        ([kind, item]) =>
          () =>
            self.monitor(kind as Any, item as Any),
      ),
    );
  },
  pmon_007: async (w, self) => {
    self.register('orc_n1', w.cat());
    self.register('orc_n2', self.pid);
    const heard = list<unknown>();
    self.monitor('port', 'orc_n2');
    heard.push(await w.mbox());
    self.monitor('process', 'orc_n1');
    heard.push(await w.mbox());
    return heard;
  },
  pmon_009: async (w, self) => {
    const p = w.cat();
    const m = self.monitor('port', p);
    const first = self.demonitor(m);
    self.port_close(p);
    return [first, self.demonitor(m), await w.mbox()];
  },
  pmon_010: async (w, self) => {
    const p = w.cat();
    const m1 = self.monitor('port', p);
    const m2 = w.name(self.monitor('port', p), 'M2');
    const active = self.demonitor(m1, ['info']);
    self.port_close(p);
    return [active, self.demonitor(m2, ['info']), await w.mbox0(), self.demonitor(m2, ['flush', 'info'])];
  },
  pmon_012: (w, self) => {
    const p = w.cat();
    w.name(self.monitor('port', p), 'M1');
    w.name(self.monitor('port', p), 'M2');
    self.port_close(p);
    return w.mbox0();
  },
  pmon_014: async (w, self) => {
    const p = w.cat();
    w.name(self.monitor('port', p, [['tag', 'mytag']]), 'Mon');
    self.port_close(p);
    return [
      await w.mbox0(),
      await w.ex(() => self.monitor('port', w.cat(), [['alias', 'explicit_unalias']]) instanceof Reference),
      await w.ex(() => self.monitor('port', w.cat(), ['foo' as Any])),
    ];
  },
  pmon_016: async (w, self) => {
    const p = w.cat();
    self.register('orc_n1', p);
    w.name(self.monitor('port', 'orc_n1'), 'Mon');
    self.unregister('orc_n1');
    const q = w.cat();
    self.register('orc_n1', q);
    self.port_close(q);
    const before = await w.mbox();
    self.port_close(p);
    return [before, await w.mbox()];
  },
  pmon_017: async (w, self) => {
    const o = await w.proc('Owner', 'trap');
    const p = await w.ownedBy(o);
    w.name(self.monitor('port', p), 'Mon');
    self.port_close(p);
    return [await w.mbox0(), await w.inbox(o)];
  },
  pmon_018: async (w, self) => {
    const p = w.cat();
    const x = await w.proc('X');
    await w.on(x, (s) => s.monitor('port', p));
    const before = self.port_info(p, 'monitored_by');
    w.cast(x, (s) => s.exit('x'));
    await w.fate(x);
    return [before, self.port_info(p, 'monitored_by')];
  },

  info_001: (w, self) => {
    const p = w.cat();
    const [item, name] = self.port_info(p, 'name') as [string, string];
    const others = [
      'connected',
      'links',
      'registered_name',
      'input',
      'output',
      'monitors',
      'monitored_by',
      'queue_size',
      'locking',
    ];
    return [[item, chars(name)], ...others.map((other) => self.port_info(p, other))];
  },
  info_003: (w, self) => keys(self.port_info(w.cat())),
  info_004: (w, self) => {
    const p = w.cat();
    self.register('orc_n1', p);
    return keys(self.port_info(p));
  },
  info_006: (w, self) => {
    self.register('orc_n1', w.cat());
    const asked = ['orc_n1', 'orc_n9', self.pid, 1, chars('x'), self.make_ref()];
    return w.exAll(asked.map((x) => () => self.port_info(x as Any, 'connected')));
  },
  info_008: (w, self) => {
    const p = w.cat();
    self.register('orc_n1', p);
    const before = self.port_info(p, 'registered_name');
    self.unregister('orc_n1');
    return [before, self.port_info(p, 'registered_name')];
  },
  info_009: async (w, self) => {
    const p = w.cat();
    const n = await w.proc('New');
    self.port_connect(p, n);
    const before = self.port_info(p, 'connected');
    self.send(p, [n, ['connect', await w.dead()]]);
    return [before, self.port_info(p, 'connected')];
  },
  info_011: async (w, self) => {
    const p = w.cat();
    const unset = await w.ex(() => self.port_get_data(p));
    const set = self.port_set_data(p, ['a', chars('b')]);
    const data = self.port_get_data(p);
    self.port_close(p);
    const get = await w.ex(() => self.port_get_data(p));
    return [unset, set, data, get, await w.ex(() => self.port_set_data(p, 1))];
  },

  name_001: (w, self) => {
    const p = w.cat();
    return [
      self.register('orc_n1', p),
      self.whereis('orc_n1'),
      self.registered().includes('orc_n1'),
      self.unregister('orc_n1'),
      self.whereis('orc_n1'),
    ];
  },
  name_003: async (w, self) => {
    const p = w.cat();
    self.register('orc_n1', p);
    const taken = await w.ex(() => self.register('orc_n1', self.pid));
    self.register('orc_n2', self.pid);
    return [taken, await w.ex(() => self.register('orc_n2', p))];
  },
  name_004: (w, self) => {
    const p = w.closed();
    return w.ex(() => self.register('orc_n1', p));
  },
  name_005: (w, self) => {
    const p1 = w.cat();
    self.register('orc_n1', p1);
    self.port_close(p1);
    const p2 = unlinkedCat(w)(self);
    self.register('orc_n2', p2);
    self.exit(p2, 'x');
    return [self.whereis('orc_n1'), self.whereis('orc_n2')];
  },
  name_006: async (w, self) => {
    w.trap();
    const p = w.cat();
    self.register('orc_n1', p);
    self.exit(p, 'x');
    await self.receive((m) => isTuple(m) && m[0] === 'EXIT' && m[1] === p);
    return self.register('orc_n1', self.pid);
  },

  ctlx_001: async (w, self) => {
    const p = w.cat();
    return [
      await w.ex(() => self.port_control(p, 1, chars('x'))),
      await w.ex(() => self.port_call(p, 1, 'x')),
      w.isOpen(p),
    ];
  },
};

function unlinkedCat(w: PortWorld): (self: Self) => Port {
  return (self) => {
    const port = w.cat(self);
    self.unlink(port);
    return port;
  };
}

/** Owned by `owner`; whoever opened it is linked to it, too. */
function connectedCat(w: PortWorld, owner: Pid): (self: Self) => Port {
  return (self) => {
    const port = w.cat(self);
    self.port_connect(port, owner);
    return port;
  };
}
