/** FASTQ: an InputError of one line, or what a second, naive reader reads; in batches of any size, anywhere in a file. */
import assert from 'node:assert/strict';
import { InputError } from '#examples/aligner/errors';
import { readFastq, surveyFastq } from '#examples/aligner/fastq';
import { linesOf, NUCLEOTIDES, nameIn, troubleOf } from '../naive-lines';
import { fillScratchFile, scratchFile } from '../scratch-file';

export const watches = ['examples/aligner/fastq', 'examples/aligner/lines', 'examples/aligner/nucleotide'];

export const seeds = [
  '@one/1 first\nACGTN\n+\n!"#~I\n@two\nacg\n+two\n@@@\n',
  '@one\r\nA\r\n+\r\nI\r\n\r\n@two\r\n\r\n+\r\n',
  '@empty\n\n+\n\n@last\n\n+\n',
  '@one\nACGT\n+\nIII\n',
  '@one\nA\n+',
];

export const dictionary = [
  '@',
  '\n',
  '\r\n',
  '+\n',
  '@a\n',
  'A',
  'n',
  'X',
  '\nA\n+\nI\n',
  ' ',
  '!',
  '~',
  '\x7f',
  '\x1f\x8b',
  '@a\n\n+\n\n',
];

/** How much lines.ts reads at a time. */
const CHUNK = 256 * 1024;

type Read = readonly [name: string, sequence: string, quality: string];
type Outcome = readonly Read[] | string;

export async function run(input: Buffer): Promise<void> {
  const alone = await read(1000, input);
  const naive = naively(input);
  if (naive === undefined) assert.equal(typeof alone, 'string');
  else assert.deepEqual(alone, naive);
  assert.deepEqual(await read(1 + (input.length % 3), input), alone);
  await checkSurvey(alone, input);
  // Few of them, as that takes long, also where one chunk of a file ends and the next begins.
  if (input[0] !== AT || input.length % 32 !== 0) return;
  const cut = input[input.length >> 1]! % input.length;
  const both = await read(1000, readOfBytes(CHUNK - cut), input);
  if (typeof alone === 'string') assert.equal(both, alone);
  else assert.deepEqual((both as typeof alone).slice(1), alone);
}

const AT = '@'.charCodeAt(0);

/** One read that takes so many bytes in the file. */
function readOfBytes(size: number): Buffer {
  const name = size % 2 === 0 ? 'r' : 'rr';
  const letters = (size - `@${name}\n\n+\n\n`.length) / 2;
  return Buffer.from(`@${name}\n${'A'.repeat(letters)}\n+\n${'I'.repeat(letters)}\n`);
}

/** The reads, or what is wrong, without the line's number. */
async function read(batchSize: number, ...parts: Buffer[]): Promise<Outcome> {
  fillScratchFile(...parts);
  const reads: Read[] = [];
  try {
    for await (const batch of readFastq(scratchFile, batchSize)) {
      assert(batch.length >= 1 && batch.length <= batchSize);
      for (const { name, sequence, quality } of batch) reads.push([name, latin1(sequence), latin1(quality)]);
    }
    return reads;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return troubleOf(error, parts);
  }
}

async function checkSurvey(alone: Outcome, input: Buffer): Promise<void> {
  fillScratchFile(input);
  try {
    const survey = await surveyFastq(scratchFile);
    const reads = alone as readonly Read[];
    const longest = Math.max(...reads.map(([, sequence]) => sequence.length));
    assert.deepEqual(survey, { reads: reads.length, longest });
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    assert.equal(troubleOf(error, [input]), alone);
  }
}

function naively(input: Buffer): readonly Read[] | undefined {
  const lines = linesOf(input);
  const reads: Read[] = [];
  while (lines.length > 0) {
    if (lines[0] === '' && reads.length > 0) {
      lines.shift();
      continue;
    }
    const [header = '', sequence, plus, quality = ''] = lines.splice(0, 4);
    const name = nameIn(header.slice(1));
    const isGood =
      header.startsWith('@') &&
      /^[!-?A-~]{1,254}$/.test(name) &&
      sequence !== undefined &&
      [...sequence].every((letter) => NUCLEOTIDES.includes(letter)) &&
      plus?.startsWith('+') &&
      quality.length === sequence.length &&
      /^[!-~]*$/.test(quality);
    if (!isGood) return undefined;
    reads.push([name, sequence, quality]);
  }
  return reads.length > 0 ? reads : undefined;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
