/** gen_tcp, gen_udp and inet. */
import { gen_tcp, gen_udp, inet, ok, type Port } from '#lib/index';
import { ALL, allBut, BYTES, type Kind, TEXTS, type World } from './nonsense';
import { alone, any, arg, ofModule, type Row } from './rows';

const LOOPBACK = [127, 0, 0, 1] as const;

const listener = async ({ self }: World): Promise<Port> =>
  ok(await gen_tcp.listen(self, 0, [['active', false]]));
const connected = async (world: World): Promise<Port> => {
  const number = ok(inet.port(world.self, await listener(world)));
  return ok(await gen_tcp.connect(world.self, LOOPBACK, number, [['active', false]]));
};
const datagrams = async ({ self }: World): Promise<Port> =>
  ok(await gen_udp.open(self, 0, [['active', false]]));
const own = ({ self }: World) => self.pid;

const EINVAL = /^= \[ 'error', 'einval' \]$/;
/** Names of hosts, which are looked up. */
const NAMES: readonly Kind[] = [...TEXTS, ...BYTES];
const NO_HOST = /^ErlangExit: badarg: .* is no host/;
const DATA: readonly Kind[] = [...TEXTS, ...BYTES, 'array', 'array in array'];

const socket = (right: (world: World) => unknown) =>
  arg('socket', right, /^ErlangError: badarg: a socket is a port, not /, ['closed port']);
const number = (right: (world: World) => unknown) =>
  arg('port', right, /^Erlang(Error|Exit): badarg: a port is a number from 0 to 65535, not /);
const options = (takes: readonly Kind[] = []) =>
  arg(
    'options',
    () => ['binary'],
    /^ErlangExit: badarg: (the options have to be|.* is no option of this kind)/,
    ['array', ...takes],
  );
const timeout = arg(
  'timeout',
  () => 0,
  /^ErlangError: badarg: a timeout is a number from 0, or infinity, not /,
  [],
  ['undefined', 'beyond integers'],
);
const length = arg('length', () => 0, /^ErlangError: badarg: a length is a number from 0, not /, [
  'beyond integers',
]);
const host = arg('host', () => LOOPBACK, NO_HOST, [], NAMES);
/** Who does not read keeps what is too much for the system. */
const data = arg('data', () => 'x', EINVAL, DATA, ['huge bytes', 'huge text']);
const owner = arg('owner', own, /^ErlangError: badarg: a socket is given to a process, not to /, [
  'far pid',
  'dead pid',
]);

const ofTcp = ofModule('gen_tcp', gen_tcp);
const ofUdp = ofModule('gen_udp', gen_udp);
const ofInet = ofModule('inet', inet);

export const SOCKET_ROWS: readonly Row[] = [
  ofTcp('listen', [number(() => 0), options()]),
  ofTcp('accept', [socket(listener), timeout]),
  ofTcp('connect', [
    host,
    number(async (world) => ok(inet.port(world.self, await listener(world)))),
    options(),
    {
      ...timeout,
      right: () => 1000,
    },
  ]),
  {
    name: 'gen_tcp.connect to a path',
    args: [
      arg('path', () => '/nowhere/socket', /^ErlangExit: badarg: .* is no (path of a socket|host)/, [
        ...(['text', 'bytes', 'huge text', 'huge bytes'] as const),
      ]),
    ],
    call: (self, [path]) => gen_tcp.connect(self, ['local', path as string], 0, []),
  },
  {
    name: 'gen_tcp.listen at a path',
    args: [
      arg(
        'path',
        ({ self }) => `\0ling-tubes${self.pid}`,
        /^ErlangExit: badarg: .* is no (path of a socket|address)/,
        [...(['text', 'bytes', 'huge text', 'huge bytes'] as const)],
      ),
    ],
    call: (self, [path]) => gen_tcp.listen(self, 0, [['ip', ['local', path]]]),
  },
  ofTcp('send', [socket(connected), data]),
  ofTcp('recv', [socket(connected), length, timeout]),
  ofTcp('shutdown', [
    socket(connected),
    arg('how', () => 'write', /^ErlangError: badarg: how is read, write or read_write, not /),
  ]),
  ofTcp('controlling_process', [socket(connected), owner]),
  ofTcp('close', [socket(connected)]),
  alone('gen_tcp.isMessage', gen_tcp.isMessage, [any('socket', () => 'x', ALL)]),

  ofUdp('open', [number(() => 0), options(['undefined'])]),
  ofUdp('connect', [socket(datagrams), host, number(() => 9)]),
  ofUdp('send', [
    socket(datagrams),
    arg('to', () => [LOOPBACK, 9], /^ErlangError: badarg: (where to send is|a port is a number)/),
    data,
  ]),
  ofUdp('send', [socket(datagrams), host, number(() => 9), data]),
  ofUdp('recv', [socket(datagrams), length, timeout]),
  ofUdp('controlling_process', [socket(datagrams), owner]),
  ofUdp('close', [socket(datagrams)]),
  alone('gen_udp.isMessage', gen_udp.isMessage, [any('socket', () => 'x', ALL)]),

  ofInet('setopts', [socket(connected), arg('options', () => [['active', false]], EINVAL, ['array'])]),
  ofInet('getopts', [socket(connected), arg('names', () => ['active'], EINVAL, ['array'])]),
  ...['sockname', 'peername', 'port', 'close'].map((name) => ofInet(name, [socket(connected)])),
  alone('inet.ntoa', inet.ntoa, [arg('address', () => LOOPBACK, EINVAL)]),
  alone('inet.parse_address', inet.parse_address, [arg('text', () => '127.0.0.1', EINVAL)]),

  // Ports of other kinds are no sockets.
  ...(['echo', 'tube'] as const).flatMap((driver) => {
    const other = ({ self }: World): Port => self.open_port(driver);
    const none = arg('socket', other, /./, ALL);
    const takes = { endless: false };
    return [
      ofTcp('send', [none, any('data', () => 'x', ['text'])], takes),
      ofTcp('recv', [none, length], takes),
      ofTcp('accept', [none], takes),
      ofInet('setopts', [none, any('options', () => [['active', true]], allBut('cyclic array'))], takes),
    ].map((row) => ({
      ...row,
      name: `${row.name} of port ${driver}`,
      args: [] as const,
      call: callWith(row, other),
    }));
  }),
];

/** With a right value of each argument but the socket. */
function callWith(row: Row, socketOf: (world: World) => Port): Row['call'] {
  return async (self) => {
    const world = { self } as World;
    const [, , ...rest] = row.args;
    const values = [self, socketOf(world), ...(await Promise.all(rest.map((each) => each.right(world))))];
    const answer = await row.call(self, values);
    expect(answer).toEqual(['error', expect.stringMatching(/^(closed|einval)$/)]);
    return answer;
  };
}
