/** OTP's behaviours, and what goes with them. */
import {
  gen_server,
  gen_statem,
  ok,
  type Pid,
  proc_lib,
  type Self,
  supervisor,
  sys,
  timer,
} from '#lib/index';
import { ALL, allBut, type Kind, NO_OPTIONS, TEXTS, type World } from './nonsense';
import { alone, any, arg, ofModule, type Row } from './rows';

const counter: gen_server.Behaviour<number> = {
  init: () => ['ok', 0],
  // What is asked for silence is not answered.
  handle_call: (request, _from, n) => (request === 'silence' ? ['noreply', n] : ['reply', n, n]),
  handle_cast: (_, n) => ['noreply', n],
};
const machine: gen_statem.HandleEventFunction<unknown, unknown> = {
  init: () => ['ok', 'idle', 0],
  handle_event: (event) =>
    event[0] === 'call' ? ['keep_state_and_data', ['reply', event[2], 'x']] : 'keep_state_and_data',
};
const nursery: supervisor.Behaviour = {
  init: () => ['ok', [{}, [{ id: ['child'], start: (self) => gen_server.start_link(self, counter, 0) }]]],
};
const clones: supervisor.Behaviour = {
  init: () => [
    'ok',
    [
      { strategy: 'simple_one_for_one' },
      [{ id: 'x', start: (self) => gen_server.start_link(self, counter, 0) }],
    ],
  ],
};

const yellowPages: gen_server.Registry = {
  register_name: () => 'yes',
  unregister_name: () => true,
  whereis_name: () => 'undefined',
  send: () => true,
};

const server = async ({ self }: World): Promise<Pid> => ok(await gen_server.start_link(self, counter, 0));
const statem = async ({ self }: World): Promise<Pid> => ok(await gen_statem.start_link(self, machine, 0));
const top = async ({ self }: World): Promise<Pid> => ok(await supervisor.start_link(self, nursery, 0));
const simple = async ({ self }: World): Promise<Pid> => ok(await supervisor.start_link(self, clones, 0));
const from = ({ self }: World): unknown => [self.pid, self.make_ref()];
const sent = async (world: World): Promise<unknown> =>
  gen_server.send_request(world.self, await server(world), 'silence');

const anyTerm = (name: string) => any(name, () => 'x', ALL);
const GONE: readonly Kind[] = [...TEXTS, 'far pid', 'dead pid'];
const NO_SERVER = /^(ErlangExit: .*(noproc|function_clause)|ErlangError: function_clause: a server is)/;
const called = (right: (world: World) => unknown) => arg('server', right, NO_SERVER);
const asked = (right: (world: World) => unknown) => arg('server', right, NO_SERVER, GONE);
const timeout = arg(
  'timeout',
  () => 1000,
  /^(ErlangExit: .*(function_clause|timeout_value)|ErlangError: timeout_value: a timeout is)/,
  ['undefined', 'infinite'],
);
const startOptions = arg(
  'options',
  () => ({ timeout: 1000 }),
  /^ErlangError: badarg: .* of a start/,
  NO_OPTIONS,
);
const behaviour = (right: unknown) => arg('behaviour', () => right, /undef/);
const object = (right: unknown) =>
  arg(
    'behaviour',
    () => right,
    /^ErlangError: badarg: a behaviour is an object with callbacks, not/,
    allBut(
      ...(['undefined', 'null', 'true', ...TEXTS, 'negative', 'fraction', 'NaN', 'infinite'] as const),
      ...(['beyond integers', 'bigint', 'symbol'] as const),
    ),
  );
const enterOptions = arg(
  'options',
  () => ({}),
  /^ErlangError: badarg: .* of enter_loop/,
  NO_OPTIONS.slice(1),
);
const body = arg(
  'body',
  () => (self: Self) => proc_lib.init_ack(self, 'x'),
  /^ErlangError: badarg: a process runs a function/,
  ['function'],
);

