import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { ErlangError } from '#actors/errors';
import { binary_to_term, term_to_binary } from '#actors/external-term';
import { Origin, Pid, Port, Reference } from '#actors/identifiers';
import { Runtime } from '#actors/runtime';
import { Float, type List, list } from '#actors/term';
import { ErlangOracle } from '../fixtures/external-term/oracle';

const origin = new Origin('n@h', 77);
const elsewhere = new Origin('\u0416@h', 0xffff_ffff);

let erl: ErlangOracle;
beforeAll(() => {
  erl = new ErlangOracle();
});
afterAll(() => erl.stop());

const hex = (term: unknown): string => term_to_binary(term).toString('hex');
const bytesOf = (...parts: (number | string | Uint8Array)[]): Buffer =>
  Buffer.concat(
    parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part as string))),
  );
const u32 = (value: number): Buffer => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value]);
const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));
const improper = (tail: unknown, ...items: unknown[]): List => Object.assign(list(...items), { tail });
const compressed = (body: Uint8Array, size = body.length): Buffer =>
  bytesOf(131, 80, u32(size), deflateSync(body));

function reasonOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    if (!(error instanceof ErlangError)) throw error;
    return error.reason;
  }
  return 'no error';
}

/** A term in TypeScript, and what an Erlang programmer writes for it. */
const SAME: [term: unknown, erlang: string][] = [
  ...[0, 1, 127, 128, 255, 256, -1, -128, -129, 65535, 2 ** 27, 2 ** 28, 2 ** 31 - 1].map(integer),
  ...[2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 32 - 1, 2 ** 32, 2 ** 47, 2 ** 48 - 1, 2 ** 48].map(integer),
  ...[Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER].map(integer),
  ...[
    2n ** 53n,
    -(2n ** 53n),
    2n ** 59n,
    2n ** 60n - 1n,
    2n ** 60n,
    2n ** 63n,
    2n ** 64n - 1n,
    2n ** 64n,
  ].map(integer),
  ...[254n, 255n, 256n].flatMap((bytes) => [2n ** (8n * bytes) - 1n, -(2n ** (8n * bytes))]).map(integer),
  [1.5, '1.5'],
  [-0.1, '-0.1'],
  [Number.MIN_VALUE, '4.9406564584124654e-324'],
  [new Float(0), '0.0'],
  [new Float(-0), '-0.0'],
  [new Float(1), '1.0'],
  [new Float(1e300), '1.0e300'],
  [new Float(Number.MAX_VALUE), '1.7976931348623157e308'],
  ['ok', 'ok'],
  ['', "''"],
  [true, 'true'],
  [false, 'false'],
  ['undefined', 'undefined'],
  ['__proto__', "'__proto__'"],
  ['a\0b', "'a\\x{0}b'"],
  ['\u007f\u0080\u00ff', "'\\x{7f}\\x{80}\\x{ff}'"],
  ['\u0100', "'\\x{100}'"],
  ['\ufffe\u{1f600}', 'list_to_atom([16#fffe, 16#1f600])'],
  ...[1, 127, 128, 254, 255].flatMap((length): [string, string][] => [
    ['a'.repeat(length), `list_to_atom(lists:duplicate(${length}, $a))`],
    ['\u00e9'.repeat(length), `list_to_atom(lists:duplicate(${length}, 16#e9))`],
    ['\u0416'.repeat(length), `list_to_atom(lists:duplicate(${length}, 16#416))`],
    ['\u{1f600}'.repeat(length), `list_to_atom(lists:duplicate(${length}, 16#1f600))`],
  ]),
  [[], '{}'],
  [['a', [1, []]], '{a,{1,{}}}'],
  ...[4, 5, 255, 256].map((n): [unknown, string] => [
    times(n, () => 'x'),
    `list_to_tuple(lists:duplicate(${n}, x))`,
  ]),
  [list(), '[]'],
  [list(list()), '[[]]'],
  [list('a', 'b'), '[a,b]'],
  [list(1, 256), '[1,256]'],
  [list<unknown>(1, new Float(2)), '[1,2.0]'],
  [list(0, 255), '[0,255]'],
  ...[1, 65534, 65535, 65536].map((n): [unknown, string] => [
    list(...times(n, () => 7)),
    `lists:duplicate(${n}, 7)`,
  ]),
  [improper('b', 'a'), '[a|b]'],
  [improper('b', 1, 2), '[1,2|b]'],
  [improper(['x'], list(1), 2), '[[1],2|{x}]'],
  [Buffer.alloc(0), '<<>>'],
  [Buffer.from([0, 255]), '<<0,255>>'],
  [Buffer.alloc(70_000, 1), 'binary:copy(<<1>>, 70000)'],
  [new Map(), '#{}'],
  [
    new Map<unknown, unknown>([
      ['b', 1],
      ['a', 2],
    ]),
    '#{a => 2, b => 1}',
  ],
  [
    new Map<unknown, unknown>([
      [Buffer.from('x'), 1],
      [list(1), 2],
      [list(), 3],
      [new Map(), 4],
      [['t'], 5],
      ['atom', 6],
      [true, 7],
      [new Float(1), 8],
      [0.5, 9],
      [2, 10],
      [2n ** 70n, 11],
      [-(2n ** 70n), 12],
      [new Float(-3), 13],
    ]),
    '#{<<"x">> => 1, [1] => 2, [] => 3, #{} => 4, {t} => 5, atom => 6, true => 7, 1.0 => 8, 0.5 => 9, 2 => 10, ' +
      '1 bsl 70 => 11, -(1 bsl 70) => 12, -3.0 => 13}',
  ],
  [
    new Map([
      ['\ufffe', 1],
      ['\u{10000}', 2],
      ['\ud7ff', 3],
    ]),
    '#{list_to_atom([16#fffe]) => 1, list_to_atom([16#10000]) => 2, list_to_atom([16#d7ff]) => 3}',
  ],
];

