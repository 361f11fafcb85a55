import { inspect } from 'node:util';
import { ErlangError, ErlangExit, ErlangThrow, exitReason, ProcessExit } from '#actors/errors';
import { formatReason, formatShort } from '#actors/format';
import type { Process } from '#actors/process';
import { Runtime } from '#actors/runtime';
import { Float, list } from '#actors/term';

const improper = Object.assign(list<unknown>('a'), { tail: Buffer.from('b') });
const circular: unknown[] = [Buffer.from('a')];
circular.push(circular);
const unreadable = new (class {
  get [inspect.custom](): never {
    throw new Error('odd');
  }
})();

describe('a reason is formatted so that one can read it:', () => {
  test.each<[string, unknown, string]>([
    ['an atom', 'shutdown', 'shutdown'],
    ['an atom in a tuple', ['shutdown', 1], "[ 'shutdown', 1 ]"],
    ['nothing', undefined, 'undefined'],
    ['text', Buffer.from('boom'), '<<"boom">>'],
    ['text in a Uint8Array', new Uint8Array([98, 111]), '<<"bo">>'],
    ['text of several lines', Buffer.from('a\n"b"\t'), '<<"a\\n\\"b\\"\\t">>'],
    ['text beyond ASCII', Buffer.from('Grüße'), '<<"Grüße"/utf8>>'],
    ['an empty binary', Buffer.alloc(0), '<<>>'],
    ['bytes', Buffer.from([1, 2]), '<Buffer 01 02>'],
    ['bytes that are no UTF-8', Buffer.from([0xff, 0x61]), '<Buffer ff 61>'],
    ['text deep inside', [[list(Buffer.from('x'))]], '[ [ List(1) [ <<"x">> ] ] ]'],
    ['text in a map', new Map([[Buffer.from('k'), Buffer.from('v')]]), 'Map(1) { <<"k">> => <<"v">> }'],
    ['text in an object', { key: Buffer.from('v'), n: 1 }, '{ key: <<"v">>, n: 1 }'],
    [
      'an object with a getter',
      {
        get key(): never {
          throw new Error('odd');
        },
      },
      '{ key: [Getter] }',
    ],
    ['an improper list', improper, 'List(1) [ \'a\', tail: <<"b">> ]'],
    ['a float', [new Float(1)], '[ Float { value: 1 } ]'],
    ['a trace without files', list(['lists', 'map', 2, list()]), '<at lists:map/2>'],
    ['what only begins as a trace', list<unknown>(['lists', 'map', 2, list()], 1), 'List(2)'],
    ['what contains itself', circular, '<<"a">>'],
    ['what raises errors', [unreadable], 'what cannot be shown'],
  ])('%s', (_, term, text) => {
    expect(formatReason(term)).toContain(text);
    if (text.length > 10) expect(formatReason(term).split('\n')).toHaveLength(1);
  });

  test('a stack as the first place of the program', () => {
    const reason = exitReason(new TypeError('boom'));
    expect(formatReason(reason)).toMatch(
      /^\[ \[ 'TypeError', <<"boom">> \], <at \/\S+format\.test\.ts:\d+> \]$/,
    );
    const module = list(['m', 'f', 0, list(['file', Buffer.from('file:///srv/a%20b.js')], ['line', 7])]);
    expect(formatReason(module)).toBe('<at /srv/a b.js:7>');
  });

  test.each<[string, unknown]>([
    ['tuples', Array.from({ length: 300 }, () => Array.from({ length: 300 }, () => Array(300).fill('x')))],
    ['maps', new Map(Array.from({ length: 1000 }, (_, i) => [i, new Map([[i, Array(1000).fill(i)]])]))],
    ['objects', Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, Array(1000).fill(i)]))],
  ])('and of much in much, as %s, a part', (_, term) => {
    const text = formatReason([term]);
    expect(text).toMatch(/more items|more'?/);
    expect(text.length).toBeLessThan(10_000);
  });

  test('and what is long, shortened where only a part is wanted', () => {
    expect(formatReason(Array.from({ length: 300 }, () => Buffer.from('x')))).toMatch(/200 more items \]$/);
    expect(formatShort(Array.from({ length: 300 }, () => 1))).toMatch(/290 more items \]$/);
    expect(formatShort('x'.repeat(5000))).toHaveLength(503);
    expect(formatShort('x')).toBe("'x'");
  });
});

describe('an error', () => {
  const boom = new Error('boom');
  const reason = exitReason(boom);

  test.each([
    ['ErlangError', new ErlangError(reason)],
    ['ErlangExit', new ErlangExit(reason)],
    ['ErlangExit of a call', new ErlangExit([reason, ['gen_server', 'call', list()]])],
    ['ProcessExit', new ProcessExit(reason)],
    ['ErlangError of a result', new ErlangError(['badmatch', ['error', reason]])],
  ])('%s with the reason of another has that as its cause, and prints its reason once', (_, error) => {
    expect(error.cause).toBe(boom);
    const text = inspect(error);
    expect(text.match(/<<"boom">>/g)).toHaveLength(1);
    expect(text).not.toMatch(/reason:|Buffer/);
    expect(Object.keys(error)).not.toContain('reason');
  });

  test('without such a reason has no cause', () => {
    for (const error of [
      new ErlangError('badarg'),
      new ErlangExit(['x', list()]),
      new ProcessExit('killed'),
    ]) {
      expect('cause' in error).toBe(false);
    }
    expect(inspect(new ErlangThrow(['x', Buffer.from('y')])).match(/<<"y">>/g)).toHaveLength(1);
    expect(new ErlangThrow('x').value).toBe('x');
  });
});

describe('what a process sees is printed short:', () => {
  let runtime: Runtime;
  let self: Process;
  beforeEach(() => {
    runtime = new Runtime();
    self = runtime.makeProcess();
  });
  afterEach(() => runtime.stop());

  test('itself', () => {
    expect(inspect({ self })).toBe(`{ self: Self ${self.pid} }`);
    self.register('db', self.pid);
    expect(inspect(self)).toBe(`Self ${self.pid} db`);
  });

  test('identifiers as JSON', () => {
    const ref = self.make_ref();
    expect(JSON.stringify({ pid: self.pid, ref })).toBe(`{"pid":"${self.pid}","ref":"${ref}"}`);
  });
});
