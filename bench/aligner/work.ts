/** What the aligner's workers do with reads, and its master with their answers. All messages are bytes. */
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { readFasta } from '../../examples/aligner/fasta.js';
import { type Read, readFastq } from '../../examples/aligner/fastq.js';
import type { Genome } from '../../examples/aligner/genome.js';
import type { Hit } from '../../examples/aligner/hit.js';
import { BatchMerge } from '../../examples/aligner/merge.js';
import { partition } from '../../examples/aligner/partition.js';
import { DEFAULT_MAX_HITS, PartSearch } from '../../examples/aligner/search.js';
import {
  decodeHits,
  decodeReads,
  encodeHits,
  encodeReads,
  PieceCollector,
  toPieces,
} from '../../examples/aligner/wire.js';
import { binary_to_term, list, term_to_binary } from '../../lib/index.js';

export type Work = 'search' | 'echo';

const DATA = path.resolve(__dirname, '../../../examples/aligner/data');

/** The master's part: every batch goes to all workers. */
export interface Asking {
  /** How many batches are with the workers at most. */
  readonly window: number;
  /** The first message for each worker. */
  readonly shares: readonly Uint8Array[];
  /** How many reads are in batch `i`, from 0, of which there is no last. */
  reads(i: number): number;
  message(i: number): Uint8Array;
  /** Of one worker. @throws Error when it, or what all have answered, is wrong */
  take(i: number, worker: number, answer: Uint8Array): void;
}

/** A worker's part: what its first message makes of those that follow. */
export type Answering = (share: Uint8Array) => (message: Uint8Array) => Uint8Array;

export const WORKS: Readonly<
  Record<Work, { ask(workers: number): Promise<Asking>; readonly answer: Answering }>
> = {
  search: { ask: askForSearch, answer: search },
  echo: { ask: askForEcho, answer: () => (message) => message },
};

/** As the aligner does it: a share of the genome for each worker, whose answers are merged. */
const BATCH = 250;

function search(share: Uint8Array): (message: Uint8Array) => Uint8Array {
  const pieces = new PieceCollector();
  pieces.add(binary_to_term(share));
  const parts = new PartSearch(pieces.take());
  return (message) => {
    const reads = decodeReads(binary_to_term(message));
    return term_to_binary(encodeHits(reads.map((letters) => parts.search(letters))));
  };
}

async function askForSearch(workers: number): Promise<Asking> {
  const genome = await readFasta(path.join(DATA, 'lambda.fa'));
  const batches = await readReads(BATCH);
  const expected = batches.map((batch) => found(genome, batch));
  const longest = Math.max(...batches.flat().map(({ sequence }) => sequence.length));
  const merges = new Map<number, BatchMerge>();
  return {
    window: 4,
    shares: partition(genome, workers, longest - 1).map((share) =>
      term_to_binary(list(...[...toPieces(share, Infinity)].flatMap((pieces) => [...pieces]))),
    ),
    reads: (i) => inTurn(batches, i).length,
    message: (i) => term_to_binary(encodeReads(inTurn(batches, i))),
    take(i, worker, answer) {
      const merge = merges.get(i) ?? new BatchMerge(inTurn(batches, i).length, workers, DEFAULT_MAX_HITS);
      merges.set(i, merge);
      if (!merge.add(worker, decodeHits(binary_to_term(answer)))) return;
      merges.delete(i);
      if (!isDeepStrictEqual(merge.hits, inTurn(expected, i))) throw new Error(`batch ${i} has other hits`);
    },
  };
}

/** What one search of everything gives. */
function found(genome: Genome, batch: readonly Read[]): Hit[][] {
  const whole = new PartSearch(partition(genome, 1, 0).flat());
  return batch.map(({ sequence }) => whole.search(sequence));
}

/** Nothing but the way there and back, a read at a time. */
async function askForEcho(workers: number): Promise<Asking> {
  const reads = (await readReads(1)).map(([read]) => (read as Read).sequence);
  return {
    window: 256,
    shares: Array(workers).fill(Buffer.from('echo')),
    reads: () => 1,
    message: (i) => inTurn(reads, i),
    take(i, worker, answer) {
      if (Buffer.compare(answer, inTurn(reads, i)) !== 0) throw new Error(`${worker} answers another read`);
    },
  };
}

async function readReads(batch: number): Promise<Read[][]> {
  const batches: Read[][] = [];
  for await (const reads of readFastq(path.join(DATA, 'reads.fq'), batch)) batches.push(reads);
  return batches;
}

function inTurn<T>(all: readonly T[], i: number): T {
  return all[i % all.length] as T;
}
