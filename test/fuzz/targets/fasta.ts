/** FASTA: an InputError of one line, or what a second, naive reader reads; wherever in a large file it stands. */
import assert from 'node:assert/strict';
import { InputError } from '#examples/aligner/errors';
import { readFasta } from '#examples/aligner/fasta';
import { linesOf, NUCLEOTIDES, nameIn, troubleOf } from '../naive-lines';
import { fillScratchFile, scratchFile } from '../scratch-file';

export const watches = ['examples/aligner/fasta', 'examples/aligner/lines', 'examples/aligner/nucleotide'];

export const seeds = [
  '>one first record\nACGT\nacgtn\n\n>two\tx\nRYSWKMBDHVNU',
  '>one\r\nACGT\r\n>two\r\nA\r\n\r\n',
  '>a\nA\n>a\nC\n',
  'ACGT\n',
  '>one\n>two\nA\n',
];

export const dictionary = [
  '>',
  '\n',
  '\r\n',
  '>a\n',
  'A',
  'n',
  'X',
  '\n>b\nC\n',
  ' ',
  '\t',
  '*',
  '=',
  '\x1f\x8b',
  '\0',
  '\xa0',
];

/** How much lines.ts reads at a time. */
const CHUNK = 256 * 1024;

type Outcome = readonly (readonly [name: string, sequence: string])[] | string;

export async function run(input: Buffer): Promise<void> {
  const alone = await read(input);
  const naive = naively(input);
  if (naive === undefined) assert.equal(typeof alone, 'string');
  else assert.deepEqual(alone, naive);
  // Few of them, as that takes long, also where one chunk of a file ends and the next begins.
  if (input[0] !== HEADER || input.length % 32 !== 0) return;
  const cut = input[input.length >> 1]! % input.length;
  const first = Buffer.alloc(CHUNK - cut, 'A');
  first.write('>fuzz:first\n', 'latin1');
  first[first.length - 1] = LF;
  const both = await read(first, input);
  if (typeof alone === 'string') assert.equal(both, alone);
  else assert.deepEqual((both as typeof alone).slice(1), alone);
}

const HEADER = '>'.charCodeAt(0);
const LF = '\n'.charCodeAt(0);

/** The records, or what is wrong, without the line's number. */
async function read(...parts: Buffer[]): Promise<Outcome> {
  fillScratchFile(...parts);
  try {
    const genome = await readFasta(scratchFile);
    return genome.records.map(({ name, sequence }) => [name, Buffer.from(sequence).toString('latin1')]);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return troubleOf(error, parts);
  }
}

function naively(input: Buffer): Outcome | undefined {
  const records: [name: string, sequence: string][] = [];
  for (const line of linesOf(input)) {
    const latest = records.at(-1);
    if (line.startsWith('>')) {
      const name = nameIn(line.slice(1));
      const isGood = /^[!-)+-<>-~][!-~]*$/.test(name) && !records.some(([other]) => other === name);
      if (!isGood || latest?.[1] === '') return undefined;
      records.push([name, '']);
    } else {
      if (!latest || ![...line].every((letter) => NUCLEOTIDES.includes(letter))) return undefined;
      latest[1] += line;
    }
  }
  return records.length > 0 && records.at(-1)![1] !== '' ? records : undefined;
}