function integer(value: number | bigint): [unknown, string] {
  return [value, String(value)];
}

const IDENTIFIERS = [origin, elsewhere].flatMap((from) => [
  ...[0, 1, 0x7fff, 0x8000, 0xffff_ffff].flatMap((id) => [new Pid(from, id, 0), new Pid(from, 1, id)]),
  ...[0, 1, 2 ** 28 - 1, 2 ** 28, 2 ** 32, 2 ** 53 - 1].map((id) => new Port(from, id)),
  ...[0, 1, 2, 3, 4, 5].map(
    (words) =>
      new Reference(
        from,
        times(words, (i) => 0x1_0000 + i),
      ),
  ),
]);

describe('against the Erlang that is installed', () => {
  test('it is OTP 25, whose bytes these are', async () => {
    expect(await erl.evaluate('list_to_atom(erlang:system_info(otp_release))')).toBe(hex('25'));
  });

  test.each(SAME.map(([term, erlang]) => ({ term, erlang, title: erlang.slice(0, 60) })))(
    'writes the bytes of $title and reads them back',
    async ({ term, erlang }) => {
      const expected = await erl.evaluate(erlang);
      expect(hex(term)).toBe(expected);
      expect(binary_to_term(Buffer.from(expected, 'hex'))).toEqual(term);
    },
  );

  test('a small bigint is the number it equals, and -0 is 0', () => {
    for (const value of [0, 255, 256, -1, 2 ** 31 - 1, 2 ** 31, -(2 ** 31) - 1, 2 ** 52]) {
      expect(hex(BigInt(value))).toBe(hex(value));
    }
    expect(hex(-0)).toBe(hex(0));
    expect(hex(list<unknown>(1n, -0, 255n))).toBe(hex(list(1, 0, 255)));
    expect(hex(1e300)).toBe(hex(BigInt(1e300)));
    expect(hex(new Float(1.5))).toBe(hex(1.5));
  });

  test('a tail that is a list makes one list', () => {
    expect(hex(improper(list('b', 'c'), 'a'))).toBe(hex(list('a', 'b', 'c')));
    expect(hex(improper(improper(list(3), 2), 1))).toBe(hex(list(1, 2, 3)));
    expect(hex(improper(list(), 'a'))).toBe(hex(list('a')));
    expect(hex(improper(improper('d', 'c'), 'a', 'b'))).toBe(hex(improper('d', 'a', 'b', 'c')));
  });

  test.each(IDENTIFIERS.map((id) => ({ id, title: `${id.constructor.name} ${id} of ${id.node}` })))(
    '$title is the same to Erlang, and comes back',
    async ({ id }) => {
      const bytes = term_to_binary(id);
      expect(await erl.again(bytes)).toBe(bytes.toString('hex'));
      expect(binary_to_term(bytes)).toEqual(id);
    },
  );

  test.each([
    'self()',
    'make_ref()',
    'hd(erlang:ports())',
    '{self(), make_ref()}',
    'monitor(process, self())',
  ])("reads and writes Erlang's own %s", async (expression) => {
    const bytes = await erl.evaluate(expression);
    expect(hex(binary_to_term(Buffer.from(bytes, 'hex')))).toBe(bytes);
  });

  test('identifiers and compound terms as keys come in the order of Erlang', async () => {
    const keys = [
      ...IDENTIFIERS.filter((id) => !(id instanceof Reference)),
      ...[origin, elsewhere].flatMap((from) =>
        [[5], [1, 1], [2, 1], [1, 2], [0, 0, 1]].map((w) => new Reference(from, w)),
      ),
      ...[new Float(1), 1, 2, 1.5, 2n ** 64n].flatMap((n) => [
        n,
        [n],
        list(n),
        [n, 'a'],
        new Map([[n, 1]]),
        new Map([[1, n]]),
      ]),
      improper(2, 1, 'b'),
      improper('a', 1),
      improper(3, 1),
      list(1, 1),
      list<unknown>(1, 'b'),
      list<unknown>(1, 'b', 'c'),
      list('a'),
      ...['', 'a', 'ab', 'b', '\u0100', '\ufffe', '\u{10000}'].flatMap((text) => [text, Buffer.from(text)]),
      true,
    ];
    const known = new Map(keys.map((key) => [hex(key), key]));
    for (const order of [[...known.values()], [...known.values()].reverse()]) {
      const bytes = term_to_binary(new Map(order.map((key, i) => [key, i])));
      expect(await erl.againSorted(bytes)).toBe(bytes.toString('hex'));
    }
    // Up to 32 keys Erlang sorts without being asked.
    for (let i = 0; i + 32 <= known.size; i += 8) {
      const bytes = term_to_binary(new Map([...known.values()].slice(i, i + 32).map((key) => [key, i])));
      expect(await erl.again(bytes)).toBe(bytes.toString('hex'));
    }
  });

  test.each([31, 32, 33, 1000])('maps of %i keys', async (size) => {
    const map = new Map(times(size, (i) => [`k${(i * 7919) % size}`, i]));
    const bytes = term_to_binary(map);
    expect(await erl.againSorted(bytes)).toBe(bytes.toString('hex'));
    const written = Buffer.from(
      await erl.evaluate(`maps:from_list([{I, -I} || I <- lists:seq(1, ${size})])`),
      'hex',
    );
    expect(binary_to_term(written)).toEqual(new Map(times(size, (i) => [i + 1, -(i + 1)])));
  });

  test('reads what old and compressing Erlangs wrote', async () => {
    const n = bytesOf(100, 0, 1, 'n');
    const float = (text: string): Buffer =>
      Buffer.concat([bytesOf(131, 99, text), Buffer.alloc(31 - text.length)]);
    const old: [Buffer, unknown][] = [
      [bytesOf(131, 115, 2, 'ok'), 'ok'],
      [bytesOf(131, 115, 1, 0xe9), 'é'],
      [bytesOf(131, 119, 2, 'é'), 'é'],
      [bytesOf(131, 118, 0, 4, 'true'), true],
      [float('1.50000000000000000000e+00'), 1.5],
      [float('-1.00000000000000000000e+02'), new Float(-100)],
      [bytesOf(131, 103, n, u32(5), u32(6), 3), new Pid(new Origin('n', 3), 5, 6)],
      [bytesOf(131, 102, n, u32(5), 2), new Port(new Origin('n', 2), 5)],
      [bytesOf(131, 120, n, u32(0), u32(5), u32(9)), new Port(new Origin('n', 9), 5)],
      [bytesOf(131, 101, n, u32(5), 1), new Reference(new Origin('n', 1), [5])],
      [bytesOf(131, 114, 0, 2, n, 1, u32(5), u32(6)), new Reference(new Origin('n', 1), [5, 6])],
      [bytesOf(131, 105, u32(1), 97, 1), [1]],
      [bytesOf(131, 108, u32(0), 106), list()],
      [bytesOf(131, 108, u32(0), 97, 1), 1],
      [bytesOf(131, 108, u32(1), 97, 1, 108, u32(1), 97, 2, 106), list(1, 2)],
      [bytesOf(131, 108, u32(1), 97, 1, 107, 0, 1, 2), list(1, 2)],
      [bytesOf(131, 110, 0, 0), 0],
      [bytesOf(131, 110, 3, 1, 5, 0, 0), -5],
      [bytesOf(131, 110, 2, 7, 0, 0), 0],
      [bytesOf(131, 111, u32(2), 0, 1, 1), 257],
      [bytesOf(131, 77, u32(1), 8, 5), Buffer.from([5])],
      [bytesOf(131, 77, u32(0), 0), Buffer.alloc(0)],
      [compressed(bytesOf(97, 1)), 1],
      [
        Buffer.from(await erl.evaluate('binary_to_term(term_to_binary(lists:seq(1, 9)))'), 'hex'),
        list(1, 2, 3, 4, 5, 6, 7, 8, 9),
      ],
    ];
    for (const [bytes, term] of old) {
      expect(binary_to_term(bytes)).toEqual(term);
      expect(await erl.again(bytes)).toBe(hex(term));
    }
  });

  test('any term is the same bytes here and there', async () => {
    await fc.assert(
      fc.asyncProperty(anyTerm, async (term) => {
        const bytes = term_to_binary(term);
        expect(hex(binary_to_term(bytes))).toBe(bytes.toString('hex'));
        expect(await erl.againSorted(bytes)).toBe(bytes.toString('hex'));
      }),
      { numRuns: 1500 },
    );
  });
});

