/**
 * The process, in the master, that stands for one share of the genome: batches of reads go in, hits come out. Behind
 * it is a worker; when that dies, the tube says so, and a fresh one takes the share and the batch that was not
 * answered. Searching has no effects, so nobody can tell afterwards.
 */
import { isTuple, type List, type Pid, type Self } from '../../lib/index.js';
import * as navel from '../navel/navel.js';
import type { Crew, Worker } from './crew.js';
import type { GenomePart } from './genome.js';
import type { Hit } from './hit.js';
import { decodeHits, toPieces } from './wire.js';

/** A batch of reads to find; answered by `found` with the same index. */
export type Batch = ['batch', index: number, reads: List<Uint8Array>];
/** To the coordinator. */
export type KeeperMessage =
  | ['ready', share: number]
  | ['found', share: number, index: number, hits: Hit[][]]
  | ['lost', share: number, worker: string]
  | ['failed', share: number, trouble: string];

export interface ShareOptions {
  readonly share: number;
  readonly parts: readonly GenomePart[];
  readonly maxMismatches: number;
  readonly maxHits: number;
  readonly crew: Crew;
  /** Sends from outside of any process. */
  readonly send: (pid: Pid, message: unknown) => void;
}

/** So many workers may die one after the other without any answer in between. */
const ATTEMPTS = 3;
/** From the start of a worker until its tube is there, in milliseconds. */
const START = 30_000;
/** Bases in one message. */
const PIECE = 4 * 1024 * 1024;

/** Runs until its coordinator ends. */
export async function keepShare(self: Self, coordinator: Pid, options: ShareOptions): Promise<void> {
  const tell = (message: KeeperMessage) => self.send(coordinator, message);
  const keeper = new ShareKeeper(self, options, (name) => tell(['lost', options.share, name]));
  try {
    await keeper.attempt(async () => undefined);
    tell(['ready', options.share]);
    for (;;) {
      const [, index, reads] = await self.receive(isBatch);
      tell(['found', options.share, index, await keeper.attempt(() => keeper.search(reads))]);
    }
  } catch (error) {
    if (!(error instanceof WorkerError)) throw error;
    tell(['failed', options.share, error.message]);
  }
}

/** Workers cannot do their work, and another one could not either. */
export class WorkerError extends Error {
  readonly code = 'worker_failed';
}

class WorkerLost extends Error {}

class ShareKeeper {
  #worker: Worker | undefined;
  #hired = 0;

  constructor(
    private readonly self: Self,
    private readonly options: ShareOptions,
    private readonly onLost: (worker: string) => void,
  ) {}

  /** Does some work with a worker that knows the share; with another one when that dies. */
  async attempt<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        if (this.#worker === undefined) await this.#hire();
        return await work();
      } catch (error) {
        if (!(error instanceof WorkerLost)) throw error;
        const { name } = this.#worker as Worker;
        this.#worker?.giveUp();
        this.#worker = undefined;
        this.onLost(name);
        if (attempt === ATTEMPTS)
          throw new WorkerError(`${ATTEMPTS} workers died in a row: ${error.message}`);
      }
    }
  }

  async search(reads: List<Uint8Array>): Promise<Hit[][]> {
    const answer = await this.#call('search', [reads]);
    try {
      return decodeHits(answer);
    } catch (error) {
      throw new WorkerError(`${this.#worker?.name}: ${(error as Error).message}`);
    }
  }

  async #hire(): Promise<void> {
    const { self, options } = this;
    const { pid } = self;
    const name = `worker-${options.share + 1}${this.#hired === 0 ? '' : `-${this.#hired + 1}`}`;
    this.#hired++;
    await navel.subscribe(self);
    this.#worker = options.crew.start(name, (how) => options.send(pid, ['ended', name, how]));
    const isNews = (message: unknown): message is ['nodeup' | 'ended', string, string] =>
      isTuple(message) && (message[0] === 'nodeup' || message[0] === 'ended') && message[1] === name;
    const news = await self.receive(isNews, { after: START });
    await navel.unsubscribe(self);
    if (news?.[0] !== 'nodeup') throw new WorkerLost(`${name}: ${news?.[2] ?? 'did not start'}`);

    for (const pieces of toPieces(options.parts, PIECE)) await this.#call('add_pieces', [pieces]);
    await this.#call('build_index', [options.maxMismatches, options.maxHits]);
  }

  async #call(name: string, args: unknown[]): Promise<unknown> {
    const worker = (this.#worker as Worker).name;
    const answer = await navel.call(this.self, worker, 'worker', name, args);
    if (!navel.isBadRpc(answer)) return answer;
    if (answer[1] === 'nodedown') throw new WorkerLost(`${worker}: its tube has closed`);
    throw new WorkerError(`${worker}: ${name} failed: ${describe(answer[1])}`);
  }
}

function isBatch(message: unknown): message is Batch {
  return isTuple(message) && message[0] === 'batch';
}

/** What has gone wrong, without the stack: `['EXIT', [['RangeError', Buffer], Stack]]`. */
function describe(reason: unknown): string {
  if (reason instanceof Uint8Array) return Buffer.from(reason).toString();
  if (!isTuple(reason)) return String(reason);
  const [first, second] = reason;
  if (first === 'EXIT') return describe(isTuple(second) ? second[0] : second);
  return reason.map(describe).join(': ');
}
