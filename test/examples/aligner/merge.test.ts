import fc from 'fast-check';
import { Genome } from '#examples/aligner/genome';
import { compareHits, type Hit } from '#examples/aligner/hit';
import { BatchMerge, mergeHits } from '#examples/aligner/merge';
import { partition } from '#examples/aligner/partition';
import { PartSearch } from '#examples/aligner/search';

const hit = fc.record<Hit>({
  position: fc.nat(5),
  strand: fc.constantFrom('+', '-'),
  mismatches: fc.nat(2),
});
const hits = fc
  .uniqueArray(hit, { selector: (one) => JSON.stringify(one), maxLength: 12 })
  .map((some) => some.sort(compareHits));

const genome = fc
  .array(fc.string({ unit: fc.constantFrom('A', 'C', 'N'), minLength: 1, maxLength: 30 }), {
    minLength: 1,
    maxLength: 4,
  })
  .map((texts) => new Genome(texts.map((text, i) => ({ name: `r${i}`, sequence: Buffer.from(text) }))));

describe('the order of hits', () => {
  test('is total: only equal hits compare as equal, and the sign turns with the sides', () => {
    fc.assert(
      fc.property(hit, hit, (a, b) => {
        expect(Math.sign(compareHits(a, b)) + Math.sign(compareHits(b, a))).toBe(0);
        expect(compareHits(a, b) === 0).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });
});

describe('merging hits', () => {
  test('does not depend on order, grouping or repetition', () => {
    fc.assert(
      fc.property(hits, hits, hits, fc.nat(8), (a, b, c, most) => {
        const merge = (x: Hit[], y: Hit[]) => mergeHits(x, y, most);
        expect(merge(a, b)).toEqual(merge(b, a));
        expect(merge(merge(a, b), c)).toEqual(merge(a, merge(b, c)));
        expect(merge(merge(a, b), b)).toEqual(merge(a, b));
      }),
    );
  });
});

describe('partition and merge', () => {
  test('give what one search of the whole genome gives, in whatever order the shares answer', () => {
    const read = fc.string({ unit: fc.constantFrom('A', 'C', 'G', 'T', 'N'), maxLength: 8 });
    fc.assert(
      fc.property(
        genome,
        fc.array(read, { maxLength: 4 }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(2),
        fc.constantFrom(1, 3, Infinity),
        fc.nat(),
        (any, reads, count, maxMismatches, maxHits, turn) => {
          const options = { maxMismatches, maxHits };
          const longest = Math.max(1, ...reads.map((one) => one.length));
          const shares = partition(any, count, longest - 1);
          const merge = new BatchMerge(reads.length, shares.length, maxHits);
          for (let i = 0; i < shares.length; i++) {
            const share = (i * 7 + turn) % shares.length;
            const searcher = new PartSearch(shares[share]!, options);
            merge.add(
              share,
              reads.map((one) => searcher.search(Buffer.from(one))),
            );
          }
          for (const share of merge.missing) {
            const searcher = new PartSearch(shares[share]!, options);
            merge.add(
              share,
              reads.map((one) => searcher.search(Buffer.from(one))),
            );
          }
          const whole = new PartSearch(partition(any, 1, 0)[0]!, options);
          expect(merge.complete).toBe(true);
          expect(merge.hits).toEqual(reads.map((one) => whole.search(Buffer.from(one))));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('shares cover every base once and overlap by as much as was asked, within a record', () => {
    fc.assert(
      fc.property(genome, fc.integer({ min: 1, max: 130 }), fc.nat(5), (any, count, overlap) => {
        const shares = partition(any, count, overlap);
        expect(shares.length).toBe(Math.min(count, any.length));
        let next = 0;
        for (const share of shares) {
          const before = next;
          for (const { record, offset, sequence } of share) {
            expect(offset).toBe(next);
            const start = any.locate(offset);
            expect(start.record.name).toBe(record);
            const rest = Buffer.from(start.record.sequence).subarray(start.position);
            expect(rest.subarray(0, sequence.length).equals(sequence)).toBe(true);
            // How many of its bases are the part's own shows where the next part, or share, begins.
            const following = share[share.findIndex((one) => one.offset === offset) + 1]?.offset;
            const nextShare = shares[shares.indexOf(share) + 1]?.[0]?.offset;
            next = following ?? nextShare ?? any.length;
            expect(sequence.length).toBe(Math.min(rest.length, next - offset + overlap));
          }
          expect(Math.abs(next - before - any.length / shares.length)).toBeLessThan(1);
        }
        expect(next).toBe(any.length);
      }),
    );
  });

  test('refuse numbers that make no sense', () => {
    const any = new Genome([{ name: 'r', sequence: Buffer.from('ACGT') }]);
    for (const count of [0, -1, 1.5, NaN]) expect(() => partition(any, count, 0)).toThrow(RangeError);
    for (const overlap of [-1, 0.5, NaN]) expect(() => partition(any, 1, overlap)).toThrow(RangeError);
    for (const position of [-1, 4, NaN]) expect(() => any.locate(position)).toThrow(RangeError);
  });
});

describe('a batch being merged', () => {
  const one: Hit = { position: 1, strand: '+', mismatches: 0 };
  const other: Hit = { position: 2, strand: '+', mismatches: 0 };

  test('knows who is missing, and takes the first answer of a share only', () => {
    const merge = new BatchMerge(1, 2, 10);
    expect(merge.missing).toEqual([0, 1]);
    expect(merge.add(1, [[other]])).toBe(false);
    expect(merge.add(1, [[other]])).toBe(false);
    expect(merge.missing).toEqual([0]);
    expect(merge.add(0, [[one]])).toBe(true);
    expect(merge.add(0, [[one]])).toBe(true);
    expect(merge.hits).toEqual([[one, other]]);
  });

  test('refuses the answer of a stranger, and one to another number of reads', () => {
    const merge = new BatchMerge(1, 2, 10);
    for (const share of [-1, 2, 0.5]) expect(() => merge.add(share, [[one]])).toThrow(RangeError);
    for (const answer of [[], [[one], [one]]]) expect(() => merge.add(0, answer)).toThrow(RangeError);
    expect(merge.missing).toEqual([0, 1]);
  });
});