const anyOrigin = fc.record({
  node: fc.constantFrom('n@h', 'm@h', '\u0416@h'),
  creation: fc.nat(0xffff_ffff),
});
const word = fc.nat(0x3_ffff);

const { term: anyTerm } = fc.letrec<{ term: unknown; leaf: unknown }>((tie) => ({
  leaf: fc.oneof(
    fc.integer(),
    fc.maxSafeInteger(),
    fc.bigInt({ min: -(2n ** 3000n), max: 2n ** 3000n }),
    fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => new Float(value + 0)),
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.boolean(),
    fc.uint8Array({ maxLength: 100 }),
    fc.array(fc.nat(300), { maxLength: 50 }).map((items) => list(...items)),
    fc
      .tuple(anyOrigin, word, word)
      .map(([o, id, serial]) => new Pid(new Origin(o.node, o.creation), id, serial)),
    fc.tuple(anyOrigin, fc.maxSafeNat()).map(([o, id]) => new Port(new Origin(o.node, o.creation), id)),
    fc
      .tuple(anyOrigin, fc.array(word, { minLength: 1, maxLength: 5 }))
      .map(([o, words]) => new Reference(new Origin(o.node, o.creation), words)),
  ),
  term: fc.oneof(
    { maxDepth: 4 },
    tie('leaf'),
    fc.array(tie('term'), { maxLength: 4 }),
    fc.array(tie('term'), { maxLength: 4 }).map((items) => list(...items)),
    fc
      .tuple(fc.array(tie('term'), { minLength: 1, maxLength: 4 }), tie('term'))
      .map(([items, tail]) => improper(tail, ...items)),
    fc.array(fc.tuple(tie('term'), tie('term')), { maxLength: 5 }).map(distinctKeys),
  ),
}));

