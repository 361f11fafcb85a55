/** One tube after the other between the same two domains, all of which carry packets in the same direction. */
import { ok, type Pid, type Self, type Tube, tube } from '../../lib/index.js';
import { Book, type Mode, type Sent, type TubeName } from './books.js';
import { Packets } from './packets.js';
import { mixAll, Random } from './random.js';
import { receiveShift } from './receiving.js';
import { relay } from './relay.js';
import { Cargo, sendShift, sentOf } from './sending.js';

export type Side = 0 | 1;

export interface Lane {
  readonly number: number;
  readonly opener: Side;
  readonly sender: Side;
}

/** Each side opens and each side sends, in all combinations, at the same time. */
export const LANES: readonly Lane[] = [0, 1, 2, 3].map((number) => ({
  number,
  opener: (number & 1) as Side,
  sender: (number >> 1) as Side,
}));

export interface Settings {
  readonly mode: Mode;
  readonly seed: number;
  /** Of how many packets in a hundred the size is anything, not small. */
  readonly large: number;
  /** The most packets of a tube. */
  readonly longest: number;
}

export type TubeReport =
  | [what: 'sent', TubeName, Sent]
  | [what: 'received', TubeName, number]
  | [what: 'finished', lane: number];

/** Where a side of a lane is. */
export interface Site {
  readonly side: Side;
  readonly peer: number;
  readonly settings: Settings;
  /** Tubes are to end, and no other ones to be opened. */
  isStopping(): boolean;
  say(report: TubeReport): void;
  /** Of each tube that is about to be received from. */
  begin(book: Book): void;
}

const RINGS: readonly tube.Ring[] = ['ling', 2 ** 17, 2 ** 17, 2 ** 18, 2 ** 19, 2 ** 20];

/** Runs one side, which receives {@link acceptTubes | the tubes} that it does not open itself. */
export async function runLane(self: Self, lane: Lane, site: Site): Promise<void> {
  const { side, peer, settings } = site;
  const random = new Random(mixAll(settings.seed, lane.number, side));
  const isOpener = lane.opener === side;
  self.process_flag('trap_exit', true);
  for (let generation = 0; !isOpener || !site.isStopping(); generation++) {
    const options: readonly tube.OpenOption[] = [
      ['active', false],
      ['ring', random.pick(RINGS)],
    ];
    const t = isOpener ? ok(await tube.open(self, peer, lane.number, options)) : await accepted(self);
    const name = { lane: lane.number, generation };
    const packets = new Packets(mixAll(settings.seed, lane.number, generation), settings.large);
    if (lane.sender === side) site.say(['sent', name, await send(self, t, packets, site, random)]);
    else {
      const book = new Book(name, packets, settings.mode);
      site.begin(book);
      await receive(self, t, book, random);
      site.say(['received', name, book.received]);
    }
  }
  site.say(['finished', lane.number]);
}

/** Accepts tubes, and gives each to the process of its lane. */
export async function acceptTubes(self: Self, lanes: readonly Pid[]): Promise<never> {
  for (;;) {
    const t = ok(await tube.accept(self, [['active', false]]));
    const tid = self.port_info(t, 'tid');
    if (tid === 'undefined') throw new Error('a tube has closed with packets in it');
    const lane = lanes[tid[1] as number] as Pid;
    ok(await tube.controlling_process(self, t, lane));
    self.send(lane, ['accepted', t] satisfies Accepted);
  }
}

type Accepted = [what: 'accepted', Tube];

async function accepted(self: Self): Promise<Tube> {
  const isAccepted = (message: unknown): message is Accepted =>
    Array.isArray(message) && message[0] === 'accepted';
  return (await self.receive(isAccepted))[1];
}

async function send(self: Self, t: Tube, packets: Packets, site: Site, random: Random): Promise<Sent> {
  const { mode, longest } = site.settings;
  ok(tube.setopts(self, t, [['full', mode === 'drop' ? 'drop' : 'busy']]));
  const cargo = new Cargo(packets, random.magnitude(1, longest), mode, () => site.isStopping());
  let sent: Sent | undefined;
  await relay(self, t, async (owner) => {
    if (await sendShift(owner, t, cargo, random)) return 'hand over';
    sent = sentOf(owner, t, cargo);
    ok(await tube.close(owner, t));
    return 'over';
  });
  return sent as unknown as Sent;
}

async function receive(self: Self, t: Tube, book: Book, random: Random): Promise<void> {
  await relay(self, t, async (owner) =>
    (await receiveShift(owner, t, book, random)) ? 'over' : 'hand over',
  );
}
