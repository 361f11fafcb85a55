import { mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { InputError } from '#examples/aligner/errors';
import { readFasta } from '#examples/aligner/fasta';
import { readFastq, surveyFastq } from '#examples/aligner/fastq';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aligner-input-'));
});

afterAll(() => rm(folder, { recursive: true }));

async function file(content: string | Uint8Array): Promise<string> {
  const path = join(folder, 'input');
  await writeFile(path, typeof content === 'string' ? Buffer.from(content, 'latin1') : content);
  return path;
}

async function fasta(content: string): Promise<string[][]> {
  const genome = await readFasta(await file(content));
  return genome.records.map(({ name, sequence }) => [name, Buffer.from(sequence).toString('latin1')]);
}

async function fastq(content: string, batchSize?: number): Promise<string[][][]> {
  const batches: string[][][] = [];
  for await (const batch of readFastq(await file(content), batchSize)) {
    batches.push(
      batch.map(({ name, sequence, quality }) => [
        name,
        Buffer.from(sequence).toString('latin1'),
        Buffer.from(quality).toString('latin1'),
      ]),
    );
  }
  return batches;
}

/** The message of the InputError, without the folder: one line, as a person sees it. */
async function trouble(reading: Promise<unknown>): Promise<string> {
  const error: unknown = await reading.then(
    () => undefined,
    (reason) => reason,
  );
  if (!(error instanceof InputError)) throw new Error(`no InputError but ${error}`);
  expect(error.message).toMatch(/^[ -~]+$/);
  return error.message.replace(`${folder}/`, '');
}

const endings = (lines: string[]): [string, string][] => [
  ['LF', lines.map((line) => `${line}\n`).join('')],
  ['LF, none at the end', lines.join('\n')],
  ['CRLF', lines.map((line) => `${line}\r\n`).join('')],
  ['CRLF, none at the end', lines.join('\r\n')],
  ['empty lines at the end', `${lines.join('\n')}\n\n\n`],
];

describe('FASTA', () => {
  test.each(endings(['>one first record', 'ACGT', 'acgtn', '>two\tx', 'RYSWKMBDHVNU']))(
    'with %s',
    async (_, text) => {
      expect(await fasta(text)).toEqual([
        ['one', 'ACGTacgtn'],
        ['two', 'RYSWKMBDHVNU'],
      ]);
    },
  );

  test('a sequence on one line that is longer than any buffer', async () => {
    const sequence = 'ACGTTGCA'.repeat(100_000);
    expect(await fasta(`>long\r\n${sequence}\r\n>next\r\nA`)).toEqual([
      ['long', sequence],
      ['next', 'A'],
    ]);
  });

  test('positions count over all records', async () => {
    const genome = await readFasta(await file('>a\nACG\n>b\nT\n>c\nGG\n'));
    expect(genome.length).toBe(6);
    const places = [0, 2, 3, 4, 5].map((position) => genome.locate(position));
    expect(places.map(({ record, position }) => record.name + position)).toEqual([
      'a0',
      'a2',
      'b0',
      'c0',
      'c1',
    ]);
  });

  test.each([
    ['', "input:1: expected '>', found the end of the file"],
    ['\n', "input:1: expected '>', found an empty line"],
    ['ACGT\n', "input:1: expected '>', found 'ACGT'"],
    ['@r1\nACGT\n+\n!!!!\n', "input:1: expected '>', found '@r1'"],
    ['>\nACGT\n', "input:1: expected a name after '>', found '>'"],
    ['> name\nACGT\n', "input:1: expected a name after '>', found '> name'"],
    ['>*\nACGT\n', "input:1: expected a name after '>', found '>*'"],
    ['>n\xfcr\nACGT\n', "input:1: expected a name after '>', found '>n\\xfcr'"],
    ['>one', "input:2: expected the sequence of 'one', found the end of the file"],
    ['>one\n\n', "input:3: expected the sequence of 'one', found the end of the file"],
    ['>one\n>two\nA\n', "input:2: expected the sequence of 'one', found '>two'"],
    ['>one\nA\n>one\nA\n', "input:3: expected a new name, found 'one' again"],
    ['>one\nACGT\nACXT\n', "input:3: expected nucleotide letters or '>', found 'X'"],
    ['>one\nAC GT\n', "input:2: expected nucleotide letters or '>', found ' '"],
    ['>one\nAC\0GT\n', "input:2: expected nucleotide letters or '>', found '\\x00'"],
    ['>protein\nMKVLAA\n', "input:2: expected nucleotide letters or '>', found 'L'"],
    [
      '\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\n',
      /^input:1: expected '>', found '\\x7fELF.*\.\.\.'$/,
    ],
    [gzipSync('>one\nACGT\n').toString('latin1'), "input:1: expected '>', found gzip data (unpack it first)"],
  ])('refuses %j', async (content, message) => {
    const said = await trouble(fasta(content));
    if (typeof message === 'string') expect(said).toBe(message);
    else expect(said).toMatch(message);
  });
});

