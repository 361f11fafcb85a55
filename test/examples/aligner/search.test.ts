import fc from 'fast-check';
import { readFasta } from '#examples/aligner/fasta';
import { type Read, readFastq } from '#examples/aligner/fastq';
import { Genome, type GenomePart } from '#examples/aligner/genome';
import { reverseComplement } from '#examples/aligner/nucleotide';
import { partition } from '#examples/aligner/partition';
import { PartSearch } from '#examples/aligner/search';
import { simulateReads } from '../../support/simulate-reads';
import { naiveSearch } from './naive';

const DATA = 'examples/aligner/data';

function part(text: string, offset = 0): GenomePart {
  return { record: 'r', offset, sequence: Buffer.from(text) };
}

function search(parts: readonly GenomePart[], read: string, maxMismatches: number, maxHits = Infinity) {
  return new PartSearch(parts, { maxMismatches, maxHits }).search(Buffer.from(read));
}

const letters = (alphabet: string, minLength: number, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...alphabet), minLength, maxLength });

describe('search', () => {
  for (const maxMismatches of [0, 1, 2, 3]) {
    for (const alphabet of ['A', 'AT', 'AC', 'ACGT', 'ACGTN', 'acgTURYN']) {
      test(`finds all that is there, with ${maxMismatches} mismatches, letters ${alphabet}`, () => {
        fc.assert(
          fc.property(
            fc.array(letters(alphabet, 0, 60), { maxLength: 3 }),
            letters(alphabet, 0, 12),
            (texts, read) => {
              const parts = texts.map((text, i) => part(text, 1000 * i));
              expect(search(parts, read, maxMismatches)).toEqual(naiveSearch(parts, read, maxMismatches));
            },
          ),
          { numRuns: 150 },
        );
      });
    }

    test(`finds a read wherever ${maxMismatches} of its letters are changed`, () => {
      const text = 'GATTACAGATTACCAGTCAGGTTTACGCA';
      const read = 'TTACCAGTC';
      const other = { A: 'C', C: 'G', G: 'T', T: 'A' } as Record<string, string>;
      for (let chosen = 0; chosen < 1 << read.length; chosen++) {
        const places = [...read].map((_, i) => (chosen >> i) & 1);
        if (places.filter(Boolean).length > maxMismatches) continue;
        const changed = [...read].map((letter, i) => (places[i] ? other[letter]! : letter)).join('');
        expect(search([part(text)], changed, maxMismatches)).toEqual(
          naiveSearch([part(text)], changed, maxMismatches),
        );
      }
    });
  }

  test.each([0, 1, 2, 3, 4, 5])('reads of length n - 1, n and n + 1 in a text of n = %i', (length) => {
    const text = 'ACGTA'.slice(0, length);
    for (const read of ['', 'A', ...[-1, 0, 1].map((by) => 'ACGTAC'.slice(0, Math.max(0, length + by)))]) {
      for (const maxMismatches of [0, 1, 2]) {
        expect(search([part(text)], read, maxMismatches)).toEqual(
          naiveSearch([part(text)], read, maxMismatches),
        );
      }
    }
  });

  test('no read lies across two parts', () => {
    expect(search([part('AAAA'), part('CCCC', 4)], 'AACC', 1)).toEqual([]);
    expect(search([part('AAAA'), part('AAAA', 4)], 'AAAA', 0).map((hit) => hit.position)).toEqual([0, 4]);
  });

  test('what overlapping parts both hold is one hit', () => {
    expect(search([part('ACGGT'), part('GGTTC', 2)], 'GGT', 0)).toEqual([
      { position: 2, strand: '+', mismatches: 0 },
    ]);
  });

  test('a read that is its own reverse complement has a hit on either strand', () => {
    expect(search([part('CCGATCCC')], 'GATC', 0)).toEqual([
      { position: 2, strand: '+', mismatches: 0 },
      { position: 2, strand: '-', mismatches: 0 },
    ]);
  });

  test('N of the genome and N of the read never match, not even each other', () => {
    expect(search([part('ACGNTACG')], 'CGNTA', 0)).toEqual([]);
    expect(search([part('ACGNTACG')], 'CGNTA', 1)).toEqual([{ position: 1, strand: '+', mismatches: 1 }]);
    expect(search([part('N'.repeat(50))], 'NNNN', 3)).toEqual([]);
  });

  test('maxHits keeps the first in the order of hits', () => {
    const parts = [part('ACACACACTTTACAGGTGTGT')];
    const all = search(parts, 'ACAC', 2);
    for (let maxHits = 0; maxHits <= all.length + 1; maxHits++) {
      expect(search(parts, 'ACAC', 2, maxHits)).toEqual(all.slice(0, maxHits));
    }
  });

  test.each([{ maxMismatches: -1 }, { maxMismatches: 1.5 }, { maxMismatches: Infinity }, { maxHits: -1 }])(
    'refuses %j',
    (options) => {
      expect(() => new PartSearch([part('A')], options)).toThrow(RangeError);
    },
  );

  test('a read in a repeat of a hundred thousand places', () => {
    const hits = search([part('A'.repeat(100_000))], 'A'.repeat(50), 2, 3);
    expect(hits.map((hit) => hit.position)).toEqual([0, 1, 2]);
  });
});

describe('search in the genome of phage lambda', () => {
  let genome: Genome;
  let whole: PartSearch;
  const reads: Read[] = [];

  beforeAll(async () => {
    genome = await readFasta(`${DATA}/lambda.fa`);
    whole = new PartSearch(partition(genome, 1, 0)[0]!);
    for await (const batch of readFastq(`${DATA}/reads.fq`)) reads.push(...batch);
  });

  test('finds what the naive search finds, for every sample read', () => {
    const parts = partition(genome, 1, 0)[0]!;
    expect(reads.length).toBe(500);
    for (const { sequence } of reads) {
      expect(whole.search(sequence)).toEqual(naiveSearch(parts, Buffer.from(sequence).toString(), 2));
    }
  });

  test('maps as many of the sample reads as their README says', () => {
    const best = reads.map(({ sequence }) => whole.search(sequence)).filter((hits) => hits.length > 0);
    expect(best.every((hits) => hits.length === 1)).toBe(true);
    const byMismatches = [0, 1, 2].map((n) => best.filter((hits) => hits[0]!.mismatches === n).length);
    expect(byMismatches).toEqual([99, 116, 76]);
  });

  test('finds where simulated reads come from, and the same places for their reverse complement', () => {
    for (const length of [20, 50, 101]) {
      const simulated = simulateReads(genome, { reads: 300, length, maxMismatches: 2, seed: length });
      for (const { read, origin } of simulated) {
        const hits = whole.search(read.sequence);
        expect(hits).toContainEqual(origin);
        const turned = whole.search(reverseComplement(read.sequence));
        expect(turned.map(({ position, mismatches }) => [position, mismatches])).toEqual(
          hits.map(({ position, mismatches }) => [position, mismatches]),
        );
      }
    }
  });

  test('simulated reads are the same for the same seed and leave the genome as it was', () => {
    const before = Buffer.from(genome.records[0]!.sequence);
    const options = { reads: 50, length: 40, maxMismatches: 2, seed: 7 };
    expect(simulateReads(genome, options)).toEqual(simulateReads(genome, options));
    expect(simulateReads(genome, { ...options, seed: 8 })).not.toEqual(simulateReads(genome, options));
    expect(Buffer.compare(before, genome.records[0]!.sequence)).toBe(0);
    expect(() => simulateReads(new Genome([]), options)).toThrow(RangeError);
  });
});