/** What Erlang takes for one key is one key: leaves out entries whose keys have the same bytes. */
function distinctKeys(entries: [unknown, unknown][]): Map<unknown, unknown> {
  const byBytes = new Map(
    entries.map((entry) => [hex(entry[0]).replaceAll('468000000000000000', '460000000000000000'), entry]),
  );
  return new Map(byBytes.values());
}

describe('term_to_binary refuses what is no term, and says where it is', () => {
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  const endless = list<unknown>(1);
  endless.tail = endless;

  const culprits: [value: unknown, reason: string, why: RegExp][] = [
    [undefined, 'badarg', /undefined, which is no Erlang term/],
    [null, 'badarg', /null, which is no Erlang term/],
    [{ a: 1 }, 'badarg', /an object \(Object\)/],
    [Object.create(null), 'badarg', /an object \(without a class\)/],
    [new Date(0), 'badarg', /an object \(Date\)/],
    [new Uint16Array(1), 'badarg', /an object \(Uint16Array\)/],
    [Symbol('s'), 'badarg', /a symbol/],
    [() => 1, 'badarg', /a fun/],
    [Number.NaN, 'badarg', /NaN/],
    [Number.POSITIVE_INFINITY, 'badarg', /Infinity/],
    [new Float(Number.NEGATIVE_INFINITY), 'badarg', /-Infinity/],
    ['\ud800', 'badarg', /surrogate/],
    ['a\udc00b', 'badarg', /surrogate/],
    ['a'.repeat(256), 'system_limit', /255 characters/],
    ['\u{1f600}'.repeat(256), 'system_limit', /255 characters/],
    ['\u0416'.repeat(100_000), 'system_limit', /255 characters/],
    [new Array(0x100_0000), 'system_limit', /16777215/],
    [cyclic, 'badarg', /deeper than 512 levels/],
    [endless, 'badarg', /its own tail/],
    [improper(1), 'badarg', /without an element/],
    [
      new Map<unknown, unknown>([
        [1, 'a'],
        [1n, 'b'],
      ]),
      'badarg',
      /same key twice/,
    ],
    [
      new Map<unknown, unknown>([
        [['k'], 'a'],
        [['k'], 'b'],
      ]),
      'badarg',
      /same key twice/,
    ],
    [
      new Map<unknown, unknown>([
        [true, 'a'],
        ['true', 'b'],
      ]),
      'badarg',
      /same key twice/,
    ],
    [
      new Map<unknown, unknown>([
        [new Float(0), 'a'],
        [new Float(-0), 'b'],
      ]),
      'badarg',
      /same key twice/,
    ],
  ];
  const places: [path: string, put: (value: unknown) => unknown][] = [
    ["the term's [1][0]", (value) => ['ok', [value]]],
    ["the term's [2]", (value) => list(1, 2, value)],
    ["the term's [0].tail[0]", (value) => [improper([value], 1)]],
    ["the term's .get('k')", (value) => new Map([['k', value]])],
    [
      "the term's .get(7)[0]",
      (value) =>
        new Map<number, unknown>([
          [1, 2],
          [7, [value]],
        ]),
    ],
    ["the term's [0] key[0]", (value) => [new Map([[[value], 1]])]],
  ];

  test.each(culprits.map(([value, reason, why]) => ({ value, reason, why })))(
    '$reason: $why',
    ({ value, reason, why }) => {
      expect(reasonOf(() => term_to_binary(value))).toBe(reason);
      expect(() => term_to_binary(value)).toThrow(why);
      for (const [path, put] of places) {
        expect(reasonOf(() => term_to_binary(put(value)))).toBe(reason);
        if (value !== cyclic) expect(() => term_to_binary(put(value))).toThrow(path);
      }
      expect(hex('still works')).toBe('83640' + '00b7374696c6c20776f726b73');
    },
  );

  test('a hole in an array is no term', () => {
    expect(() => term_to_binary(Object.assign(new Array(3), { 0: 1, 2: 2 }))).toThrow(
      "the term's [1] is undefined",
    );
  });
});

