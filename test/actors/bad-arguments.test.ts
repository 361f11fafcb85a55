/**
 * Every process function with arguments of every kind, one position at a time: it answers, raises, or dies of what
 * Erlang/OTP 25 was observed to. The fixture is what bad-arguments.escript beside it prints.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ErlangError, ErlangExit, ErlangThrow } from '#actors/errors';
import { is_pid, is_port, is_reference, type Pid } from '#actors/identifiers';
import { isList, isTuple, list } from '#actors/term';
import { PortRuntime } from '#ports/port-runtime';
import type { Self } from '#ports/self';

type Line = [name: string, args: string[], outcome: string, value: string];

const lines: Line[] = readFileSync(join(__dirname, '../fixtures/erlang/bad-arguments.jsonl'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line));

/** What has no counterpart here, and why. */
const DIFFERENT: [matches: (line: Line) => boolean, reason: string][] = [
  [
    ([name, args]) => name.startsWith('spawn') && (args[0] === 'on_node' || args[0] === 'elsewhere'),
    'Erlang takes {Module, Function} for a fun; there are no modules to look it up in',
  ],
  [
    ([, args]) => args.includes('units.6') || args.includes('units.8'),
    'milli_seconds and seconds are names of OTP 17',
  ],
  [([, args]) => args.includes('units.7'), 'there is no perf_counter'],
  [
    ([name, args]) => NAMED.includes(name) && args.includes('true'),
    'true is an atom there, and may be a name; here it is no string',
  ],
  [
    ([name, [first]]) => (name === 'exit' || name.startsWith('send')) && first === 'port',
    'its end, or badsig, kills the caller soon after the call there, within it here',
  ],
  [
    ([name, args]) => name === 'process_info' && args.length === 1 && /alive|self/.test(args.join()),
    'the other items of process_info/1 are about memory and code there',
  ],
];

const NAMED = ['monitor', 'register', 'unregister', 'whereis', 'send_after', 'start_timer'];

const functions = [...new Set(lines.map(([name]) => name))];

describe.each(functions)('%s', (name) => {
  const cases = lines.filter((line) => line[0] === name && !DIFFERENT.some(([matches]) => matches(line)));
  test('with arguments of every kind', async () => {
    const ours: Line[] = [];
    for (const [, args] of cases) ours.push([name, args, ...(await record(name, args))]);
    expect(ours.map(String)).toEqual(cases.map(String));
  });
});

test('what differs is really among the cases', () => {
  for (const [matches] of DIFFERENT) expect(lines.some(matches)).toBe(true);
});

const KINDS: Record<string, unknown[]> = {
  monitor_options: [
    [['alias', 'reply_demonitor']],
    [['alias', 'reply']],
    [['tag', 'foo']],
    [['tag']],
    ['tag'],
    [['tag', 'a', 'b']],
    [['alias', 'demonitor'], 'foo'],
    improper('foo', ['alias', 'demonitor']),
  ],
  demonitor_options: [
    ['flush'],
    ['info'],
    ['flush', 'info'],
    ['flush', 'foo'],
    improper('info', 'flush'),
    [['flush', true]],
  ],
  alias_options: [
    ['reply'],
    ['explicit_unalias'],
    improper('foo', 'reply'),
    ['demonitor'],
    [['reply', true]],
  ],
  flag_values: [false, 'low', 'high', 'max', 'normal', 'off_heap', 'on_heap'],
  items: [
    'links',
    'monitors',
    'monitored_by',
    'messages',
    'message_queue_len',
    'message_queue_data',
    'registered_name',
    'dictionary',
    'trap_exit',
    'priority',
    'group_leader',
    'parent',
    'initial_call',
    ['status', 'priority'],
    ['status', 'foo'],
    ['registered_name'],
    improper('links', 'status'),
    ['status', 'status'],
  ],
  send_options: [
    ['nosuspend'],
    ['noconnect'],
    ['noconnect', 'nosuspend'],
    ['suspend'],
    improper('foo', 'nosuspend'),
  ],
  timer_options: [
    [['abs', true]],
    [['abs', false]],
    [['abs', 'foo']],
    ['abs'],
    improper('foo', ['abs', true]),
    [['abs', true, 1]],
  ],
  cancel_options: [
    [['async', true]],
    [['info', false]],
    [
      ['async', false],
      ['info', true],
    ],
    [['async', 'foo']],
    ['async'],
    [['info', true, 1]],
    improper('foo', ['async', true]),
  ],
  units: [
    'second',
    'millisecond',
    'microsecond',
    'nanosecond',
    'native',
    'milli_seconds',
    'perf_counter',
    'seconds',
    1000,
  ],
  unique_options: [
    ['positive'],
    ['monotonic'],
    ['positive', 'monotonic'],
    improper('foo', 'positive'),
    [['positive', true]],
  ],
  spawn_options: [
    ['link'],
    ['monitor'],
    ['link', 'monitor'],
    [['monitor', []]],
    [['monitor', [['tag', 'foo']]]],
    [['monitor', ['foo']]],
    [['monitor', 'foo']],
    [['priority', 'high']],
    [['priority', 'foo']],
    [['message_queue_data', 'off_heap']],
    [['message_queue_data', 'foo']],
    [['min_heap_size', 1000]],
    [['min_heap_size', -1]],
    [['min_bin_vheap_size', 1000]],
    [['fullsweep_after', 10]],
    [['fullsweep_after', -1]],
    [['max_heap_size', 0]],
    [['max_heap_size', 'foo']],
    improper('monitor', 'link'),
    [['link', true]],
    ['foo'],
  ],
};

