/** The aligner's master, or one of its workers. The master says how many reads all workers have answered. */
import { type Channel, TRANSPORTS, type Transport } from '../aligner/channels.js';
import { type Answering, type Asking, WORKS, type Work } from '../aligner/work.js';
import { cpuTimeOf } from '../proc.js';
import { argument, say } from './parent.js';

export type AlignerProgram = { readonly transport: Transport; readonly work: Work } & (
  | { readonly role: 'worker'; readonly path: string }
  | {
      readonly role: 'master';
      /** What each worker has said, and its OS process. */
      readonly workers: readonly { readonly address: unknown; readonly pid: number }[];
      /** In seconds. */
      readonly warmUp: number;
      readonly seconds: number;
    }
);

export interface Aligned {
  readonly reads: number;
  /** Nanoseconds, until the last answer was here. */
  readonly elapsed: number;
  /** CPU time of the master and all workers, in nanoseconds. */
  readonly cpu: number;
}

type Argument = AlignerProgram & { readonly rundir: string };

process.once('disconnect', () => process.exit());
void main();

async function main(): Promise<void> {
  const program = argument<Argument>();
  const { ask, answer } = WORKS[program.work];
  const { accept } = TRANSPORTS[program.transport];
  if (program.role === 'worker') await accept(program, say, (channel) => work(channel, answer));
  else say((await lead(program, await ask(program.workers.length))) satisfies Aligned);
}

/** Until the program ends. */
async function work(channel: Channel, answering: Answering): Promise<never> {
  const answer = answering(await channel.receive());
  await channel.send(READY);
  for (;;) {
    const next = channel.receive();
    const sent = channel.send(answer(next instanceof Promise ? await next : next));
    if (sent !== true) await sent;
  }
}

const READY = Buffer.from('ready');

async function lead(
  { transport, workers, warmUp, seconds, rundir }: Extract<Argument, { role: 'master' }>,
  asking: Asking,
): Promise<Aligned> {
  const cpuTime = (): number => cpuTimeOf(process.pid, ...workers.map(({ pid }) => pid));
  const warm = new Run(asking);
  const measured = new Run(asking);
  let began = 0n;
  let used = 0;
  let aligned: Aligned | undefined;
  const haveShares = meeting(workers.length, () => warm.begin(warmUp));
  const areWarm = meeting(workers.length, () => {
    used = cpuTime();
    began = process.hrtime.bigint();
    measured.begin(seconds);
  });
  const haveAnswered = meeting(workers.length, () => {
    const elapsed = Number(process.hrtime.bigint() - began);
    aligned = { reads: measured.reads, elapsed, cpu: cpuTime() - used };
  });
  const lead = async (worker: number, channel: Channel): Promise<void> => {
    await channel.send(asking.shares[worker] as Uint8Array);
    await channel.receive();
    await haveShares();
    await warm.keepBusy(worker, channel);
    await areWarm();
    await measured.keepBusy(worker, channel);
    await haveAnswered();
  };
  const { connect } = TRANSPORTS[transport];
  await Promise.all(
    workers.map(({ address }, i) => connect(rundir, address, i, (channel) => lead(i, channel))),
  );
  return aligned as Aligned;
}

/** Resolves when all have called it, after `then`. */
function meeting(count: number, then: () => void): () => Promise<void> {
  let missing = count;
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return () => {
    if (--missing === 0) {
      then();
      end();
    }
    return ended;
  };
}

/** Batches, as many as are begun in a time, each for all workers. */
class Run {
  /** In all batches that were begun. */
  reads = 0;
  #batches = 0;
  #end = 0;

  constructor(private readonly asking: Asking) {}

  begin(seconds: number): void {
    this.#end = performance.now() + seconds * 1000;
  }

  /** Until the worker has answered the last of them. */
  async keepBusy(worker: number, channel: Channel): Promise<void> {
    const { asking } = this;
    let taken = 0;
    for (let sent = 0; ; ) {
      while (sent - taken < asking.window && this.#has(sent)) {
        const room = channel.send(asking.message(sent++));
        if (room !== true) await room;
      }
      if (taken === sent) return;
      const next = channel.receive();
      asking.take(taken++, worker, next instanceof Promise ? await next : next);
    }
  }

  #has(batch: number): boolean {
    if (batch < this.#batches) return true;
    if (performance.now() >= this.#end) return false;
    this.reads += this.asking.reads(this.#batches++);
    return true;
  }
}
