import { found, InputError } from './errors.js';
import { Genome, type GenomeRecord } from './genome.js';
import { readLines } from './lines.js';
import { firstIllegal } from './nucleotide.js';

/**
 * Reads a genome from a FASTA file: `>name description`, then lines of nucleotide letters, any number of such
 * records. Empty lines are skipped. Throws {@link InputError} for whatever is not that, for a record without
 * letters and for a name that comes twice.
 */
export async function readFasta(path: string): Promise<Genome> {
  const records: GenomeRecord[] = [];
  const names = new Set<string>();
  let name: string | undefined;
  let pieces: Uint8Array[] = [];
  let number = 0;

  const finishRecord = (next: string) => {
    if (name === undefined) return;
    if (pieces.length === 0)
      throw new InputError(path, number, `expected the sequence of '${name}', found ${next}`);
    records.push({ name, sequence: Buffer.concat(pieces) });
    pieces = [];
  };

  for await (const lines of readLines(path)) {
    for (const line of lines) {
      number++;
      if (line[0] === HEADER) {
        finishRecord(found(line));
        name = recordName(path, number, line);
        if (names.has(name)) throw new InputError(path, number, `expected a new name, found '${name}' again`);
        names.add(name);
        continue;
      }
      if (name === undefined) throw new InputError(path, number, `expected '>', found ${found(line)}`);
      if (line.length === 0) continue;
      const illegal = firstIllegal(line);
      if (illegal >= 0) {
        const letter = found(line.subarray(illegal, illegal + 1));
        throw new InputError(path, number, `expected nucleotide letters or '>', found ${letter}`);
      }
      pieces.push(line);
    }
  }
  number++;
  finishRecord('the end of the file');
  if (records.length === 0) throw new InputError(path, number, "expected '>', found the end of the file");
  return new Genome(records);
}

const HEADER = '>'.charCodeAt(0);

/** The first word of a header. What SAM allows in its RNAME, but for the brackets and commas that many files have. */
function recordName(path: string, number: number, header: Buffer): string {
  const name = header.toString('latin1', 1).split(/\s/, 1)[0]!;
  if (/^(?![*=])[!-~]+$/.test(name)) return name;
  throw new InputError(path, number, `expected a name after '>', found ${found(header)}`);
}
