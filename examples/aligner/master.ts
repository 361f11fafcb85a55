/** The coordinating process of the master: reads in, batches to all shares, lines of SAM out, in the order of the reads. */
import { type Domain, isTuple, ok, type Pid, type Self } from '../../lib/index.js';
import * as navel from '../navel/navel.js';
import type { Crew } from './crew.js';
import { InputError } from './errors.js';
import { type Read, readFastq } from './fastq.js';
import type { Genome, GenomePart } from './genome.js';
import { BatchMerge } from './merge.js';
import { type Program, samHeader, samLines } from './sam.js';
import type { SamWriter } from './sam-writer.js';
import { DEFAULT_MAX_HITS } from './search.js';
import { type KeeperMessage, keepShare, WorkerError } from './share-keeper.js';
import { encodeReads } from './wire.js';

export interface Alignment {
  readonly genome: Genome;
  readonly shares: readonly (readonly GenomePart[])[];
  /** The FASTQ file, and the longest read that was seen in it when the shares were cut. */
  readonly reads: string;
  readonly longest: number;
  readonly batch: number;
  readonly maxMismatches: number;
  readonly program: Program;
  readonly crew: Crew;
  readonly writer: SamWriter;
  readonly onProgress: (reads: number) => void;
}

export interface Outcome {
  readonly reads: number;
  readonly mapped: number;
  /** Workers that died and were replaced. */
  readonly lost: number;
  readonly indexSeconds: number;
  readonly alignSeconds: number;
  readonly traffic: navel.Traffic;
}

/** Batches that are with the workers, or wait for one before them: what bounds the master's memory. */
const WINDOW = 4;

/**
 * Aligns all reads, and leaves the finished text in the writer, which it does not close.
 * @throws InputError, OutputError, WorkerError
 */
export async function align(self: Self, domain: Domain, alignment: Alignment): Promise<Outcome> {
  const start = performance.now();
  ok(await navel.start(self, 'master'));
  const master = new Master(self, alignment);
  master.startKeepers((pid, message) => domain.runtime.send(pid, message));
  await alignment.writer.write(samHeader(alignment.genome, alignment.program));
  await master.ready();
  const indexed = performance.now();
  await master.run();
  return {
    reads: master.reads,
    mapped: master.mapped,
    lost: master.lost,
    indexSeconds: (indexed - start) / 1000,
    alignSeconds: (performance.now() - indexed) / 1000,
    traffic: await navel.traffic(self),
  };
}

class Master {
  reads = 0;
  mapped = 0;
  lost = 0;
  readonly #keepers: Pid[] = [];
  /** In order; the first is the next to be written. */
  readonly #batches = new Map<number, { reads: Read[]; merge: BatchMerge }>();
  #next = 0;

  constructor(
    private readonly self: Self,
    private readonly alignment: Alignment,
  ) {}

  startKeepers(send: (pid: Pid, message: unknown) => void): void {
    const { shares, maxMismatches, crew } = this.alignment;
    const me = this.self.pid;
    for (const [share, parts] of shares.entries()) {
      const options = { share, parts, maxMismatches, maxHits: DEFAULT_MAX_HITS, crew, send };
      this.#keepers.push(this.self.spawn_link((keeper) => keepShare(keeper, me, options)));
    }
  }

  /** Resolves when every share has a worker that has its index. */
  async ready(): Promise<void> {
    for (let missing = this.#keepers.length; missing > 0; ) {
      if ((await this.#news())[0] === 'ready') missing--;
    }
  }

  async run(): Promise<void> {
    const { reads: file, batch } = this.alignment;
    const source = readFastq(file, batch);
    for (let isMore = true; isMore || this.#batches.size > 0; ) {
      while (isMore && this.#batches.size < WINDOW) {
        const { value, done } = await source.next();
        if (done) isMore = false;
        else this.#send(value);
      }
      if (this.#batches.size === 0) continue;
      const news = await this.#news();
      if (news[0] === 'found') await this.#take(news[1], news[2], news[3]);
    }
  }

  #send(reads: Read[]): void {
    const { shares, longest, reads: file } = this.alignment;
    if (reads.some(({ sequence }) => sequence.length > longest)) {
      throw new InputError(file, undefined, 'expected a file that does not change while it is read');
    }
    const index = this.#next++;
    this.#batches.set(index, { reads, merge: new BatchMerge(reads.length, shares.length, DEFAULT_MAX_HITS) });
    const encoded = encodeReads(reads);
    for (const keeper of this.#keepers) this.self.send(keeper, ['batch', index, encoded]);
  }

  async #take(share: number, index: number, hits: Parameters<BatchMerge['add']>[1]): Promise<void> {
    try {
      this.#batches.get(index)?.merge.add(share, hits);
    } catch (error) {
      throw new WorkerError(`worker-${share + 1}: ${(error as Error).message}`);
    }
    for (const [first, { reads, merge }] of this.#batches) {
      if (!merge.complete) return;
      this.#batches.delete(first);
      await this.#write(reads, merge);
    }
  }

  async #write(reads: readonly Read[], { hits }: BatchMerge): Promise<void> {
    const { genome, writer, onProgress } = this.alignment;
    const lines: string[] = [];
    for (const [i, read] of reads.entries()) {
      if (hits[i]!.length > 0) this.mapped++;
      lines.push(samLines(genome, read, hits[i]!));
    }
    this.reads += reads.length;
    await writer.write(lines.join(''));
    onProgress(this.reads);
  }

  async #news(): Promise<KeeperMessage> {
    const isNews = (message: unknown): message is KeeperMessage =>
      isTuple(message) && ['ready', 'found', 'lost', 'failed'].includes(message[0] as string);
    const news = await this.self.receive(isNews);
    if (news[0] === 'failed') throw new WorkerError(news[2]);
    if (news[0] === 'lost') this.lost++;
    return news;
  }
}
