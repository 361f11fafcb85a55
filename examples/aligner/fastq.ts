import { found, InputError } from './errors.js';
import { readLines } from './lines.js';
import { firstIllegal } from './nucleotide.js';

/** A read of a sequencing machine. Letters and qualities as in the file, a byte each, equally many; maybe none. */
export interface Read {
  readonly name: string;
  readonly sequence: Uint8Array;
  readonly quality: Uint8Array;
}

/**
 * The reads of a FASTQ file of four-line records, in order, in batches of `batchSize` (the last one smaller,
 * none empty). Memory: a batch, however large the file. Empty lines between records are skipped.
 * Throws {@link InputError} at the first line that does not fit, after the batches before it.
 */
export async function* readFastq(path: string, batchSize = 1000): AsyncGenerator<Read[]> {
  if (!(batchSize >= 1)) throw new RangeError(`batchSize ${batchSize}`);
  let batch: Read[] = [];
  let number = 0;
  let reads = 0;
  /** Which line of its record comes next, and what those before it were. */
  let place = 0;
  let name = '';
  let sequence: Uint8Array = NOTHING;

  for await (const lines of readLines(path)) {
    for (const line of lines) {
      number++;
      if (place === 0) {
        if (line.length === 0 && reads > 0) continue;
        name = readName(path, number, line);
      } else if (place === 1) {
        sequence = checkedSequence(path, number, line);
      } else if (place === 2) {
        if (line[0] !== PLUS) throw new InputError(path, number, `expected '+', found ${found(line)}`);
      } else {
        batch.push({ name, sequence, quality: checkedQuality(path, number, line, sequence.length) });
        reads++;
        if (batch.length >= batchSize) {
          yield batch;
          batch = [];
        }
      }
      place = (place + 1) % LINES;
    }
  }
  // A read without letters at the very end: its quality line is the empty one that no line end shows.
  if (place === 3 && sequence.length === 0) {
    batch.push({ name, sequence, quality: NOTHING });
  } else if (place !== 0 || reads === 0) {
    throw new InputError(path, number + 1, `expected ${EXPECTED[place]}, found the end of the file`);
  }
  if (batch.length > 0) yield batch;
}

/**
 * Goes through a whole FASTQ file once: how many reads, and how many letters the longest has. It raises what
 * {@link readFastq} would raise, so that bad input shows before any work has started.
 */
export async function surveyFastq(path: string): Promise<{ reads: number; longest: number }> {
  let reads = 0;
  let longest = 0;
  for await (const batch of readFastq(path)) {
    reads += batch.length;
    for (const { sequence } of batch) longest = Math.max(longest, sequence.length);
  }
  return { reads, longest };
}

const LINES = 4;
const EXPECTED = ["'@'", 'a sequence', "'+'", 'qualities'];
const NOTHING = new Uint8Array(0);
const AT = '@'.charCodeAt(0);
const PLUS = '+'.charCodeAt(0);
const LOWEST_QUALITY = '!'.charCodeAt(0);
const HIGHEST_QUALITY = '~'.charCodeAt(0);

/** The first word of a header, if SAM allows it as a QNAME. */
function readName(path: string, number: number, line: Buffer): string {
  if (line[0] !== AT) throw new InputError(path, number, `expected '@', found ${found(line)}`);
  const name = line.toString('latin1', 1).split(/\s/, 1)[0]!;
  if (/^[!-?A-~]{1,254}$/.test(name)) return name;
  throw new InputError(
    path,
    number,
    `expected a name of 1 to 254 letters, none '@', after '@', found ${found(line)}`,
  );
}

function checkedSequence(path: string, number: number, line: Uint8Array): Uint8Array {
  const illegal = firstIllegal(line);
  if (illegal < 0) return line;
  const letter = found(line.subarray(illegal, illegal + 1));
  throw new InputError(path, number, `expected nucleotide letters, found ${letter}`);
}

function checkedQuality(path: string, number: number, line: Uint8Array, length: number): Uint8Array {
  if (line.length !== length) {
    throw new InputError(path, number, `expected ${length} qualities, one a base, found ${line.length}`);
  }
  for (let i = 0; i < line.length; i++) {
    if (line[i]! >= LOWEST_QUALITY && line[i]! <= HIGHEST_QUALITY) continue;
    throw new InputError(
      path,
      number,
      `expected qualities from '!' to '~', found ${found(line.subarray(i, i + 1))}`,
    );
  }
  return line;
}
