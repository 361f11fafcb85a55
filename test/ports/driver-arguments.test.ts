/**
 * Every function of a port's end for drivers, with arguments of every kind, one position at a time: it takes them, or an
 * error says which one is wrong, and nothing has happened.
 */
import path from 'node:path';
import type { Pid, Port } from '#actors/identifiers';
import { list } from '#actors/term';
import { closeFd, createPipe } from '#native';
import type { DriverMonitor, DriverPort } from '#ports/driver';
import { PortRuntime } from '#ports/port-runtime';
import type { Self } from '#ports/self';
import { changesSince, eventually, holdings } from '../support/residue';
import { runProcess } from '../support/run-process';

const JOBS = path.join(__dirname, '../fixtures/async-job.cjs');
const PIPE = createPipe();
afterAll(() => PIPE.forEach(closeFd));

/** What is there to make arguments of. */
interface Setting {
  self: Self;
  owner: Pid;
  /** Of a port that is closed. */
  closed: Port;
  monitor: DriverMonitor;
}

const KINDS: Record<string, (setting: Setting) => unknown> = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  NaN: () => Number.NaN,
  infinite: () => Number.POSITIVE_INFINITY,
  negative: () => -1,
  fraction: () => 0.5,
  'beyond integers': () => 2 ** 53,
  bigint: () => 1n,
  'empty text': () => '',
  'an object': () => ({}),
  'a list': () => list('x'),
  'what only looks like bytes': () => Object.create(Uint8Array.prototype),
  'a symbol': () => Symbol('kind'),
  'a function': () => () => undefined,
  'a closed port': ({ closed }) => closed,
  'a pid': ({ owner }) => owner,
};

/** An argument: its name, one that is right, and which of the kinds are right as well. */
type Argument = [name: string, right: (setting: Setting) => unknown, takes?: readonly string[]];

const bytes = (): Uint8Array => Buffer.from('abc');
const header: Argument = ['header', bytes];
const data: Argument = ['data', bytes];
const pieces: Argument = ['data', () => [bytes(), bytes()]];
const skip: Argument = ['skip', () => 0, ['undefined']];
const error: Argument = ['error', () => 'epipe', ['negative']];
const anyTerm = (name: string): Argument => [name, () => 'x', Object.keys(KINDS)];
const monitor: Argument = ['monitor', (setting) => setting.monitor];

const FUNCTIONS: Partial<Record<keyof DriverPort, Argument[]>> = {
  connected: [],
  caller: [],
  output: [data],
  output2: [header, data],
  outputv: [header, pieces, skip],
  output_term: [anyTerm('message')],
  send_term: [['receiver', ({ owner }) => owner, ['a pid']], anyTerm('message')],
  failure_eof: [],
  failure_atom: [['reason', () => 'x', ['empty text']]],
  failure_posix: [error],
  failure: [anyTerm('reason')],
  exit: [error],
  set_timer: [['milliseconds', () => 100_000]],
  cancel_timer: [],
  read_timer: [],
  select: [
    ['event', () => PIPE[0]],
    ['mode', () => 5],
    ['on', () => true, ['true']],
  ],
  async: [anyTerm('key'), ['job', () => ({ filename: JOBS, name: 'prefix' })]],
  async_port_key: [],
  enq: [data],
  enqv: [pieces, skip],
  pushq: [data],
  pushqv: [pieces, skip],
  deq: [['size', () => 0]],
  peekq: [['count', () => 1, ['undefined']]],
  sizeq: [],
  set_busy: [['busy', () => true, ['true']]],
  busy_msgq_limits: [['limits', () => [1, 2], ['undefined']]],
  monitor_process: [['process', ({ owner }) => owner, ['a pid']]],
  demonitor_process: [monitor],
  get_monitored_process: [monitor],
  create_port: [
    ['owner', ({ owner }) => owner, ['a pid']],
    ['name', () => 'created', ['empty text']],
    ['instance', () => () => ({}), []],
  ],
  init_ack: [anyTerm('error')],
  set_os_pid: [['pid', () => 1]],
  set_control_flags: [['flags', () => 1]],
};

/** For the port itself, which no driver sees. */
const NOT_FOR_DRIVERS = ['constructor', 'monitors', 'endMonitor', 'endMonitors', 'monitorsOf', 'close'];

let runtime: PortRuntime;
const crashes: unknown[] = [];
beforeEach(() => {
  runtime = new PortRuntime({ onCrash: (crash) => crashes.push(crash) });
});
afterEach(() => {
  runtime.stop();
  expect(crashes).toEqual([]);
});