function starts(module: 'gen_server' | 'gen_statem', functions: object, right: unknown): Row[] {
  const row = ofModule(module, functions as Readonly<Record<string, unknown>>);
  return ['start', 'start_link', 'start_monitor'].map((name) =>
    row(name, [behaviour(right), anyTerm('args'), startOptions], { traps: true, crashes: true }),
  );
}

/** What a start can be given, one by one. */
function startOption(
  name: string,
  right: (world: World) => unknown,
  refusal: RegExp,
  takes: readonly Kind[] = [],
): Row {
  return {
    name: `gen_server.start_link option ${name}`,
    args: [arg(name, right, refusal, ['undefined', ...takes])],
    call: (self, [value]) => gen_server.start_link(self, counter, 0, { [name]: value }),
  };
}

const ofServer = ofModule('gen_server', gen_server);
const ofStatem = ofModule('gen_statem', gen_statem);
const ofSupervisor = ofModule('supervisor', supervisor);
const ofSys = ofModule('sys', sys);
const ofProcLib = ofModule('proc_lib', proc_lib);
const id = arg(
  'id',
  sent,
  /^ErlangError: badarg: .* is no request that was sent/,
  ['reference'],
  ['reference'],
);
const waited = arg(
  'timeout',
  () => 0,
  /^ErlangError: timeout_value: a timeout is/,
  [],
  ['undefined', 'infinite'],
);
let names = 0;

const responses = (row: typeof ofServer): Row[] => [
  row('wait_response', [id, waited]),
  row('receive_response', [id, waited]),
  row('check_response', [anyTerm('message'), arg('id', sent, id.refusal, ['reference'])]),
];

