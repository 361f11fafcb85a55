/** A domain whose tubes are busy when lingd is killed; says when it was back, and when its tubes paused. */
import { once } from 'node:events';
import { type Domain, isData, ok, type Self, tube } from '../../lib/index.js';
import { inDomain } from '../domain.js';
import { argument, say } from './parent.js';

export type RestartProgram =
  | { readonly role: 'echo' }
  | { readonly role: 'ask'; readonly peer: number; readonly tubes: number }
  /** Kills that OS process after so many milliseconds, and opens a tube at once. */
  | { readonly role: 'kill'; readonly peer: number; readonly lingd: number; readonly after: number };

/** All times are nanoseconds of the clock that all OS processes have. */
export type Moment = number;

/** For so long, in milliseconds, tubes are watched when their domain is back. */
const AFTERWARDS = 1000;
/** How many packets of each tube are under way; they always fit into it. */
const UNDER_WAY = 8;
/** Shorter pauses are not worth mentioning, in nanoseconds. */
const PAUSE = 500_000;

export interface Flow {
  readonly sent: number;
  readonly received: number;
  /** When each ended, and how long it was. */
  readonly pauses: readonly (readonly [Moment, number])[];
}

process.once('disconnect', () => process.exit());
// So that it leaves with the last domain.
process.env.LINGD_LINGER = '0';
void main();

async function main(): Promise<void> {
  const program = argument<RestartProgram & { rundir: string }>();
  await inDomain(program.rundir, async (self, domain) => {
    const back = once(domain, 'reconnected').then(now);
    if (program.role === 'echo') {
      for (let tubes = 0; tubes < 32; tubes++) domain.spawn(echo);
      say(domain.domid);
      say(await back);
      await new Promise(() => {});
    } else if (program.role === 'ask') {
      const flows = Array.from({ length: program.tubes }, (_, tid) => ask(domain, program.peer, tid, back));
      await Promise.all(flows.map(({ busy }) => busy));
      say('busy');
      say(await back);
      say(await Promise.all(flows.map(({ flow }) => flow)));
    } else {
      say(await kill(self, program));
      say(await back);
    }
  });
  if (process.connected) process.disconnect();
}

async function echo(self: Self): Promise<void> {
  const t = ok(await tube.accept(self));
  for (;;) self.port_command(t, (await self.receive(isData(t)))[1][1]);
}

function ask(
  domain: Domain,
  peer: number,
  tid: number,
  back: Promise<Moment>,
): { busy: Promise<void>; flow: Promise<Flow> } {
  let begun = (): void => {};
  const busy = new Promise<void>((resolve) => {
    begun = resolve;
  });
  let isOver = false;
  void back.then(() =>
    setTimeout(() => {
      isOver = true;
    }, AFTERWARDS),
  );
  const flow = domain.run(async (self) => {
    const t = ok(await tube.open(self, peer, tid));
    const pauses: [Moment, number][] = [];
    let sent = 0;
    let received = 0;
    let last = now();
    const send = (): void => {
      const packet = Buffer.alloc(64);
      packet.writeUInt32LE(sent++);
      self.port_command(t, packet);
    };
    for (let i = 0; i < UNDER_WAY; i++) send();
    begun();
    while (received < sent) {
      const [, [, packet]] = await self.receive(isData(t));
      if (Buffer.from(packet).readUInt32LE() !== received++)
        throw new Error(`packet ${received - 1} is lost`);
      const at = now();
      if (at - last > PAUSE) pauses.push([at, at - last]);
      last = at;
      if (!isOver) send();
    }
    return { sent, received, pauses };
  });
  return { busy, flow };
}

/** When, and when a tube that was opened then has brought a packet back. */
async function kill(
  self: Self,
  { peer, lingd, after }: Extract<RestartProgram, { role: 'kill' }>,
): Promise<[killed: Moment, works: Moment]> {
  await new Promise((resolve) => setTimeout(resolve, after));
  const killed = now();
  process.kill(lingd, 'SIGKILL');
  const t = ok(await tube.open(self, peer));
  self.port_command(t, 'x');
  await self.receive(isData(t));
  return [killed, now()];
}

function now(): Moment {
  return Number(process.hrtime.bigint());
}
