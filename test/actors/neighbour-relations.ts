/** Aliases, links, monitors and exits: the cases of test/fixtures/erlang/neighbours.escript. */
import type { Reference } from '#actors/identifiers';
import { isTuple, type List, list } from '#actors/term';
import type { Self } from '#ports/self';
import { settle } from '../support/erlang-world';
import { type Any, DEATHS, each, idle, type NeighbourWorld, type Play, TRAPS } from './neighbour-world';
export const relationCases: Record<string, Play> = {
  'alias: reply ends with the first message': async (w, self) => {
    const a = self.alias(['reply']);
    self.send(a, 'a');
    self.send(a, 'b');
    return [await w.mbox(), self.unalias(a)];
  },
  'alias: unalias twice, and of what is none': (_, self) => {
    const a = self.alias();
    return [self.unalias(a), self.unalias(a), self.unalias(self.make_ref())];
  },
  'alias: unalias by another process': async (w, self) => {
    const a = self.alias();
    const x = await w.proc('X');
    const r = await w.on(x, (s) => s.unalias(a));
    self.send(a, 'a');
    return [r, await w.mbox()];
  },
  'alias: demonitor ends it with the monitor': async (w, self) => {
    const [, m] = await w.watched([['alias', 'demonitor']]);
    self.send(m, 'a');
    self.send(m, 'b');
    const before = await w.mbox();
    self.demonitor(m);
    self.send(m, 'c');
    return [before, await w.mbox(), self.unalias(m)];
  },
  'alias: DOWN ends one of demonitor': (w, self) => aliasAfterDown(w, self, 'demonitor'),
  'alias: DOWN ends one of reply_demonitor': (w, self) => aliasAfterDown(w, self, 'reply_demonitor'),
  'alias: unalias leaves the monitor of reply_demonitor': async (w, self) => {
    const [x, m] = await w.watched([['alias', 'reply_demonitor']]);
    const r = self.unalias(m);
    self.send(m, 'a');
    self.exit(x, 'kill');
    return [r, await w.mbox()];
  },
  'alias: demonitor leaves one of explicit_unalias': async (w, self) => {
    const [, m] = await w.watched([['alias', 'explicit_unalias']]);
    self.demonitor(m);
    self.send(m, 'a');
    return [await w.mbox(), self.unalias(m)];
  },
  'alias: a plain monitor is none': async (w, self) => {
    const [, m] = await w.watched();
    self.send(m, 'a');
    return [await w.mbox(), self.unalias(m), self.demonitor(m, ['info'])];
  },
  'alias: of nobody at once': async (w, self) => {
    const m = w.name(self.monitor('process', 'orc_n9', [['alias', 'demonitor']]), 'M');
    self.send(m, 'a');
    return [await w.mbox(), self.unalias(m)];
  },
  'alias: of a dead process': async (w, self) => {
    const x = await w.proc('X');
    const a = (await w.on(x, (s) => s.alias())) as Reference;
    self.exit(x, 'kill');
    return self.send(a, 'a') === 'a' && ((await w.mbox()) as List).length === 0;
  },
  'alias: a monitor of oneself makes none': (w, self) => {
    self.register('orc_n1', self.pid);
    const pairs = (['explicit_unalias', 'demonitor', 'reply_demonitor'] as const).flatMap((mode) =>
      [self.pid, 'orc_n1'].map((item) => [mode, item] as const),
    );
    return each(pairs, async ([mode, item]) => {
      const m = self.monitor('process', item, [['alias', mode]]);
      self.send(m, 'a');
      return [await w.mbox(), self.demonitor(m, ['info']), self.unalias(m)];
    });
  },
  'alias: a name and a timer cannot have it': (w, self) => {
    const a = self.alias() as unknown as Any;
    return w.exAll([
      () => self.send_after(1, a, 'x'),
      () => self.register('orc_n1', a),
      () => self.group_leader(a, self.pid),
    ]);
  },
  'alias: a tag and an alias': async (w, self) => {
    const [x, m] = await w.watched([
      ['tag', 't'],
      ['alias', 'explicit_unalias'],
    ]);
    self.send(m, 'a');
    self.exit(x, 'r');
    return [await w.mbox(), self.unalias(m)];
  },
  'alias: the last alias option counts': async (w, self) => {
    const [, m] = await w.watched([
      ['alias', 'reply_demonitor'],
      ['alias', 'explicit_unalias'],
    ]);
    self.send(m, 'a');
    self.send(m, 'b');
    return [await w.mbox(), self.demonitor(m, ['info'])];
  },

  'exit_link: reasons of a child': (w) =>
    each(
      TRAPS.flatMap((trap) => DEATHS.map((die) => [trap, die] as const)),
      async ([trap, die]) => {
        const a = await w.proc('A', trap);
        const c = await w.proc('C');
        await w.on(a, (s) => s.link(c));
        w.cast(c, die);
        return w.normalise([await w.fate(a), await w.left(a)]);
      },
    ),
  'exit_link: two links of the same two are one': async (w, self) => {
    w.trap();
    const x = await w.proc('X');
    self.link(x);
    self.link(x);
    await w.on(x, (s) => s.link(self.pid));
    self.exit(x, 'r');
    return w.mbox();
  },
  'exit_link: one of two parents unlinked': async (w, self) => {
    const [a, b, c] = [await w.proc('A'), await w.proc('B'), await w.proc('C')];
    await w.on(a, (s) => s.link(c));
    await w.on(b, (s) => s.link(c));
    await w.on(a, (s) => s.unlink(c));
    self.exit(c, 'r');
    return [await w.fate(a), await w.fate(b)];
  },
  'exit_link: a ring dies whole': async (w, self) => {
    const [a, b, c] = [await w.proc('A'), await w.proc('B'), await w.proc('C')];
    await w.on(a, (s) => s.link(b));
    await w.on(b, (s) => s.link(c));
    await w.on(c, (s) => s.link(a));
    self.exit(b, 'r');
    return [await w.fate(a), await w.fate(b), await w.fate(c)];
  },
  "exit_link: a parent's normal end leaves the child": (w) => linkedFates(w, 'normal'),
  'exit_link: shutdown and its like': (w) =>
    each(['shutdown', ['shutdown', 'x'], ['normal', 'x'], 'killed'], (reason) => linkedFates(w, reason)),
  'exit_link: exit signals of two at once': async (w, self) => {
    w.trap();
    const [x, y] = [await w.proc('X'), await w.proc('Y')];
    self.link(x);
    self.link(y);
    self.exit(x, 'a');
    self.exit(y, 'b');
    return w.sorted(w.mbox());
  },

  'exit_2: does not break the link': async (w, self) => {
    const b = await w.proc('B', 'trap');
    self.link(b);
    self.exit(b, 'r');
    await settle(self);
    return [(w.links(self) as List)[0] === b, await w.inbox(b)];
  },
  'exit_2: by oneself, trapping and not': (w) =>
    each(
      TRAPS.flatMap((trap) =>
        ['normal', 'boom', 'killed', 'shutdown', ['shutdown', 'x']].map((why) => [trap, why] as const),
      ),
      async ([trap, why]) => {
        const a = await w.proc('A', trap);
        const result = await w.on(a, (s) => {
          s.exit(s.pid, why);
          return 'survived';
        });
        return w.normalise([result, await w.fate(a), await w.left(a)]);
      },
    ),
  'exit_2: to a linked one, both trap or not': (w) =>
    each(
      TRAPS.flatMap((trapA) =>
        TRAPS.flatMap((trapB) =>
          ['normal', 'boom', 'kill', 'shutdown'].map((reason) => [trapA, trapB, reason] as const),
        ),
      ),
      async ([trapA, trapB, reason]) => {
        const a = await w.proc('A', trapA);
        const b = await w.proc('B', trapB);
        await w.on(a, (s) => s.link(b));
        w.cast(a, (s) => s.exit(b, reason));
        const fates = [await w.fate(a), await w.fate(b)];
        return w.normalise([...fates, list(await w.left(a), await w.left(b))]);
      },
    ),
  'exit_2: trap_exit is asked when the signal comes': async (w, self) => {
    const a = await w.proc('A');
    await w.on(a, (s) => s.process_flag('trap_exit', true));
    self.exit(a, 'r');
    const before = await w.inbox(a);
    await w.on(a, (s) => s.process_flag('trap_exit', false));
    self.exit(a, 'r2');
    return [before, await w.fate(a)];
  },
  'exit_2: twice, the first counts': async (w, self) => {
    const a = await w.proc('A');
    self.exit(a, 'a');
    self.exit(a, 'b');
    return w.fate(a);
  },
  'exit_2: after its death': async (w, self) => {
    const d = await w.dead();
    return [self.exit(d, 'kill'), self.exit(d, 'normal')];
  },

  'exceptions: of what is caught': (w, self) =>
    w.exAll([
      () => self.throw('a'),
      () => self.error('a'),
      () => self.exit('a'),
      () => self.error(['a', 'b']),
      () => self.exit('normal'),
    ]),
  'exceptions: the reasons of deaths': (w, self) =>
    each(DEATHS, async (die) => {
      const [p, m] = self.spawn_monitor(die);
      w.name(p, 'P');
      w.name(m, 'M');
      return w.normalise(await w.rcv());
    }),
  "exceptions: error in error's place": async (w) => {
    const a = await w.proc('A');
    w.cast(a, (s) => {
      try {
        s.error('a');
      } catch {
        s.throw('b');
      }
    });
    return w.fate(a);
  },
  'exceptions: after runs and does not change the reason': async (w, self) => {
    const a = await w.proc('A');
    w.cast(a, (s) => {
      try {
        s.exit('a');
      } finally {
        s.send(self.pid, 'after_ran');
      }
    });
    return [await w.rcv(), await w.fate(a)];
  },

  'link: to a dead one, not trapping': async (w, self) => {
    const d = await w.dead();
    return w.ex(() => self.link(d));
  },
  'link: unlink of whom there is no link to': async (w, self) => {
    const [x, d] = [await w.proc('X'), await w.dead()];
    return [self.unlink(x), self.unlink(d), self.unlink(self.pid)];
  },
  'link: unlink of what is none': (w, self) =>
    w.exAll(['foo', 1, self.make_ref()].map((y) => () => self.unlink(y as Any))),
  'link: spawn_link is seen on both sides': (w, self) => {
    const x = w.name(self.spawn_link(idle), 'X');
    return [w.links(self), (w.info(x, 'links') as [string, List])[1][0] === '<self>'];
  },
  'link: unlink and link again': async (w, self) => {
    w.trap();
    const x = await w.proc('X');
    self.link(x);
    self.unlink(x);
    self.link(x);
    self.exit(x, 'r');
    return w.mbox();
  },
  'link: a dead one is in no links': async (w, self) => {
    w.trap();
    const x = await w.proc('X');
    self.link(x);
    self.exit(x, 'r');
    return [w.links(self), await w.mbox()];
  },
  'link: exits of a normal child reach nobody': async (w, self) => {
    self.spawn_link(() => 'ok');
    await settle(self);
    return [w.links(self), await w.mbox()];
  },

  'monitor: reasons': (w) =>
    each(DEATHS, async (die) => {
      const [x] = await w.watched();
      w.cast(x, die);
      return w.normalise(await w.rcv());
    }),
  'monitor: {Name, node()}': async (w, self) => {
    const x = await w.proc('X');
    self.register('orc_n1', x);
    w.name(self.monitor('process', ['orc_n1', self.node()]), 'M');
    self.exit(x, 'r');
    return w.rcv();
  },
  'monitor: {Name, Node} elsewhere': (w, self) => w.ex(() => self.monitor('process', ['orc_n1', 'no@where'])),
  'monitor: a name that moves on': async (w, self) => {
    const [x, y] = [await w.proc('X'), await w.proc('Y')];
    self.register('orc_n1', x);
    w.name(self.monitor('process', 'orc_n1'), 'M');
    self.unregister('orc_n1');
    self.register('orc_n1', y);
    self.exit(y, 'y');
    const before = await w.mbox();
    self.exit(x, 'x');
    return [before, await w.mbox()];
  },
  'monitor: who monitors and is monitored': async (w, self) => {
    const x = await w.proc('X');
    self.register('orc_n1', x);
    self.monitor('process', x);
    self.monitor('process', 'orc_n1');
    self.monitor('process', x);
    const [, monitors] = self.process_info(self.pid, 'monitors') as [string, List];
    const [, watchers] = self.process_info(x, 'monitored_by') as [string, List];
    return [await w.sorted(monitors), watchers.filter((pid) => pid === self.pid).length];
  },
  'monitor: none left after DOWN': async (w, self) => {
    const [x] = await w.watched();
    self.exit(x, 'kill');
    return [self.process_info(self.pid, 'monitors'), ((await w.mbox()) as List).length];
  },
  "monitor: the dead one's monitors are gone": async (w, self) => {
    const x = await w.proc('X');
    await w.on(x, (s) => s.monitor('process', self.pid));
    self.exit(x, 'kill');
    return (self.process_info(self.pid, 'monitored_by') as [string, List])[1].includes(x);
  },

  'demonitor: info and flush, before and after': (w, self) =>
    each(
      [false, true].flatMap((after) =>
        ([[], ['info'], ['flush'], ['flush', 'info']] as ('flush' | 'info')[][]).map(
          (options) => [after, options] as const,
        ),
      ),
      async ([after, options]) => {
        const [x, m] = await w.watched();
        if (after) self.exit(x, 'r');
        const result = self.demonitor(m, options);
        return w.normalise([result, await w.mbox()]);
      },
    ),
  'demonitor: of what is none': (_, self) => [
    self.demonitor(self.make_ref()),
    self.demonitor(self.make_ref(), ['info']),
    self.demonitor(self.alias(), ['info']),
    self.demonitor(self.make_ref(), ['flush', 'info']),
  ],
  'demonitor: flush takes only its own': async (w, self) => {
    const x = await w.proc('X');
    const m1 = self.monitor('process', x);
    w.name(self.monitor('process', x), 'M2');
    self.exit(x, 'r');
    self.send(self.pid, ['DOWN', 'foo']);
    self.demonitor(m1, ['flush']);
    return w.mbox();
  },
  'demonitor: flush of a tagged one': async (w, self) => {
    const [x, m] = await w.watched([['tag', 't']]);
    self.exit(x, 'r');
    self.demonitor(m, ['flush']);
    return w.mbox();
  },

  'monitor: no message of one that ends while suspended in receive': async (w, self) => {
    const [x, m] = await w.watched();
    self.exit(x, 'kill');
    const down = (await self.receive((message) => isTuple(message) && message[1] === m)) as unknown[];
    return down[4];
  },
};

async function aliasAfterDown(w: NeighbourWorld, self: Self, mode: 'demonitor' | 'reply_demonitor') {
  const [x, m] = await w.watched([['alias', mode]]);
  self.exit(x, 'kill');
  self.send(m, 'a');
  return [await w.mbox(), self.unalias(m)];
}

async function linkedFates(w: NeighbourWorld, reason: unknown) {
  const [a, c] = [await w.proc('A'), await w.proc('C')];
  await w.on(a, (s) => s.link(c));
  w.cast(a, (s) => s.exit(reason));
  return [await w.fate(a), await w.fate(c)];
}
