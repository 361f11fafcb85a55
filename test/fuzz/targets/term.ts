/** binary_to_term of anybody's bytes: badarg, or a term that is written and read again as the same. */
import assert from 'node:assert/strict';
import { deflateSync } from 'node:zlib';
import { ErlangError } from '#actors/errors';
import { binary_to_term, term_to_binary } from '#actors/external-term';
import { Origin, Pid, Port, Reference } from '#actors/identifiers';
import { Float, list } from '#actors/term';

export const watches = ['actors/external-term'];

const origin = new Origin('n@h', 7);
const deflated = deflateSync(Buffer.from([104, 2, 97, 1, 106]));

export const seeds = [
  ...[
    ['ok', true, 5, -1, 2 ** 31, 2n ** 70n, 1.5, new Float(1), '\u0416', list(1, 2), list<unknown>('a', 300)],
    [new Pid(origin, 1, 2), new Port(origin, 3), new Port(origin, 2 ** 40), new Reference(origin, [1, 2, 3])],
    new Map<unknown, unknown>([
      [[1], Buffer.from('binary')],
      [new Float(0), Object.assign(list('x'), { tail: 'y' })],
      [list(), new Map([['a', 1]])],
    ]),
  ].map((term) => term_to_binary(term)),
  Buffer.concat([Buffer.from([131, 80, 0, 0, 0, 5]), deflated]),
  `\x83c1.50000000000000000000e+00${'\0'.repeat(5)}`,
];

/** Tags with what their term begins with, and small whole terms. */
export const dictionary = [
  '\x83',
  '\x83P\0\0\0\x05',
  deflated,
  ...['F', 'M\0\0\0\x01\x08', 'X', 'Y', 'Z\0\x03', 'a', 'b', 'c', 'd\0\x01', 'e', 'f', 'g', 'h\x02'],
  ...[
    'i\0\0\0\x02',
    'j',
    'k\0\x02',
    'l\0\0\0\x02',
    'm\0\0\0\x02',
    'n\x08\0',
    'o\0\0\0\x08\x01',
    'p',
    'q',
    'r\0\x02',
  ],
  ...['s\x01', 't\0\0\0\x01', 't\0\0\0\x02', 'u', 'v\0\x02\xc3\xa9', 'w\x02\xc3\xa9', 'x', 'D', 'R', 'y'],
  ...[
    'a\x01',
    'd\0\x01a',
    's\x04true',
    'w\x05false',
    's\x03n@h',
    'F\x80\0\0\0\0\0\0\0',
    'F\x7f\xf0\0\0\0\0\0\0',
  ],
  ...[
    'b\x80\0\0\0',
    'n\x06\0\xff\xff\xff\xff\xff\xff',
    'n\x07\0\xff\xff\xff\xff\xff\xff\x1f',
    'm\0\0\0\0',
    'h\0',
  ],
  '1.00000000000000000000e+400\0',
];

export function run(input: Buffer): void {
  const term = read(input);
  if (term === REFUSED) return;
  // Nothing of the term is in there any more.
  input.fill(0xff);
  const bytes = term_to_binary(term);
  const again = binary_to_term(bytes);
  assert.deepEqual(again, term);
  assert(term_to_binary(again).equals(bytes));
}

const REFUSED = Symbol('badarg');

function read(bytes: Buffer): unknown {
  try {
    return binary_to_term(bytes);
  } catch (error) {
    if (!(error instanceof ErlangError) || error.reason !== 'badarg') throw error;
    assert.match(error.message, /^binary_to_term: .*, at byte \d+$/);
    return REFUSED;
  }
}