describe('the results are their own', () => {
  test('a binary may be reused once it is read', () => {
    const bytes = term_to_binary([Buffer.from('abc'), 'atom']);
    const term = binary_to_term(bytes);
    bytes.fill(0);
    expect(term).toEqual([Buffer.from('abc'), 'atom']);
  });

  test.each([10, 65_530, 65_536, 200_000, 1_000_000])(
    'a result with %i bytes outlives the next ones',
    (size) => {
      const first = term_to_binary(Buffer.alloc(size, 1));
      const copy = Buffer.from(first);
      term_to_binary(Buffer.alloc(size, 2));
      expect(first.equals(copy)).toBe(true);
    },
  );

  test('a term whose reading comes back to term_to_binary is not mixed up', () => {
    const nosy = new Proxy(['a', 'b'], {
      get(target, name, receiver): unknown {
        term_to_binary(['something', 'else']);
        return Reflect.get(target, name, receiver);
      },
    });
    expect(hex([1, nosy, 2])).toBe(hex([1, ['a', 'b'], 2]));
  });

  test('any Uint8Array is read, and views at their offset', () => {
    const bytes = new Uint8Array([9, 131, 97, 5, 9]);
    expect(binary_to_term(bytes.subarray(1, 4))).toBe(5);
  });
});

