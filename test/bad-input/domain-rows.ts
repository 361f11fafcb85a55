/** Domains, tubes and the Xenstore. */
import { boot, type Domain, ok, type Port, tube, xenstore } from '#lib/index';
import { ALL, BYTES, type Kind, NO_OPTIONS, TEXTS, type World } from './nonsense';
import { any, arg, ofModule, type Row } from './rows';

let tid = 0;
const passive = async ({ self, peer }: World): Promise<Port> =>
  ok(await tube.open(self, peer, ++tid, [['active', false]]));
const own = ({ self }: World) => self.pid;

const BADARG = /^= \[ 'error', 'badarg' \]$/;
const EINVAL = /^= \[ 'error', 'einval' \]$/;
const ofTube = ofModule('tube', tube);
const ofXenstore = ofModule('xenstore', xenstore);

const aTube = (takes: readonly Kind[] = []) => arg('tube', passive, BADARG, takes);
/** What raises badarg as port_command does. */
const raisedTube = arg(
  'tube',
  passive,
  /^ErlangError: badarg: .*( is no port| is registered as | is closed)/,
);
const tubeOptions = arg('options', () => [['active', false]], BADARG, ['undefined', 'array']);

const key = arg('key', () => 'data/key', BADARG, ['text', 'huge text']);
const tx = arg('tid', () => undefined, BADARG, ['undefined']);
const begun = arg('tid', async ({ self }) => ok(await xenstore.transaction(self)), BADARG);

/** An option of boot. */
function bootOption(
  name: string,
  right: unknown,
  takes: readonly Kind[],
  refusal = new RegExp(`^RangeError: ${name} has to be`),
): Row {
  return {
    name: `boot option ${name}`,
    args: [arg(name, () => right, refusal, ['undefined', ...takes])],
    call: (_, [value]) => bootAndStop({ [name]: value }),
  };
}

async function bootAndStop(options: unknown): Promise<void> {
  await (await boot(options as never)).stop();
}

/** A method of the caller's own domain. */
function ofDomain(domainOf: () => Domain) {
  return (name: string, args: Row['args']): Row => ({
    name: `domain.${name}`,
    args,
    call: (_, values) => {
      const domain = domainOf() as unknown as Record<string, (...values: unknown[]) => unknown>;
      return domain[name]!(...values);
    },
  });
}

const body = arg(
  'body',
  () => () => 'done',
  /^ErlangError: badarg: (a process runs a function, not|what to run has to be)/,
  ['function'],
);

export function domainRows(domainOf: () => Domain): readonly Row[] {
  const row = ofDomain(domainOf);
  return [
    {
      name: 'boot',
      args: [
        arg(
          'options',
          () => ({}),
          /^RangeError: (the options of boot have to be|.* is no option of boot)/,
          NO_OPTIONS,
        ),
      ],
      call: (_, [options]) => bootAndStop(options),
    },
    bootOption('name', 'somebody', ['text']),
    // A relative path would be a directory here.
    bootOption(
      'rundir',
      undefined,
      ['text'],
      /^(RangeError: rundir has to be|RunDirectoryError: .* cannot be made|Error: ENAMETOOLONG: name too long, .*xxx)/,
    ),
    bootOption('tubeTimeout', 1000, ['fraction', 'infinite']),
    bootOption('tubeRing', 'ling', []),
    row('spawn', [body, any('argument', () => 'x', ALL)]),
    row('run', [body]),
    row('addDriver', [
      arg(
        'driver',
        () => ({ name: 'mirror', start: () => ({}) }),
        /^(TypeError: driver(\.name|\.start)? has to be|RangeError: driver\.name has)/,
      ),
    ]),
    row('removeDriver', [
      any('name', () => 'mirror', ALL),
      arg('options', () => ({}), /^ErlangError: badarg: .* of removeDriver/, NO_OPTIONS),
    ]),

    ofTube('open', [
      arg('domid', ({ peer }) => peer, BADARG),
      arg('tid', () => ++tid, BADARG, ['undefined']),
      tubeOptions,
    ]),
    ofTube('accept', [{ ...tubeOptions, waits: ['undefined', 'array'] }], { endless: true }),
    ofTube('close', [aTube()]),
    ofTube('can_send', [aTube()]),
    ofTube('can_send_async', [aTube()]),
    ofTube('send_many', [
      raisedTube,
      arg(
        'packets',
        () => ['x'],
        /^ErlangError: (badarg: (data are|the data contain|the packets have to be)|a packet has 1 to)/,
        ['array'],
      ),
    ]),
    ofTube('recv', [
      aTube(['closed port']),
      arg('timeout', () => 0, /^ErlangError: badarg: the timeout/, [], ['undefined']),
    ]),
    ofTube('setopts', [aTube(), arg('options', () => [['full', 'busy']], EINVAL, ['array'])]),
    ofTube('getopts', [aTube(), arg('names', () => ['full'], EINVAL, ['array'])]),
    ofTube('controlling_process', [aTube(['closed port']), arg('owner', own, BADARG)]),

    ofXenstore('read', [key, tx]),
    ofXenstore('read_integer', [key, tx]),
    ofXenstore('write', [
      key,
      arg('value', () => 'x', BADARG, [...TEXTS, ...BYTES, 'negative', 'beyond integers', 'bigint']),
      tx,
    ]),
    ...['list', 'listNodes', 'mkdir', 'delete', 'get_perms'].map((name) => ofXenstore(name, [key, tx])),
    ofXenstore('set_perms', [key, arg('perms', () => ['n1'], BADARG, ['array']), tx]),
    ofXenstore('watch', [key]),
    ofXenstore('unwatch', [key]),
    ofXenstore('transaction', []),
    ofXenstore('commit', [begun]),
    ofXenstore('rollback', [begun]),
    ofXenstore('domid', []),
  ];
}
