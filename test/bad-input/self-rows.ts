/** What the program of a process can call of its `self`. */
import type { Pid, Port, Reference } from '#lib/index';
import { ALL, allBut, BYTES, TEXTS, type World } from './nonsense';
import { any, arg, ofSelf, type Row } from './rows';

const own = ({ self }: World): Pid => self.pid;
/** One that waits, and ends with the caller. */
const other = ({ self }: World): Pid => self.spawn_link((process) => process.receive(() => false));
/** One that nobody misses. */
const stranger = ({ self }: World): Pid => self.spawn((process) => process.receive(() => false));
const ref = ({ self }: World): Reference => self.make_ref();
const echo = ({ self }: World): Port => self.open_port('echo');
/** Of a driver that has control and call. */
const mirror = ({ self }: World): Port => {
  self.runtime.addDriver({
    name: 'mirror',
    start: () => ({ control: (_, data) => data, call: (_, term) => term }),
  });
  return self.open_port('mirror');
};
const body = () => () => 'done';

let names = 0;
const newName = (): string => `name ${++names}`;
const registered = (world: World): string => {
  const name = newName();
  world.self.register(name, other(world));
  return name;
};

const NO_OPTIONS = ['undefined', 'array'] as const;
const NO_MESSAGES = ['undefined', 'null', 'promise'] as const;

const destination = arg(
  'destination',
  other,
  /^ErlangError: badarg: (the destination|nobody is registered)/,
  [...(['far pid', 'dead pid', 'closed port', 'reference'] as const)],
);
const message = arg(
  'message',
  () => 'x',
  /^ErlangError: badarg: a message cannot be/,
  allBut(...NO_MESSAGES),
);
const spawned = arg('body', body, /^ErlangError: badarg: a process runs a function, not /, ['function']);
const options = (right: () => unknown, known: string) =>
  arg(
    'options',
    right,
    new RegExp(`^ErlangError: badarg: .*(the options have to be|an option has to be|${known})`),
    NO_OPTIONS,
  );
const anyTerm = (name: string) => any(name, () => 'x', ALL);
const reference = arg('ref', ref, /^ErlangError: badarg: .* is no reference/, ['reference']);
const unit = arg('unit', () => 'second', /^ErlangError: badarg: .* is no unit of time/, ['undefined']);
const destinationOfTimer = arg(
  'destination',
  other,
  /^ErlangError: badarg: .*( is no pid and no name| of another node)/,
  [...TEXTS, 'dead pid'],
);
const time = arg('time', () => 0, /^ErlangError: badarg: the time has to be an integer of milliseconds/);
const port = (right: (world: World) => unknown) =>
  arg('port', right, /^ErlangError: badarg: .*( is no port| is registered as | is closed)/);
const data = arg('data', () => 'x', /^ErlangError: badarg: (data are|the data contain)/, [
  ...TEXTS,
  ...BYTES,
  'array',
  'array in array',
]);
const operation = arg('operation', () => 1, /^ErlangError: badarg: the operation has to be/);
const portName = arg(
  'name',
  () => 'echo',
  /^ErlangError: badarg: (.* is no name of a port|there is no driver )/,
);
const portOptions = options(() => ['binary'], 'has no option');

