import type { Read } from '#examples/aligner/fastq';
import type { Genome } from '#examples/aligner/genome';
import type { Hit } from '#examples/aligner/hit';
import { reverseComplement } from '#examples/aligner/nucleotide';

export interface SimulateOptions {
  readonly reads: number;
  /** Letters of a read; no read lies across two records. */
  readonly length: number;
  /** Every read is given 0 to this many letters that differ from its origin. */
  readonly maxMismatches: number;
  /** The same seed gives the same reads. */
  readonly seed: number;
}

/** Reads from known places of a genome. RangeError if no record is long enough. */
export function simulateReads(genome: Genome, options: SimulateOptions): { read: Read; origin: Hit }[] {
  const { length, maxMismatches } = options;
  const random = randomNumbers(options.seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const records = genome.records.map(({ sequence }, i) => ({ sequence, start: genome.starts[i]! }));
  const candidates = records.filter(({ sequence }) => sequence.length >= length);
  if (candidates.length === 0) throw new RangeError(`no record of ${length} bases`);

  return Array.from({ length: options.reads }, (_, i) => {
    const { sequence, start } = candidates[below(candidates.length)]!;
    const position = below(sequence.length - length + 1);
    // A copy: slice() of a Buffer would be a view of the genome.
    const letters = Uint8Array.from(sequence.subarray(position, position + length));
    const mismatches = below(Math.min(maxMismatches, length) + 1);
    for (const at of distinct(mismatches, length, below)) letters[at] = otherBase(letters[at]!, below);
    const strand = below(2) === 0 ? '+' : '-';
    const read = {
      name: `simulated${i + 1}`,
      sequence: strand === '+' ? letters : reverseComplement(letters),
      quality: new Uint8Array(length).map(() => LOWEST_QUALITY + below(QUALITIES)),
    };
    return { read, origin: { position: start + position, strand, mismatches } };
  });
}

const LOWEST_QUALITY = '!'.charCodeAt(0);
const QUALITIES = 41;
const BASE_LETTERS = Buffer.from('ACGT');

function distinct(count: number, limit: number, below: (limit: number) => number): Set<number> {
  const numbers = new Set<number>();
  while (numbers.size < count) numbers.add(below(limit));
  return numbers;
}

function otherBase(letter: number, below: (limit: number) => number): number {
  const others = BASE_LETTERS.filter((base) => base !== (letter & ~0x20));
  return others[below(others.length)]!;
}

/** Numbers from 0 up to 1, equally likely, the same for the same seed (a 32-bit counter, mixed). */
function randomNumbers(seed: number): () => number {
  let counter = seed | 0;
  return () => {
    counter = (counter + 0x9e3779b9) | 0;
    let mixed = Math.imul(counter ^ (counter >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}