/** The value that goes by a name in the fixture. */
async function valueNamed(name: string, self: Self): Promise<unknown> {
  const [kind = '', index] = name.split('.');
  if (index !== undefined) return KINDS[kind]![Number(index) - 1];
  switch (name) {
    case 'true':
      return true;
    case 'one':
      return 1;
    case 'minus':
      return -1;
    case 'half':
      return 1.5;
    case 'nil':
      return list();
    case 'chars':
      return list(120);
    case 'pair':
      return ['foo', 1];
    case 'improper':
      return improper('bar', 'foo');
    case 'binary':
      return Buffer.from('b');
    case 'map':
      return new Map();
    case 'fun':
      return () => 'ok';
    case 'self':
      return self.pid;
    case 'alive':
      return alive(self);
    case 'dead': {
      const [pid] = self.spawn_monitor(() => {});
      await self.receive((m) => isTuple(m) && m[3] === pid);
      return pid;
    }
    case 'port':
      return self.open_port('echo');
    case 'closed': {
      const port = self.open_port('echo');
      self.port_close(port);
      return port;
    }
    case 'ref':
      return self.make_ref();
    case 'named':
    case 'on_node':
      if (self.whereis('named') === 'undefined') self.register('named', await alive(self));
      return name === 'named' ? name : ['named', self.node()];
    case 'elsewhere':
      return ['foo', 'no@where'];
    default:
      return name;
  }
}

async function alive(self: Self): Promise<Pid> {
  const pid = self.spawn((s) => s.receive());
  await self.receive(() => false, { after: 1 });
  return pid;
}

function improper(tail: unknown, ...items: unknown[]): unknown[] {
  return Object.assign(list(...items), { tail });
}

/** In a process of its own, as the fixture was recorded. */
async function record(name: string, args: string[]): Promise<[string, string]> {
  const runtime = new PortRuntime();
  runtime.addDriver({ name: 'echo', start: () => ({}) });
  try {
    return await new Promise((resolve) => {
      runtime.spawn(async (observer) => {
        const [, ref] = observer.spawn_monitor(async (self) => {
          const values: unknown[] = [];
          for (const arg of args) values.push(await valueNamed(arg, self));
          self.exit(['outcome', outcomeOf(self, name, values)]);
        });
        const down = (await observer.receive((m) => isTuple(m) && m[1] === ref)) as unknown[];
        const reason = down[4] as ['outcome', [string, string]];
        resolve(reason[0] === 'outcome' ? reason[1] : ['died', shown(reason)]);
      });
    });
  } finally {
    runtime.stop();
  }
}

const GUARDS: Record<string, (term: unknown) => boolean> = { is_pid, is_port, is_reference };

function outcomeOf(self: Self, name: string, values: unknown[]): [string, string] {
  const called = (GUARDS[name] ?? self[name as keyof Self]) as (...values: unknown[]) => unknown;
  try {
    return ['ok', shown(called.apply(self, values))];
  } catch (thrown) {
    if (thrown instanceof ErlangError) return ['error', shown(thrown.reason)];
    if (thrown instanceof ErlangExit) return ['exit', shown(thrown.reason)];
    if (thrown instanceof ErlangThrow) return ['throw', shown(thrown.value)];
    throw thrown;
  }
}

/** Values that differ from run to run are shown by their type. */
function shown(term: unknown): string {
  if (is_pid(term)) return '<pid>';
  if (is_port(term)) return '<port>';
  if (is_reference(term)) return '<ref>';
  if (typeof term === 'function') return '<fun>';
  if (term instanceof Uint8Array) return '<binary>';
  if (term instanceof Map) return '<map>';
  if (typeof term === 'bigint') return '<integer>';
  if (typeof term === 'number') return Number.isInteger(term) ? '<integer>' : '<float>';
  if (isList(term)) {
    if (term.length === 0) return '[]';
    return term.every((item) => isTuple(item)) ? `list${term.length}` : '<list>';
  }
  if (isTuple(term)) {
    if (term.length !== 2) return '<tuple>';
    const [key, value] = term;
    return `${typeof key === 'string' ? key : shown(key)} ${shown(value)}`;
  }
  return String(term);
}