/** Runs `body` with a port, beside one that still has to answer when it is through. */
function play(body: (port: DriverPort, id: Port, setting: Setting) => unknown): Promise<unknown> {
  return runProcess(runtime, async (self) => {
    self.process_flag('trap_exit', true);
    let end: DriverPort | undefined;
    runtime.addDriver({ name: 'neighbour', start: () => ({ call: (_, term) => term }) });
    runtime.addDriver({
      name: 'driver',
      start(given) {
        end ??= given;
        return {
          output(text) {
            if (text.length > 0 && end !== undefined) call(end, Buffer.from(text).toString(), []);
          },
          control: () => undefined,
          ready_input() {},
          ready_async() {},
          process_exit() {},
        };
      },
    });
    const neighbour = self.open_port('neighbour');
    const closed = self.open_port('neighbour');
    self.unlink(closed);
    self.port_close(closed);
    const id = self.open_port('driver', ['binary']);
    const port = end as unknown as DriverPort;
    const owner = self.spawn((process) => process.receive());
    const setting = { self, owner, closed, monitor: port.monitor_process(owner) as DriverMonitor };
    await body(port, id, setting);
    expect(self.port_call(neighbour, 0, 'still there')).toBe('still there');
  });
}

function call(port: DriverPort, name: string, values: readonly unknown[]): unknown {
  return (port[name as keyof DriverPort] as (...values: readonly unknown[]) => unknown)(...values);
}

/** What can be seen of a port. */
function state(self: Self, port: DriverPort, id: Port): unknown {
  return [
    ...self.port_info(id),
    self.port_info(id, 'monitors'),
    self.port_info(id, 'queue_size'),
    port.read_timer(),
    port.busy_msgq_limits(),
    self.port_command(id, '', ['nosuspend']),
    self.port_control(id, 0, ''),
    self.ports(),
  ];
}

test('all of its functions are among the cases', () =>
  play((port) => {
    const all = Object.getOwnPropertyNames(Object.getPrototypeOf(port));
    expect([...Object.keys(FUNCTIONS), ...NOT_FOR_DRIVERS].sort()).toEqual(all.sort());
  }));

describe.each(Object.entries(FUNCTIONS))('%s', (name, args) => {
  test('takes what is right, of a port that is open and of one that is closed', () =>
    play((port, id, setting) => {
      const values = args.map(([, right]) => right(setting));
      call(port, name, values);
      port.cancel_timer();
      if (name === 'select') call(port, name, [PIPE[0], 5, false]);
      setting.self.exit(id, 'kill');
      if (name === 'create_port') expect(() => call(port, name, values)).toThrow(`badarg: ${id} is closed`);
      else call(port, name, values);
    }));

  for (const [at, [argument, , takes = []]] of args.entries()) {
    test.each(Object.keys(KINDS))(`${argument}: %s`, (kind) =>
      play((port, id, setting) => {
        const values = args.map(([, right]) => right(setting));
        values[at] = KINDS[kind]?.(setting);
        const isTaken = takes.includes(kind) || (argument === 'instance' && kind === 'a function');
        if (isTaken) {
          if (argument === 'instance') values[at] = () => ({});
          call(port, name, values);
          return;
        }
        const before = state(setting.self, port, id);
        for (const what of ['open', 'closed']) {
          if (what === 'closed') setting.self.exit(id, 'kill');
          expect(() => call(port, name, values)).toThrow(new RegExp(`^${argument}[. ].*(has|have) to be `));
          if (what === 'open') expect(state(setting.self, port, id)).toEqual(before);
        }
      }),
    );
  }
});

describe('a callback that gives a wrong argument ends its port with the error', () => {
  test.each(
    Object.entries(FUNCTIONS).filter(([, args]) => args.some(([, , takes]) => !takes?.includes('undefined'))),
  )('%s', (name) =>
    play(async (_, id, { self }) => {
      self.port_command(id, name);
      const exit = (await self.receive(undefined, { after: 1000 })) as [string, Port, [[string], unknown]];
      expect(exit).toEqual(['EXIT', id, [['TypeError', expect.anything()], expect.anything()]]);
    }),
  );
});

test('nothing of all this is left', async () => {
  const before = holdings();
  await play((port, _, setting) => {
    for (const [name, args] of Object.entries(FUNCTIONS)) {
      for (const kind of Object.keys(KINDS)) {
        try {
          const values = args.map(() => KINDS[kind]?.(setting));
          call(port, name, values);
        } catch {
          // Which it is has been looked at above.
        }
      }
    }
  });
  runtime.stop();
  expect(runtime.openPorts.size).toBe(0);
  await eventually(() => changesSince(before), []);
});