describe('FASTQ', () => {
  test.each(endings(['@one/1 first', 'ACGTN', '+', '!"#~I', '@two', 'acg', '+two', '@@@']))(
    'with %s',
    async (_, text) => {
      expect(await fastq(text)).toEqual([
        [
          ['one/1', 'ACGTN', '!"#~I'],
          ['two', 'acg', '@@@'],
        ],
      ]);
    },
  );

  test.each(endings(['@empty', '', '+', '', '@last', '', '+', '']))(
    'reads without letters, with %s',
    async (_, text) => {
      expect(await fastq(text)).toEqual([
        [
          ['empty', '', ''],
          ['last', '', ''],
        ],
      ]);
    },
  );

  test.each([1, 2, 3, 4, 5, 6])('in batches of %i', async (size) => {
    const reads = Array.from({ length: 5 }, (_, i) => [`r${i}`, 'A'.repeat(i + 1), 'I'.repeat(i + 1)]);
    const text = reads.map(([name, sequence, quality]) => `@${name}\n${sequence}\n+\n${quality}\n`).join('');
    const batches = await fastq(text, size);
    expect(batches.flat()).toEqual(reads);
    expect(batches.slice(0, -1).every((batch) => batch.length === size)).toBe(true);
    expect(batches.at(-1)!.length).toBe(5 % size || size);
  });

  test('records that lie across the chunks a file is read in', async () => {
    const reads = Array.from({ length: 5000 }, (_, i) => [
      `r${i}`,
      'ACGTN'.repeat(i % 50),
      'IJKLM'.repeat(i % 50),
    ]);
    const text = reads
      .map(([name, sequence, quality]) => `@${name}\r\n${sequence}\r\n+\r\n${quality}\r\n`)
      .join('');
    expect((await fastq(text)).flat()).toEqual(reads);
    expect(await surveyFastq(await file(text))).toEqual({ reads: 5000, longest: 245 });
  });

  test('who stops early leaves no open file', async () => {
    const path = await file('@r\nA\n+\nI\n'.repeat(100_000));
    const openHere = async () => {
      const targets = await Promise.all(
        (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
      );
      return targets.filter((target) => target === path).length;
    };
    for await (const batch of readFastq(path, 10)) {
      expect(batch.length).toBe(10);
      expect(await openHere()).toBe(1);
      break;
    }
    // The descriptor is closed by the thread pool, a moment after the loop has ended.
    const deadline = Date.now() + 2000;
    while ((await openHere()) > 0 && Date.now() < deadline) await new Promise(setImmediate);
    expect(await openHere()).toBe(0);
  });

  test('the reads before a bad one are given first', async () => {
    const seen: number[] = [];
    const path = await file(`${'@r\nA\n+\nI\n'.repeat(5)}@r\nA\nI\n`);
    const reading = (async () => {
      for await (const batch of readFastq(path, 2)) seen.push(batch.length);
    })();
    expect(await trouble(reading)).toBe("input:23: expected '+', found 'I'");
    expect(seen).toEqual([2, 2]);
  });

  test.each([
    ['', "input:1: expected '@', found the end of the file"],
    ['\n', "input:1: expected '@', found an empty line"],
    ['>one\nACGT\n', "input:1: expected '@', found '>one'"],
    ['@\nA\n+\nI\n', "input:1: expected a name of 1 to 254 letters, none '@', after '@', found '@'"],
    ['@@\nA\n+\nI\n', "input:1: expected a name of 1 to 254 letters, none '@', after '@', found '@@'"],
    ['@one\n', 'input:2: expected a sequence, found the end of the file'],
    ['@one\nACGT\n', "input:3: expected '+', found the end of the file"],
    ['@one\nACGT\n+\n', 'input:4: expected qualities, found the end of the file'],
    ['@one\nACGT\n+\nIII\n', 'input:4: expected 4 qualities, one a base, found 3'],
    ['@one\nACGT\n+\nIIIII\n', 'input:4: expected 4 qualities, one a base, found 5'],
    ['@one\nACGT\nACGT\n+\nIIIIIIII\n', "input:3: expected '+', found 'ACGT'"],
    ['@one\nACGT\n\nIIII\n', "input:3: expected '+', found an empty line"],
    ['@one\nAC-T\n+\nIIII\n', "input:2: expected nucleotide letters, found '-'"],
    ['@one\nACGT\n+\nII I\n', "input:4: expected qualities from '!' to '~', found ' '"],
    ['@one\nACGT\n+\nII\x7fI\n', "input:4: expected qualities from '!' to '~', found '\\x7f'"],
    ['@one\nA\n+\nI\nACGT\n', "input:5: expected '@', found 'ACGT'"],
    ['@one\nA\n+\nI\n@two\nA\n+', 'input:8: expected qualities, found the end of the file'],
    [
      gzipSync('@one\nA\n+\nI\n').toString('latin1'),
      "input:1: expected '@', found gzip data (unpack it first)",
    ],
  ])('refuses %j, and so does the survey', async (content, message) => {
    expect(await trouble(fastq(content))).toBe(message);
    expect(await trouble(surveyFastq(await file(content)))).toBe(message);
  });

  test.each([0, -1, NaN])('refuses batches of %p', async (size) => {
    await expect(fastq('@r\nA\n+\nI\n', size)).rejects.toThrow(RangeError);
  });
});

describe('a file that cannot be read', () => {
  const readers = {
    FASTA: readFasta,
    FASTQ: surveyFastq,
  };
  for (const [name, read] of Object.entries(readers)) {
    test(`${name}: missing`, async () => {
      expect(await trouble(read(join(folder, 'missing')))).toBe('missing: no such file or directory');
    });

    test(`${name}: a folder`, async () => {
      expect(await trouble(read(folder))).toMatch(/: illegal operation on a directory$/);
    });

    test(`${name}: a name with a line end in it still gives one line`, async () => {
      expect(await trouble(read(join(folder, 'two\nlines')))).toBe(
        'two\\x0alines: no such file or directory',
      );
    });
  }
});