export const BEHAVIOUR_ROWS: readonly Row[] = [
  ...starts('gen_server', gen_server, counter),
  startOption('name', () => `server ${++names}`, /^ErlangError: badarg: the name of a server is/, TEXTS),
  startOption(
    'name',
    () => ['local', `server ${++names}`],
    /^ErlangError: badarg: the name of a server is/,
    TEXTS,
  ),
  startOption('timeout', () => 1000, /^ErlangError: timeout_value: a timeout is/, ['infinite']),
  startOption('spawn_opt', () => ['link'], /^ErlangError: badarg: .*(options have to be|is no option)/, [
    'array',
  ]),
  startOption('debug', () => ['log'], /^ErlangError: badarg: the options have to be/, [
    'array',
    'array in array',
    'cyclic array',
  ]),
  {
    name: 'gen_server.start_link a registry',
    args: [
      arg(
        'registry',
        () => yellowPages,
        /^ErlangError: badarg: the registry .* has no function register_name/,
      ),
    ],
    call: (self, [registry]) =>
      gen_server.start_link(self, counter, 0, { name: ['via', registry, 'x'] as never }),
  },
  ofServer(
    'enter_loop',
    [
      object(counter),
      enterOptions,
      anyTerm('state'),
      arg('then', () => undefined, /^ErlangError: timeout_value/, ['undefined', 'infinite']),
    ],
    { endless: true, crashes: true },
  ),
  ofServer('call', [called(server), anyTerm('request'), timeout]),
  ofServer('send_request', [asked(server), anyTerm('request')]),
  ...responses(ofServer),
  ofServer('multi_call', [
    arg(
      'servers',
      async (world) => [await server(world)],
      /^(ErlangError: badarg: the servers have to be a list|ErlangError: function_clause: a server is|TypeError: this is not a typed array)/,
      ['array', 'no bytes', 'map'],
    ),
    anyTerm('request'),
    timeout,
  ]),
  ofServer('cast', [
    arg('server', server, /^ErlangError: badarg: the destination/, [...GONE, 'closed port', 'reference']),
    anyTerm('request'),
  ]),
  ofServer('reply', [
    arg('from', from, /^ErlangError: badarg: .* is not what a call comes from/),
    anyTerm('value'),
  ]),
  ofServer('stop', [called(server), anyTerm('reason'), timeout], { traps: true, crashes: true }),
  alone('gen_server.named', gen_server.named, [anyTerm('name')]),

  ...starts('gen_statem', gen_statem, machine),
  ofStatem(
    'enter_loop',
    [
      object(machine),
      enterOptions,
      anyTerm('state'),
      anyTerm('data'),
      arg('actions', () => undefined, /^ErlangError: .*bad_action_from_state_function/, [
        ...(['undefined', 'array', 'beyond integers'] as const),
      ]),
    ],
    { endless: true, crashes: true },
  ),
  ofStatem('call', [called(statem), anyTerm('request'), timeout]),
  ofStatem('send_request', [asked(statem), anyTerm('request')]),
  ...responses(ofStatem),
  ofStatem('cast', [
    arg('server', statem, /^ErlangError: badarg: the destination/, [...GONE, 'closed port', 'reference']),
    anyTerm('event'),
  ]),
  ofStatem('reply', [
    arg(
      'replies',
      (world) => ['reply', from(world), 'x'],
      /^ErlangError: badarg: .* is no \['reply', from, value\]/,
      ['undefined', 'array'],
    ),
  ]),
  ofStatem('reply', [
    arg('from', from, /^ErlangError: badarg: .* is not what a call comes from/),
    anyTerm('value'),
  ]),
  ofStatem('stop', [called(statem), anyTerm('reason'), timeout], { traps: true, crashes: true }),
  alone('gen_statem.named', gen_statem.named, [anyTerm('name')]),

  ofSupervisor(
    'start_link',
    [behaviour(nursery), anyTerm('args'), arg('options', () => ({}), startOptions.refusal, NO_OPTIONS)],
    {
      traps: true,
      crashes: true,
    },
  ),
  ofSupervisor('start_child', [
    called(top),
    arg(
      'what',
      () => ({ id: 'new', start: nursery.init }),
      /^= .*error.*(invalid_child_spec|missing_id|unknown_key)/,
    ),
  ]),
  ofSupervisor('start_child', [
    called(simple),
    arg('args', () => [], /^= \[ 'error', \[ 'badarg', /, ['array', 'array in array', 'cyclic array']),
  ]),
  ...['terminate_child', 'restart_child', 'delete_child', 'get_childspec'].map((name) =>
    ofSupervisor(name, [called(top), any('id', () => ['child'], ALL)]),
  ),
  ...['which_children', 'count_children'].map((name) => ofSupervisor(name, [called(top)])),
  alone('supervisor.check_childspecs', supervisor.check_childspecs, [
    arg('specs', () => [], /^= \[ 'error', \[ '(badarg|invalid_child_spec)'/, ['array']),
    arg('autoShutdown', () => 'never', /^= \[ 'error', \[ 'badarg'/, ['undefined']),
  ]),

  ofSys('get_state', [called(server), timeout]),
  ofSys('replace_state', [
    called(server),
    arg('change', () => () => 1, /^ErlangError: badarg: what changes a state/, ['function']),
    timeout,
  ]),
  ofSys('get_status', [called(server), timeout]),
  ofSys('suspend', [called(server), timeout]),
  ofSys('resume', [called(server), timeout]),
  ofSys('terminate', [called(server), anyTerm('reason'), timeout], { traps: true, crashes: true }),
  ...['trace', 'log', 'statistics'].map((name) =>
    ofSys(name, [called(server), arg('how', () => false, /^= unknown_debug$/, ['true']), timeout]),
  ),

  ...['spawn', 'spawn_link'].map((name) => ofProcLib(name, [body, anyTerm('argument')])),
  ofProcLib('spawn_opt', [
    body,
    arg('options', () => ['link'], /^ErlangError: badarg: .*(options have to be|is no option)/, ['array']),
  ]),
  ...['start', 'start_link', 'start_monitor'].map((name) => ofProcLib(name, [body, startOptions])),
  ofProcLib('init_ack', [anyTerm('result')]),
  ofProcLib('init_fail', [anyTerm('result')]),
  ofProcLib('stop', [called(server), anyTerm('reason'), timeout], { traps: true, crashes: true }),

  ofModule('timer', timer)('sleep', [
    arg('time', () => 0, /^ErlangError: timeout_value: a timeout is/, [], ['infinite']),
  ]),
];
