/** The cases that need a program behind the port; the fixtures have their Erlang. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isTuple, list } from '#actors/term';
import type { Self } from '#ports/self';
import { chars } from './port-world';
import type { ProgramWorld } from './program-world';

type Play = (w: ProgramWorld, self: Self) => unknown;
type Any = never;

const tooLong = Buffer.alloc(256, 'x');
/** Its input is closed while it runs. */
const DEAF = "sh -c 'exec 0<&-; exec sleep 2'";

export const programCases: Record<string, Play> = {
  open_002: async (w) => {
    w.trap();
    w.program('orc_no_such_cmd 2>/dev/null', ['exit_status']);
    return list(await w.rcv(), await w.rcv(), await w.mbox());
  },
  open_003: (w, self) => w.ex(() => self.open_port(['spawn_executable', '/orc/no/such'], [])),
  open_005: (w, self) => w.ex(() => self.open_port(['spawn_driver', 'orc_no_such_driver'], [])),
  open_006: (w, self) => {
    const names = [
      ['spawn', 17],
      ['spawn', list()],
      ['spawn', ''],
      ['foo', 'cat'],
      12,
      ['spawn', 'cat', 'x'],
      list(),
      ['spawn', Buffer.from('cat'), 1],
    ];
    return w.exAll(names.map((name) => () => self.open_port(name as Any, [])));
  },
  open_015: async (w) => {
    w.program("printf 'ab\\nabcdefgh\\nxy'", [['line', 5], 'eof']);
    return list(await w.rcv(), await w.rcv(), await w.rcv(), await w.rcv(), await w.rcv());
  },
  open_016: async (w, self) => {
    w.trap();
    const p = w.program('sleep 1', ['in']);
    return [await w.ex(() => self.port_command(p, 'x')), w.isOpen(p), await w.mbox()];
  },
  open_017: async (w, self) => {
    const p = w.program('cat >/dev/null', ['out', 'binary']);
    return [self.port_command(p, 'x'), await w.mbox()];
  },

  cmd_004: async (w, self) => {
    const p = await w.warm(w.cat(self, ['binary', 'stream']));
    return [self.port_command(p, list() as Any), await w.mbox()];
  },
  cmd_016: async (w, self) => {
    w.trap();
    const p = w.cat(self, ['binary', ['packet', 1]]);
    const x = await w.proc('X');
    return [await w.on(x, (s) => w.ex(() => s.port_command(p, tooLong))), await w.mbox(), await w.fate(x)];
  },
  cmd_017: async (w) => {
    const o = await w.proc('Owner');
    const p = await w.ownedBy(o, (s) => w.cat(s, ['binary', ['packet', 1]]));
    return [await w.on(o, (s) => w.ex(() => s.port_command(p, tooLong))), await w.fate(o)];
  },

  bang_017: async (w, self) => {
    const p = await w.warm(w.cat());
    self.send(p, [self.pid, ['command', chars('x')]]);
    self.send(p, [self.pid, 'close']);
    return w.mbox();
  },
  bang_038: async (w, self) => {
    w.trap();
    const p = w.cat(self, ['binary', ['packet', 1]]);
    self.send(p, [self.pid, ['command', tooLong]]);
    return [await w.mbox(), w.isOpen(p)];
  },

  info_002: (w, self) => {
    const p = w.cat();
    const items = (['id', 'memory', 'os_pid'] as const).map((item) => {
      const info = self.port_info(p, item);
      return isTuple(info) ? [info[0], typeof info[1] === 'number'] : info;
    });
    return list(...items);
  },

  ext_001: async (w) => {
    w.trap();
    const p = w.program('true');
    return [await w.rcv(), await w.mbox(), w.isOpen(p)];
  },
  ext_002: async (w) => [await w.whenClosed(w.program('true')), await w.mbox()],
  ext_004: async (w) => {
    w.trap();
    w.program("sh -c 'exit 3'", ['exit_status']);
    return list(await w.rcv(), await w.rcv());
  },
  ext_005: async (w) => {
    w.trap();
    w.program("sh -c 'kill -9 $$'", ['exit_status']);
    return list(await w.rcv(), await w.rcv());
  },
  ext_007: async (w) => {
    w.trap();
    w.program('echo hi', ['exit_status', 'binary']);
    return list(await w.rcv(), await w.rcv(), await w.rcv());
  },
  ext_008: async (w, self) => {
    w.trap();
    const p = w.program(DEAF, ['binary', 'out']);
    await sleep(150);
    return [await w.ex(() => self.port_command(p, 'x')), await w.rcv(), await w.mbox(), w.isOpen(p)];
  },
  ext_009: async (w) => {
    const o = await w.proc('Owner');
    const p = await w.ownedBy(o, (s) => w.program(DEAF, ['binary', 'out'], s));
    await sleep(150);
    await w.on(o, (s) => w.ex(() => s.port_command(p, 'x')));
    return w.fate(o);
  },
  ext_010: async (w, self) => {
    const p = w.program('true');
    w.name(self.monitor('port', p), 'Mon');
    const down = (await w.rcv()) as unknown[];
    const isEnd = down[0] === 'DOWN' && down[2] === 'port' && down[3] === p;
    return isEnd && (down[4] === 'normal' || down[4] === 'noproc')
      ? ['normal_or_noproc_if_late', 'ok']
      : down;
  },
};
