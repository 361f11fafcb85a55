import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OutputError } from '#examples/aligner/errors';
import { Genome } from '#examples/aligner/genome';
import type { Hit } from '#examples/aligner/hit';
import { reverseComplement } from '#examples/aligner/nucleotide';
import { mappingQuality, samHeader, samLines } from '#examples/aligner/sam';
import { SamWriter } from '#examples/aligner/sam-writer';

const genome = new Genome([
  { name: 'chr1', sequence: Buffer.from('ACGTACGTAC') },
  { name: 'chr2', sequence: Buffer.from('GGGGG') },
]);
const read = { name: 'r1', sequence: Buffer.from('AACgN'), quality: Buffer.from('!"#$%') };

function hit(position: number, mismatches: number, strand: Hit['strand'] = '+'): Hit {
  return { position, strand, mismatches };
}

describe('SAM lines', () => {
  test('header', () => {
    expect(samHeader(genome, { name: 'aligner', version: '1.0', commandLine: 'aligner a\tb' })).toBe(
      '@HD\tVN:1.6\tSO:unsorted\tGO:query\n' +
        '@SQ\tSN:chr1\tLN:10\n@SQ\tSN:chr2\tLN:5\n' +
        '@PG\tID:aligner\tPN:aligner\tVN:1.0\tCL:aligner a b\n',
    );
  });

  test('a read on the forward strand', () => {
    expect(samLines(genome, read, [hit(3, 1)])).toBe(
      'r1\t0\tchr1\t4\t60\t5M\t*\t0\t0\tAACgN\t!"#$%\tNM:i:1\n',
    );
  });

  test('a read on the reverse strand is written along the genome and itself stays as it was', () => {
    const line = 'r1\t16\tchr2\t1\t60\t5M\t*\t0\t0\tNcGTT\t%$#"!\tNM:i:2\n';
    expect(samLines(genome, read, [hit(10, 2, '-')])).toBe(line);
    expect(samLines(genome, read, [hit(10, 2, '-')])).toBe(line);
  });

  test('further hits are secondary', () => {
    expect(samLines(genome, read, [hit(0, 0), hit(5, 1), hit(10, 2, '-')])).toBe(
      'r1\t0\tchr1\t1\t20\t5M\t*\t0\t0\tAACgN\t!"#$%\tNM:i:0\n' +
        'r1\t256\tchr1\t6\t0\t5M\t*\t0\t0\t*\t*\tNM:i:1\n' +
        'r1\t272\tchr2\t1\t0\t5M\t*\t0\t0\t*\t*\tNM:i:2\n',
    );
  });

  test('a read without hits, and one without letters', () => {
    expect(samLines(genome, read, [])).toBe('r1\t4\t*\t0\t0\t*\t*\t0\t0\tAACgN\t!"#$%\n');
    const none = { name: 'r2', sequence: new Uint8Array(0), quality: new Uint8Array(0) };
    expect(samLines(genome, none, [])).toBe('r2\t4\t*\t0\t0\t*\t*\t0\t0\t*\t*\n');
  });

  test('mapping quality tells a sure hit from a doubtful one', () => {
    expect(mappingQuality([])).toBe(0);
    expect(mappingQuality([hit(0, 2)])).toBe(60);
    expect(mappingQuality([hit(0, 0), hit(1, 1)])).toBe(20);
    expect(mappingQuality([hit(0, 0), hit(1, 2)])).toBe(40);
    expect(mappingQuality([hit(0, 0), hit(1, 5)])).toBe(60);
    const equal = (n: number) => mappingQuality(Array.from({ length: n }, (_, i) => hit(i, 1)));
    expect([2, 3, 4, 5, 9, 10].map(equal)).toEqual([3, 2, 1, 1, 1, 0]);
    expect(mappingQuality([hit(0, 0), hit(1, 0), hit(2, 1)])).toBe(3);
  });

  test('reverse complement knows the IUPAC letters and is its own inverse', () => {
    const turn = (text: string) => Buffer.from(reverseComplement(Buffer.from(text))).toString();
    expect(turn('ACGTRYSWKMBDHVNacgtn')).toBe('nacgtNBDHVKMWSRYACGT');
    expect(turn(turn('ACGTRYSWKMBDHVNryswkmbdhvn'))).toBe('ACGTRYSWKMBDHVNryswkmbdhvn');
  });
});

describe('SAM writer', () => {
  let folder: string;
  let target: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sam-writer-'));
    target = join(folder, 'out.sam');
  });

  afterEach(() => rm(folder, { recursive: true }));

  test('the file appears when it is closed, with all that was written in order', async () => {
    const writer = await SamWriter.open(target);
    const lines = Array.from({ length: 50_000 }, (_, i) => `line ${i} of many\n`);
    await Promise.all(lines.map((line) => writer.write(line)));
    expect(await readdir(folder)).not.toContain('out.sam');
    await writer.close();
    expect(await readdir(folder)).toEqual(['out.sam']);
    expect(await readFile(target, 'latin1')).toBe(lines.join(''));
  });

  test('abort leaves nothing, and what was there before as it was', async () => {
    const fresh = await SamWriter.open(target);
    await fresh.write('x'.repeat(1_000_000));
    await fresh.abort();
    await fresh.abort();
    expect(await readdir(folder)).toEqual([]);

    await writeFile(target, 'older');
    const again = await SamWriter.open(target);
    again.write('x'.repeat(1_000_000));
    await again.abort();
    expect(await readdir(folder)).toEqual(['out.sam']);
    expect(await readFile(target, 'latin1')).toBe('older');
  });

  test('an older file is replaced at the end, through a symbolic link too', async () => {
    await mkdir(join(folder, 'real'));
    await writeFile(join(folder, 'real', 'file.sam'), 'older');
    await symlink(join('real', 'file.sam'), target);
    const writer = await SamWriter.open(target);
    await writer.write('newer');
    expect(await readFile(target, 'latin1')).toBe('older');
    await writer.close();
    expect(await readFile(join(folder, 'real', 'file.sam'), 'latin1')).toBe('newer');
    expect(await readdir(join(folder, 'real'))).toEqual(['file.sam']);
  });

  test('after the end there is no more writing', async () => {
    for (const end of ['close', 'abort'] as const) {
      const writer = await SamWriter.open(target);
      await writer[end]();
      await expect(writer.write('more')).rejects.toThrow(OutputError);
      await expect(writer.close()).rejects.toThrow(OutputError);
    }
  });

  test('a close that fails leaves nothing behind', async () => {
    const writer = await SamWriter.open(target);
    await writer.write('lost');
    // A folder that came to stand where the file was to go.
    await mkdir(join(target, 'inside'), { recursive: true });
    await expect(writer.close()).rejects.toThrow(OutputError);
    expect(await readdir(folder)).toEqual(['out.sam']);
  });

  test.each([
    ['a device', () => '/dev/null', 'expected a regular file or a new name to write to'],
    ['a folder', () => folder, 'expected a regular file or a new name to write to'],
    [
      'a folder that is not there',
      () => join(folder, 'no', 'out.sam'),
      'cannot write: no such file or directory',
    ],
  ])('refuses %s in one line', async (_, path, trouble) => {
    await expect(SamWriter.open(path())).rejects.toMatchObject({
      name: 'OutputError',
      code: 'cannot_write',
      message: `${path()}: ${trouble}`,
    });
    expect(await readdir(folder)).toEqual([]);
  });
});