export const SELF_ROWS: readonly Row[] = [
  ofSelf('send', [destination, message, options(() => ['nosuspend'], 'is no option')]),
  ofSelf('send_nosuspend', [destination, message]),
  ofSelf(
    'receive',
    [
      arg(
        'guard',
        () => () => true,
        /^ErlangError: badarg: (a guard of receive is|.* (receive have to be|of receive))/,
        [
          ...([
            'undefined',
            'function',
            'object',
            'bare object',
            'map',
            'date',
            'promise',
            'only like bytes',
          ] as const),
        ],
      ),
      arg('options', () => ({ after: 0 }), /^ErlangError: badarg: .*of receive/, [
        ...(['undefined', 'object', 'bare object', 'map', 'date', 'promise', 'only like bytes'] as const),
      ]),
    ],
    // There is something to receive.
    { prepare: (self) => self.send(self.pid, 'x') },
  ),
  ofSelf(
    'receive',
    [
      arg(
        'after',
        () => 0,
        /^ErlangError: timeout_value: a timeout is/,
        ['undefined'],
        ['infinite', 'undefined'],
      ),
    ],
    {
      call: (self, [after]) => self.receive(() => false, { after: after as number }),
    },
  ),
  ofSelf(
    'receive',
    [arg('since', ref, /^ErlangError: badarg: the option since/, ['undefined', 'reference'])],
    {
      call: (self, [since]) => self.receive(() => false, { after: 0, since: since as Reference }),
    },
  ),
  ofSelf('yield', []),
  ofSelf('spawn', [spawned, anyTerm('argument')]),
  ofSelf('spawn_link', [spawned, anyTerm('argument')]),
  ofSelf('spawn_monitor', [spawned, anyTerm('argument')]),
  ofSelf('spawn_opt', [spawned, options(() => ['link'], 'is no option')]),
  ofSelf('hibernate', [spawned, anyTerm('argument')], { endless: true }),
  ofSelf('is_process_alive', [
    arg('pid', own, /^ErlangError: badarg: .*(is no pid|is of another node)/, ['dead pid']),
  ]),
  ofSelf('processes', []),
  ofSelf('process_info', [
    arg('pid', own, /^ErlangError: badarg: .*is no pid/, ['dead pid', 'far pid']),
    arg('item', () => 'links', /^ErlangError: badarg: .*is no item; the items are/, NO_OPTIONS),
  ]),
  ofSelf('process_flag', [
    arg('flag', () => 'trap_exit', /^ErlangError: badarg: .*is no flag; the flags are/),
    arg('value', () => true, /^ErlangError: badarg: .*is no value of trap_exit/, ['true']),
  ]),
  ofSelf('group_leader', [
    arg('leader', own, /^ErlangError: badarg: the leader .* is no pid/, ['dead pid', 'far pid']),
    arg('pid', own, /^ErlangError: badarg: .*is no process that runs/),
  ]),
  ofSelf('register', [
    arg('name', newName, /^ErlangError: badarg: .*is no name/, TEXTS),
    arg('id', other, /^ErlangError: badarg: .*(is no pid and no port|has exited|is of another node)/),
  ]),
  ofSelf('unregister', [arg('name', registered, /^ErlangError: badarg: nobody is registered as/)]),
  ofSelf('whereis', [arg('name', newName, /^ErlangError: badarg: .*is no name/, TEXTS)]),
  ofSelf('registered', []),
  ofSelf('node', []),
  ofSelf('make_ref', []),
  ofSelf('unique_integer', [options(() => ['positive'], 'is no option')]),
  ofSelf('put', [anyTerm('key'), anyTerm('value')]),
  ofSelf('get', [anyTerm('key')]),
  ofSelf('erase', [anyTerm('key')]),
  ofSelf('get_keys', [anyTerm('value')]),
  ofSelf('exit', [anyTerm('reason')]),
  ofSelf('exit', [
    arg('destination', stranger, /^ErlangError: badarg: .*is no pid and no port/, [
      'far pid',
      'dead pid',
      'closed port',
    ]),
    anyTerm('reason'),
  ]),
  ofSelf('error', [anyTerm('reason')]),
  ofSelf('throw', [anyTerm('value')]),
  ofSelf('link', [arg('other', other, /^ErlangError: (badarg: .*is no pid and no port|noproc)/)]),
  ofSelf('unlink', [
    arg('other', other, /^ErlangError: badarg: .*is no pid and no port/, [
      'far pid',
      'dead pid',
      'closed port',
    ]),
  ]),
  ofSelf('monitor', [
    arg('kind', () => 'process', /^ErlangError: badarg: what is monitored is/),
    arg('item', other, /^ErlangError: badarg: .*is no pid, no name and no/, [
      ...TEXTS,
      'far pid',
      'dead pid',
    ]),
    options(() => [], 'is no option'),
  ]),
  ofSelf('demonitor', [reference, options(() => ['flush'], 'is no option')]),
  ofSelf('alias', [options(() => ['reply'], 'is no option')]),
  ofSelf('unalias', [reference]),
  ofSelf('send_after', [time, destinationOfTimer, message, options(() => [['abs', false]], 'is no option')]),
  ofSelf('start_timer', [
    time,
    destinationOfTimer,
    anyTerm('message'),
    options(() => [['abs', false]], 'is no option'),
  ]),
  ofSelf('cancel_timer', [reference, options(() => [['info', false]], 'is no option')]),
  ofSelf('read_timer', [reference, options(() => [['async', false]], 'is no option')]),
  ...['monotonic_time', 'system_time', 'time_offset'].map((name) => ofSelf(name, [unit])),
  ofSelf('open_port', [portName, portOptions]),
  ofSelf('openPortAsync', [portName, portOptions]),
  ofSelf('port_command', [port(echo), data, options(() => ['nosuspend'], 'is no option')]),
  ofSelf('commandMany', [
    port(echo),
    arg('data', () => ['x'], /^ErlangError: badarg: (data are|the data contain|the packets have to be)/, [
      'array',
      'array in array',
    ]),
    arg('from', () => 0, /^ErlangError: badarg: .* is no place in the packets/, ['undefined']),
  ]),
  ofSelf('port_control', [port(mirror), operation, data]),
  ofSelf('port_call', [port(mirror), operation, anyTerm('argument')]),
  ofSelf('port_connect', [
    port(echo),
    arg('owner', other, /^ErlangError: badarg: the new owner .*is no living process/),
  ]),
  ofSelf('port_close', [port(echo)]),
  ofSelf('port_info', [
    arg('port', echo, /^ErlangError: badarg: .*is no port/, [...TEXTS, 'closed port']),
    arg('item', () => 'name', /^ErlangError: badarg: port_info has no item/, ['undefined']),
  ]),
  ofSelf('port_set_data', [port(echo), anyTerm('data')]),
  ofSelf('port_get_data', [port(echo)]),
  ofSelf('ports', []),
  ofSelf('system_monitor', [
    arg('monitor', own, /^ErlangError: badarg: .*is no living process/),
    options(() => ['busy_port'], 'is no option'),
  ]),
];

/** Public for the runtime and for ports, and not for programs. */
export const NOT_FOR_PROGRAMS: readonly string[] = [
  ...['accepts', 'addAlias', 'aliasAnswered', 'awaitAnswer', 'checkLocal', 'commandWith', 'die', 'end'],
  ...['endAlias', 'endMonitor', 'ensureAlive', 'ensureRunning', 'fail', 'findAlias', 'findMonitored'],
  ...['findPort', 'giveUp', 'goOnWith', 'hold', 'holdBack', 'inOrder', 'makeChild', 'makePromise', 'message'],
  ...['next', 'openPort', 'pause', 'reject', 'resume', 'run', 'scan', 'sendWith', 'sent', 'signal', 'start'],
  ...[
    'startTimer',
    'stopProgram',
    'stopWaiting',
    'suspend',
    'take',
    'takeExit',
    'tellOthers',
    'wait',
    'wake',
  ],
];
