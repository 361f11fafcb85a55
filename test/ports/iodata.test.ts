import fc from 'fast-check';
import { type List, list, toList } from '#actors/term';
import { toBytes } from '#ports/iodata';

describe('every kind of data in every kind of nesting', () => {
  const SIZES = [0, 1, 2, 255, 256, 257, 4095, 4096, 4097, 20_000];
  const kinds: Record<string, (size: number) => unknown> = {
    Buffer: (size) => pattern(size),
    Uint8Array: (size) => new Uint8Array(pattern(size)),
    'view into a larger buffer': (size) =>
      Buffer.concat([pattern(3), pattern(size), pattern(3)]).subarray(3, 3 + size),
    text: (size) =>
      pattern(size)
        .toString('latin1')
        .replace(/[^\0-\x7f]/g, '?'),
    'list of bytes': (size) => toList([...pattern(size)]),
    'tuple of bytes': (size) => [...pattern(size)],
  };
  const nestings: Record<string, (data: unknown) => unknown> = {
    'as it is': (data) => data,
    'in a list': (data) => list(data),
    'in a tuple': (data) => [data],
    'after an empty list': (data) => list(list(), data),
    'before an empty text': (data) => [data, ''],
    'as an improper tail': (data) => improper(list(), data),
    'five deep': (data) => [list([list([data])])],
  };
  for (const [kind, make] of Object.entries(kinds)) {
    for (const [nesting, nest] of Object.entries(nestings)) {
      test.each(SIZES)(`${kind}, ${nesting}: %i bytes`, (size) => {
        const data = make(size);
        const bytes = toBytes(nest(data));
        expect(Buffer.compare(bytes, naive(data))).toBe(0);
      });
    }
  }
});

test('a Uint8Array is passed on itself, everything else is a copy', () => {
  const data = Buffer.from('abc');
  expect(toBytes(data)).toBe(data);
  const copy = toBytes([data]);
  copy[0] = 0;
  expect(data[0]).toBe(97);
});

test.each([
  ['é', 2],
  ['€', 3],
  ['😀', 4],
])('text is UTF-8: %s has %i bytes', (text, length) => {
  expect(toBytes(text)).toHaveLength(length);
  expect(toBytes([text, list(text)])).toHaveLength(2 * length);
});

describe('what is no iodata', () => {
  const cases: Record<string, unknown> = {
    undefined: undefined,
    null: null,
    'a number': 17,
    'a bigint': 1n,
    true: true,
    'an object': {},
    'a Map': new Map(),
    'a function': () => 1,
    'a symbol': Symbol('s'),
    'an ArrayBuffer': new ArrayBuffer(1),
    'a Uint16Array': new Uint16Array(1),
  };
  test.each(Object.entries(cases))('%s is badarg, bare, in a list, and as a tail', (_, data) => {
    for (const bad of [data, ['a', [Number.NaN, data]], improper(list(1), data ?? null)]) {
      expect(() => toBytes(bad)).toThrow('badarg');
    }
  });

  test.each([-1, 256, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32])('%d is no byte', (byte) => {
    expect(() => toBytes([byte])).toThrow('badarg');
  });

  test.each([0, 255])('%d is one, but not as an improper tail', (byte) => {
    expect(toBytes([byte])).toEqual(Buffer.of(byte));
    expect(() => toBytes(improper(list(1), byte))).toThrow('badarg');
  });

  test('nor is an array with a hole', () => {
    expect(() => toBytes(new Array(2))).toThrow('badarg');
  });
});

describe('nesting deeper than the call stack', () => {
  // How a program that adds to the end builds it, and one that adds to the front.
  const builders: Record<string, (inner: unknown) => unknown> = {
    'to the left': (inner) => [inner, 120],
    'to the right': (inner) => [120, inner],
    'by improper tails': (inner) => improper(list(120), inner),
  };
  for (const [how, wrap] of Object.entries(builders)) {
    test.each([1, 999, 1000, 1001, 300_000])(`${how}, %i deep`, (depth) => {
      let data: unknown = '';
      for (let i = 0; i < depth; i++) data = wrap(data);
      // Not toEqual, which looks at each byte for long.
      expect(Buffer.alloc(depth, 'x').equals(toBytes(data))).toBe(true);
    });
  }
});

describe('an array that contains itself is badarg', () => {
  test.each([1, 2, 3, 998, 1000, 1002, 5000])('a ring of %i', (length) => {
    const ring: unknown[][] = Array.from({ length }, () => []);
    ring.forEach((array, i) => {
      array.push(ring[(i + 1) % length]);
    });
    expect(() => toBytes(ring[0])).toThrow('badarg');
  });

  test('as its own tail', () => {
    const endless = list();
    endless.tail = endless;
    expect(() => toBytes(endless)).toThrow('badarg');
  });

  test('below many others', () => {
    const loop: unknown[] = [];
    loop.push(loop);
    let data: unknown[] = loop;
    for (let i = 0; i < 3000; i++) data = [data];
    expect(() => toBytes(data)).toThrow('badarg');
  });
});

test('one array in several places is no ring, however deep', () => {
  const shared = ['ab'];
  let data: unknown[] = [shared];
  for (let i = 0; i < 2000; i++) data = [shared, data, shared];
  expect(toBytes(data)).toHaveLength(4001 * 2);
});

test('equals a naive flattening', () => {
  const { data } = fc.letrec((tie) => ({
    leaf: fc.oneof(
      fc.uint8Array({ maxLength: 5 }),
      fc.string({ unit: 'binary', maxLength: 5 }),
      fc.array(fc.nat(255), { maxLength: 5 }),
    ),
    item: fc.oneof({ maxDepth: 6 }, fc.nat(255), tie('data')),
    branch: fc
      .tuple(fc.array(tie('item'), { maxLength: 4 }), fc.option(tie('data')), fc.boolean())
      .map(([items, tail, isList]) => {
        if (!isList) return items;
        return tail === null ? toList(items) : improper(toList(items), tail);
      }),
    data: fc.oneof({ maxDepth: 6 }, tie('leaf'), tie('branch')),
  }));
  fc.assert(
    fc.property(data, (iodata) => {
      expect(Buffer.from(toBytes(iodata))).toEqual(naive(iodata));
    }),
    { numRuns: 300 },
  );
});

function naive(data: unknown): Buffer {
  if (typeof data === 'number') return Buffer.of(data);
  if (typeof data === 'string') return Buffer.from(data);
  if (data instanceof Uint8Array) return Buffer.from(data);
  const items = data as unknown[];
  const { tail = '' } = items as List;
  return Buffer.concat([...items, tail].map(naive));
}

function improper(items: List, tail: unknown): List {
  items.tail = tail;
  return items;
}

function pattern(size: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: size }, (_, i) => i * 7));
}

test.each<[string, unknown]>([
  ['an object with the prototype of Uint8Array', Object.create(Uint8Array.prototype)],
  ['a proxy of bytes', new Proxy(new Uint8Array(3), {})],
  ['other typed arrays', new Uint16Array(3)],
  ['an ArrayBuffer', new ArrayBuffer(3)],
])('%s is no iodata', (_what, data) => {
  for (const nested of [data, [data], list('a', data)]) {
    expect(() => toBytes(nested)).toThrow(expect.objectContaining({ reason: 'badarg' }));
  }
});
