/** Domains in one OS process that send back what comes through tubes, open tubes, and keep them busy. */
import { setTimeout as sleep } from 'node:timers/promises';
import { boot, type Domain, isData, ok, type Self, type Tube, tube } from '../../lib/index.js';
import { argument, say } from './parent.js';

export interface LoadProgram {
  readonly domains: number;
}

export interface TubeToOpen {
  /** Which of the domains here. */
  readonly from: number;
  /** A domid. */
  readonly to: number;
  readonly tid: number;
}

/** What it is told, and then says. First of all it says the domids. */
export type LoadTold =
  /** Opens them all at once, and has them carry packets for ever, or only one: how often what was answered. */
  | [what: 'open', tubes: readonly TubeToOpen[], forHowLong: 'for ever' | 'once']
  /** How many packets of each that was opened for ever have come back. */
  | [what: 'count']
  /** The others are about to end. */
  | [what: 'end'];
export type Answers = Readonly<Record<string, number>>;

/** A tube carries a packet there and back about once in so many milliseconds. */
const PERIOD = 250;
/** For an answer, of a machine that is busy with others, in milliseconds. */
const PATIENCE = 60_000;

process.once('disconnect', () => process.exit());

let isOver = false;

void main();

async function main(): Promise<void> {
  const { domains: count, rundir } = argument<LoadProgram & { rundir: string }>();
  const domains: Domain[] = [];
  // One after the other: each starts a thread, and this is about what they do then.
  while (domains.length < count) domains.push(await boot({ rundir, tubeTimeout: PATIENCE }));
  for (const domain of domains) {
    domain.on('crash', fail);
    domain.on('disconnected', fail);
    domain.on('stopped', fail);
    domain.spawn(serve);
  }
  const counts: number[] = [];
  process.on('message', (told: LoadTold) => {
    if (told[0] === 'count') return say([...counts]);
    if (told[0] === 'end') {
      isOver = true;
      return say('over');
    }
    const [, tubes, forHowLong] = told;
    const opened = tubes.map(({ from, to, tid }) => {
      const count = forHowLong === 'once' ? undefined : counts.push(0) - 1;
      return talk(domains[from] as Domain, to, tid, () => {
        if (count === undefined) return false;
        (counts[count] as number)++;
        return true;
      });
    });
    void Promise.all(opened).then((answers) => say(countAnswers(answers)));
  });
  say(domains.map(({ domid }) => domid));
}

/** Accepts a tube, has another process accept the next one, and sends back what comes until it closes. */
async function serve(self: Self): Promise<void> {
  self.process_flag('trap_exit', true);
  const t = ok(await tube.accept(self));
  self.spawn(serve);
  for (;;) {
    const [from, what] = (await self.receive()) as [unknown, ['data', Buffer]];
    if (from !== t) return;
    self.port_command(t, what[1]);
  }
}

/**
 * Opens a tube, in a process of its own. Resolves when a packet has come back through it, with `ok`, or with why there is
 * none; goes on after it as long as `again`, which is called after each, answers true.
 */
function talk(domain: Domain, to: number, tid: number, again: () => boolean): Promise<string> {
  return new Promise((resolve) => {
    domain.spawn(async (self) => {
      const [tag, t] = await tube.open(self, to, tid);
      if (tag === 'error') return resolve(t);
      for (let number = 0; ; number++) {
        await exchange(self, t, number);
        const goesOn = again();
        if (!goesOn) await tube.close(self, t);
        resolve('ok');
        if (!goesOn) return undefined;
        await sleep(Math.random() * 2 * PERIOD);
      }
    });
  });
}

async function exchange(self: Self, t: Tube, number: number): Promise<void> {
  const packet = Buffer.alloc(8);
  packet.writeDoubleLE(number);
  self.port_command(t, packet);
  const answer = await self.receive(isData(t), { after: PATIENCE });
  if (answer === undefined || !packet.equals(answer[1][1])) throw new Error(`${number} has not come back`);
}

function countAnswers(answers: readonly string[]): Answers {
  const counts: Record<string, number> = {};
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1;
  return counts;
}

function fail(why: unknown): void {
  if (isOver) return;
  process.stderr.write(`${why}\n`);
  process.exit(1);
}