describe('identifiers of a living runtime', () => {
  test('come back as the objects they are, and as others once they have ended', () => {
    const runtime = new Runtime();
    const pid = runtime.spawn(async (self) => {
      await self.receive(() => false);
    });
    const again = binary_to_term(term_to_binary(['$call', pid, pid])) as unknown[];
    expect(again[1]).toBe(pid);
    expect(again[2]).toBe(pid);
    const forged = binary_to_term(term_to_binary(new Pid(runtime.origin, pid.id + 2 ** 28, pid.serial - 1)));
    expect(forged).not.toBe(pid);
    runtime.stop();
    const late = binary_to_term(term_to_binary(pid)) as Pid;
    expect(late).not.toBe(pid);
    expect([late.node, late.id, late.serial]).toEqual([pid.node, pid.id, pid.serial]);
  });

  test('references that have been written out, and ports, too', () => {
    const runtime = new Runtime();
    const ref = runtime.makeReference();
    // What nobody has been told nobody can bring back, only guess.
    const forged = new Reference(runtime.origin, ref.words);
    expect(binary_to_term(term_to_binary(forged))).not.toBe(ref);
    expect(binary_to_term(term_to_binary(ref))).toBe(ref);
    const other = new Reference(runtime.origin, [...ref.words.slice(0, 2), 1]);
    expect(binary_to_term(term_to_binary(other))).toEqual(other);
    const receiver = {
      id: ref as never,
      registeredName: undefined,
      message: () => undefined,
      signal: () => {},
    };
    const port = runtime.makePort(receiver);
    expect(binary_to_term(term_to_binary(port))).toBe(port);
    runtime.stop();
  });
});

