import fc from 'fast-check';
import { suffixArray } from '#examples/aligner/suffix-array';

function sortedSuffixes(text: Uint8Array): number[] {
  const letters = Buffer.from(text);
  return [...letters.keys()].sort((a, b) => Buffer.compare(letters.subarray(a), letters.subarray(b)));
}

const text = (codes: number, maxLength: number) =>
  fc.array(fc.nat(codes - 1), { maxLength }).map((array) => Uint8Array.from(array));

describe('suffix array', () => {
  test.each([1, 2, 3, 6])('of any text of %i codes is its suffixes in order', (codes) => {
    fc.assert(
      fc.property(text(codes, 60), (any) => {
        expect([...suffixArray(any, codes)]).toEqual(sortedSuffixes(any));
      }),
      { numRuns: 300 },
    );
  });

  test('of every text of up to 8 letters of 3 codes', () => {
    for (let length = 0; length <= 8; length++) {
      for (let number = 0; number < 3 ** length; number++) {
        const any = Uint8Array.from({ length }, (_, i) => Math.floor(number / 3 ** i) % 3);
        const order = suffixArray(any, 3);
        if (order.join() !== sortedSuffixes(any).join()) throw new Error(`${any} gives ${order}`);
      }
    }
  });

  test.each([2, 3, 4, 31, 32, 33, 1000])(
    'of repeats of %i letters, which name their cuts again and again',
    (period) => {
      const unit = Array.from({ length: period }, (_, i) => (i * i + (i >> 1)) % 4);
      for (const length of [999, 1000, 1001, 3000]) {
        const repeats = Uint8Array.from({ length }, (_, i) => unit[i % period]!);
        expect([...suffixArray(repeats, 4)]).toEqual(sortedSuffixes(repeats));
      }
    },
  );

  test('of a Fibonacci word, the worst of repeats', () => {
    let [shorter, longer] = ['0', '01'];
    while (longer.length < 2000) [shorter, longer] = [longer, longer + shorter];
    const word = Uint8Array.from(longer, Number);
    expect([...suffixArray(word, 2)]).toEqual(sortedSuffixes(word));
  });

  test('of one letter a million times takes its time from the length alone', () => {
    const order = suffixArray(new Uint8Array(1_000_000), 1);
    expect(order.every((suffix, i) => suffix === 999_999 - i)).toBe(true);
  });
});
