import fc from 'fast-check';
import type { Hit } from '#examples/aligner/hit';
import {
  decodeHits,
  decodeReads,
  encodeHits,
  encodeReads,
  PieceCollector,
  toPieces,
} from '#examples/aligner/wire';
import { binary_to_term, List, list, term_to_binary } from '#lib/index';

const sent = (term: unknown) => binary_to_term(term_to_binary(term));

test('a share comes together again, whatever its parts and the size of the pieces', () => {
  const parts = fc.array(fc.uint8Array({ minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(parts, fc.integer({ min: 1, max: 30 }), (sequences, limit) => {
      let offset = 0;
      const share = sequences.map((letters) => {
        offset += 100;
        return { record: '', offset, sequence: Buffer.from(letters) };
      });
      const collector = new PieceCollector();
      for (const pieces of toPieces(share, limit)) {
        expect(pieces.reduce((sum, [, , { length }]) => sum + length, 0)).toBeLessThanOrEqual(limit);
        collector.add(sent(pieces));
      }
      expect(collector.take()).toEqual(share);
      expect(collector.take()).toEqual([]);
    }),
  );
});

test('reads and hits are the same on the other side', () => {
  const hit = fc.record<Hit>({
    position: fc.nat(2 ** 40),
    strand: fc.constantFrom('+', '-'),
    mismatches: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.array(fc.array(hit, { maxLength: 4 }), { maxLength: 4 }), (hits) => {
      const decoded = decodeHits(sent(encodeHits(hits)));
      expect(decoded).toEqual(hits);
      expect(decoded).not.toBeInstanceOf(List);
    }),
  );
  const reads = ['ACGT', ''].map((text) => ({
    name: 'x',
    sequence: Buffer.from(text),
    quality: Buffer.from(text),
  }));
  expect(decodeReads(sent(encodeReads(reads)))).toEqual(reads.map(({ sequence }) => sequence));
});

test.each([
  ['no list', 'atom'],
  ['a tuple', [list()]],
  ['a list of something else', list(1)],
  ['no hit', list(list([1, 'x', 0]))],
  ['a negative position', list(list([-1, '+', 0]))],
  ['a hit too short', list(list([1, '+']))],
])('%s is refused', (_name, term) => {
  expect(() => decodeHits(term)).toThrow(TypeError);
  expect(() => decodeReads(term)).toThrow(TypeError);
  expect(() => new PieceCollector().add(term)).toThrow(TypeError);
});
