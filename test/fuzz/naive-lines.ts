/** What the naive readers of FASTA and FASTQ have in common. */
import assert from 'node:assert/strict';
import type { InputError } from '#examples/aligner/errors';

export const NUCLEOTIDES = 'ACGTURYSWKMBDHVNacgturyswkmbdhvn';

/** The lines of a file, without their ends. */
export function linesOf(bytes: Buffer): string[] {
  const lines = bytes.toString('latin1').split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
}

/** The first word of a header. */
export function nameIn(header: string): string {
  return header.slice(0, header.search(/[ \t\n\v\f\r\xa0]|$/));
}

/** What an error says is wrong; it is one line, fit for any terminal, and of a line that there is, or the next. */
export function troubleOf({ message, file, line }: InputError, parts: readonly Buffer[]): string {
  assert.match(message, /^[ -~]+$/);
  const lines = linesOf(Buffer.concat(parts)).length;
  assert(line !== undefined && line >= 1 && line <= lines + 1, `line ${line} of ${lines}`);
  return message.slice(`${file}:${line}: `.length);
}