describe('binary_to_term of bytes from anybody', () => {
  const n = bytesOf(100, 0, 1, 'n');
  const samples = [
    ...[
      ['$call', 'module', 'function', list<unknown>('a', 70_000, Buffer.from('bin'))],
      [
        new Pid(origin, 1, 2),
        new Port(elsewhere, 2 ** 40),
        new Port(origin, 3),
        new Reference(origin, [1, 2, 3]),
      ],
      [1.5, new Float(2), 2n ** 70n, -5, 2 ** 40, true, '\u0416\u{1f600}', '\u00e9'],
      new Map<unknown, unknown>([
        [['a'], 1],
        [list(1, 2), new Map([['x', improper(3, 'y')]])],
        [1, 'one'],
        [['b'], 1],
      ]),
      list(1, 2, 3),
    ].map((term) => term_to_binary(term)),
    bytesOf(
      131,
      104,
      5,
      103,
      n,
      u32(5),
      u32(6),
      3,
      102,
      n,
      u32(5),
      2,
      101,
      n,
      u32(5),
      1,
      114,
      0,
      2,
      n,
      1,
      u32(5),
      u32(6),
      77,
      u32(1),
      8,
      5,
    ),
    bytesOf(131, 99, '1.50000000000000000000e+00', 0, 0, 0, 0, 0),
    bytesOf(131, 108, u32(1), 97, 1, 108, u32(0), 107, 0, 1, 2),
    compressed(
      term_to_binary(
        list<unknown>(
          'a',
          'b',
          'c',
          times(40, () => 'x'),
        ),
      ).subarray(1),
    ),
  ];

  /** Decodes, or raises badarg; anything else fails the test. The bytes of what was decoded. */
  function attempt(bytes: Buffer): string {
    try {
      return hex(binary_to_term(bytes));
    } catch (error) {
      // Not `expect`, which would be most of the time that a hundred thousand attempts take.
      const isRight = error instanceof ErlangError && error.reason === 'badarg';
      if (!isRight || !/^binary_to_term: .*, at byte \d+$/.test(error.message)) throw error;
      return 'badarg';
    }
  }

  test('every truncation is badarg, and so is every additional byte', () => {
    for (const sample of samples) {
      expect(attempt(sample)).not.toBe('badarg');
      for (let length = 0; length < sample.length; length++)
        expect(attempt(sample.subarray(0, length))).toBe('badarg');
      expect(attempt(bytesOf(sample, 0))).toBe('badarg');
      expect(attempt(bytesOf(sample, 106))).toBe('badarg');
    }
  });

  test('every mutation of a byte is a term or badarg, and what is a term is the same one to Erlang', async () => {
    const accepted = new Map<string, string>();
    for (const sample of samples) {
      for (let at = 0; at < sample.length; at++) {
        const mutant = Buffer.from(sample);
        for (let flip = 1; flip < 256; flip++) {
          mutant[at] = sample[at]! ^ flip;
          const result = attempt(mutant);
          if (result !== 'badarg') accepted.set(mutant.toString('hex'), result);
        }
      }
    }
    expect(accepted.size).toBeGreaterThan(1000);
    const differing: string[] = [];
    const some = [...accepted].filter((_, i) => i % 5 === 0);
    await Promise.all(
      some.map(async ([bytes, result]) => {
        const theirs = await erl.again(Buffer.from(bytes, 'hex'));
        if (theirs !== result) differing.push(`${bytes}: ${theirs}`);
      }),
    );
    expect(differing).toEqual([]);
  });

  test('a claim that the bytes do not bear out costs nothing', () => {
    const most = u32(0xffff_ffff);
    const claims = [
      ...[105, 108, 109, 111, 116].map((tag) => bytesOf(131, tag, most, 0)),
      bytesOf(131, 105, u32(0xff_ffff), 97, 1),
      bytesOf(131, 77, most, 8, 0),
      bytesOf(131, 116, u32(0x8000_0000), 97, 1, 97, 1),
      bytesOf(131, 90, 255, 255, n, most),
      bytesOf(131, 118, 255, 255, 'a'),
      bytesOf(131, 80, most, deflateSync(Buffer.alloc(100))),
      bytesOf(131, 80, u32(16 * 2 ** 20), deflateSync(Buffer.alloc(100))),
      compressed(Buffer.alloc(16 * 2 ** 20 + 1, 106)),
      bytesOf(131, ...times(1000, () => bytesOf(105, u32(500))), 106),
    ];
    const before = process.memoryUsage();
    for (const bytes of claims) for (let i = 0; i < 100; i++) expect(attempt(bytes)).toBe('badarg');
    expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(32 * 2 ** 20);
  });

  test('compressed terms: exactly the size they say', () => {
    const body = bytesOf(107, 4, 0, Buffer.alloc(1024, 1));
    expect(attempt(compressed(body))).toBe(hex(list(...times(1024, () => 1))));
    for (const size of [0, 1, body.length - 1, body.length + 1])
      expect(attempt(compressed(body, size))).toBe('badarg');
    expect(attempt(bytesOf(131, 80, u32(2), deflateSync(bytesOf(131, 97, 1))))).toBe('badarg');
    expect(attempt(bytesOf(131, 80, u32(2), Buffer.from('no zlib')))).toBe('badarg');
    expect(attempt(bytesOf(131, 80))).toBe('badarg');
  });

  const nestings: [name: string, open: Buffer, inner: Buffer, close: Buffer][] = [
    ['tuples', bytesOf(104, 1), bytesOf(106), bytesOf()],
    ['lists', bytesOf(108, u32(1)), bytesOf(106), bytesOf(106)],
    ['values of maps', bytesOf(116, u32(1), 97, 1), bytesOf(106), bytesOf()],
    ['keys of maps', bytesOf(116, u32(1)), bytesOf(106), bytesOf(97, 1)],
  ];
  test.each(nestings)('%s nest 512 levels deep and no more, both ways', (_, open, inner, close) => {
    const nested = (depth: number): Buffer =>
      bytesOf(131, Buffer.concat(times(depth, () => open)), inner, Buffer.concat(times(depth, () => close)));
    for (const depth of [511, 512]) expect(attempt(nested(depth))).toBe(nested(depth).toString('hex'));
    for (const depth of [513, 514, 100_000]) expect(attempt(nested(depth))).toBe('badarg');
  });

  test.each<[string, (inner: unknown) => unknown]>([
    ['tuples', (inner) => [inner]],
    ['lists', (inner) => list(inner)],
    ['values of maps', (inner) => new Map([[1, inner]])],
    ['keys of maps', (inner) => new Map([[inner, 1]])],
  ])('%s are written as deep as they can be read', (_, around) => {
    const nested = (depth: number, inner: unknown): unknown =>
      Array.from({ length: depth }).reduce(around, inner);
    for (const inner of ['a', list(), Buffer.from('a')])
      expect(term_to_binary(binary_to_term(term_to_binary(nested(512, inner))))).toEqual(
        term_to_binary(nested(512, inner)),
      );
    for (const inner of [[], list(1), new Map()]) {
      expect(() => term_to_binary(nested(512, inner))).toThrow(/^.{1,200} is nested deeper than 512 levels$/);
    }
  });

  test('a list whose tail is a list, a hundred thousand times, is one list', () => {
    const bytes = bytesOf(131, Buffer.concat(times(100_000, () => bytesOf(108, u32(1), 97, 1))), 106);
    expect(binary_to_term(bytes)).toHaveLength(100_000);
    const empty = bytesOf(131, Buffer.concat(times(100_000, () => bytesOf(108, u32(0)))), 97, 1);
    expect(binary_to_term(empty)).toBe(1);
  });

  test('many keys that have to be compared with each other take no long time', () => {
    let keys: Buffer[] = [bytesOf(116, u32(1), 97, 1, 106), bytesOf(116, u32(1), 97, 2, 106)];
    for (let depth = 0; depth < 11; depth++) {
      keys = [0, 1].map((value) => bytesOf(116, u32(2), keys[0]!, 97, value, keys[1]!, 97, 0));
    }
    const start = performance.now();
    expect(attempt(bytesOf(131, keys[0]!))).not.toBe('badarg');
    expect(performance.now() - start).toBeLessThan(5000);
  });

  const wrong: [what: string, bytes: Buffer, message: RegExp][] = [
    ['nothing', bytesOf(), /does not begin with 131, at byte 0/],
    ['another version', bytesOf(130, 106), /does not begin with 131, at byte 0/],
    ['no term', bytesOf(131), /cut short, at byte 1/],
    ['an unknown tag', bytesOf(131, 104, 1, 1), /tag 1, .*at byte 3/],
    ['the same key twice', bytesOf(131, 116, u32(2), 97, 1, 106, 97, 1, 106), /same key twice, at byte 2/],
    [
      'the same compound key twice',
      bytesOf(131, 116, u32(2), 104, 0, 106, 104, 0, 106),
      /same key twice, at byte 2/,
    ],
    ['NaN', bytesOf(131, 70, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0), /no number, at byte 2/],
    ['an infinite float', bytesOf(131, 70, 0xff, 0xf0, 0, 0, 0, 0, 0, 0), /no number, at byte 2/],
    ['an infinite float as text', bytesOf(131, 99, '1.5e999', Buffer.alloc(24)), /no number, at byte 2/],
    ['a float without a point', bytesOf(131, 99, '15', Buffer.alloc(29)), /malformed float, at byte 2/],
    ['overlong UTF-8', bytesOf(131, 119, 2, 0xc0, 0x80), /an atom .*at byte 3/],
    ['a surrogate in UTF-8', bytesOf(131, 119, 3, 0xed, 0xa0, 0x80), /an atom .*at byte 3/],
    ['256 characters of Latin-1', bytesOf(131, 100, 1, 0, 'a'.repeat(256)), /an atom .*at byte 4/],
    ['256 characters of UTF-8', bytesOf(131, 118, 2, 0, 'é'.repeat(256)), /an atom .*at byte 4/],
    ['a node that is no atom', bytesOf(131, 88, 97, 1, Buffer.alloc(12)), /no atom, at byte 2/],
    ['a port beyond 2^53', bytesOf(131, 120, n, u32(0x20_0000), u32(0), u32(1)), /2\^53, at byte 6/],
    ['6 words in a reference', bytesOf(131, 90, 0, 6, n, Buffer.alloc(28)), /6 words, at byte 4/],
    ['no word in an old reference', bytesOf(131, 114, 0, 0, n, 0), /0 words, at byte 4/],
    ['a bitstring', bytesOf(131, 77, u32(1), 3, 0), /BIT_BINARY_EXT/],
    ['a bitstring of no bits', bytesOf(131, 77, u32(1), 0, 0), /BIT_BINARY_EXT/],
    ['fun lists:map/2', bytesOf(131, 113, 100, 0, 1, 'l', 100, 0, 1, 'm', 97, 2), /EXPORT_EXT.*at byte 1/],
    ['a fun', bytesOf(131, 104, 1, 112, u32(4)), /NEW_FUN_EXT.*at byte 3/],
    ['an old fun', bytesOf(131, 117), /FUN_EXT/],
  ];
  test.each(wrong)('%s is badarg, with the byte where it is', (_, bytes, message) => {
    expect(attempt(bytes)).toBe('badarg');
    expect(() => binary_to_term(bytes)).toThrow(message);
  });

  test('what is no binary is badarg', () => {
    for (const value of [undefined, null, 'x', 1, [131, 97, 1], new DataView(new ArrayBuffer(3))]) {
      expect(reasonOf(() => binary_to_term(value as never))).toBe('badarg');
    }
  });

  test('any bytes at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        attempt(bytesOf(131, bytes));
        attempt(bytesOf(131, 104, 2, bytes));
      }),
      { numRuns: 2000 },
    );
  });
});
