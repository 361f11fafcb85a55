import fc from 'fast-check';
import { FmIndex } from '#examples/aligner/fm-index';
import { SEPARATOR, UNKNOWN_IN_READ, UNKNOWN_IN_TEXT } from '#examples/aligner/nucleotide';

function occurrences(text: Uint8Array, pattern: Uint8Array): number[] {
  const positions: number[] = [];
  for (let at = 0; at + pattern.length <= text.length; at++) {
    if (pattern.every((code, i) => code < 4 && text[at + i] === code)) positions.push(at);
  }
  return positions;
}

const codes = (most: number, minLength: number, maxLength: number) =>
  fc.array(fc.nat(most), { minLength, maxLength }).map((array) => Uint8Array.from(array));

describe('FM index', () => {
  test.each([
    ['of one base', 0],
    ['of two bases', 1],
    ['of four bases', 3],
    ['with unknown letters and separators', 5],
  ])('counts and locates every pattern in a text %s', (_, most) => {
    fc.assert(
      fc.property(codes(most, 0, 200), codes(Math.min(most, 4), 1, 6), (text, pattern) => {
        const index = new FmIndex(text);
        const expected = occurrences(text, pattern);
        expect(index.count(pattern)).toBe(expected.length);
        expect(index.locate(pattern)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  // A block holds 32 rows and every 8th position is sampled.
  test.each([0, 1, 2, 6, 7, 8, 9, 15, 16, 17, 30, 31, 32, 33, 62, 63, 64, 65, 255, 256, 257])(
    'locates all substrings of a text of %i bases',
    (length) => {
      const text = Uint8Array.from({ length }, (_, i) => (i * i * 7 + (i >> 2)) % 4);
      const index = new FmIndex(text);
      expect(index.length).toBe(length);
      for (let from = 0; from < length; from += 3) {
        for (const size of [1, 2, 5, length - from]) {
          const pattern = text.subarray(from, from + size);
          expect(index.locate(pattern)).toEqual(occurrences(text, pattern));
        }
      }
    },
  );

  test('finds nothing that is not a base, though the text holds it', () => {
    const index = new FmIndex(Uint8Array.of(0, UNKNOWN_IN_TEXT, 0, SEPARATOR, 0));
    for (const code of [UNKNOWN_IN_TEXT, SEPARATOR, UNKNOWN_IN_READ]) {
      expect(index.count(Uint8Array.of(code))).toBe(0);
      expect(index.locate(Uint8Array.of(0, code))).toEqual([]);
    }
    expect(index.locate(Uint8Array.of(0))).toEqual([0, 2, 4]);
  });

  test('the empty pattern is counted everywhere and located nowhere', () => {
    const index = new FmIndex(Uint8Array.of(0, 1, 2));
    expect(index.count(new Uint8Array(0))).toBe(4);
    expect(() => index.locate(new Uint8Array(0))).toThrow(RangeError);
  });

  test('takes less than two bytes a base', () => {
    const text = Uint8Array.from({ length: 100_000 }, (_, i) => (i * i + (i >> 3)) % 4);
    expect(new FmIndex(text).bytes).toBeLessThan(200_000);
  });
});
