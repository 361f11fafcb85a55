import type { Read } from './fastq.js';
import type { Genome } from './genome.js';
import type { Hit } from './hit.js';
import { reverseComplement } from './nucleotide.js';

/** What wrote a file, for its `@PG` line. */
export interface Program {
  readonly name: string;
  readonly version: string;
  readonly commandLine?: string;
}

/**
 * The header of a SAM file: reads in the order of their file, one `@SQ` for each record, the program.
 * Source of this file: "Sequence Alignment/Map Format Specification", version 1.6, sections 1.3 to 1.5.
 */
export function samHeader(genome: Genome, program: Program): string {
  const lines = ['@HD\tVN:1.6\tSO:unsorted\tGO:query'];
  for (const { name, sequence } of genome.records) lines.push(`@SQ\tSN:${name}\tLN:${sequence.length}`);
  const { name, version, commandLine } = program;
  // A tab or line end inside an argument would end the field.
  const command = commandLine === undefined ? '' : `\tCL:${commandLine.replace(/[\t\r\n]/g, ' ')}`;
  lines.push(`@PG\tID:${name}\tPN:${name}\tVN:${version}${command}`);
  return `${lines.join('\n')}\n`;
}

/**
 * The lines of one read: its best hit, then the others as secondary alignments (flag 256, mapping quality 0,
 * letters and qualities left out as the specification recommends); one line with flag 4 if it has none.
 * `hits` are in the order of hits, over the whole genome. On the reverse strand (flag 16) letters are
 * reverse-complemented and qualities reversed, so that they read along the genome. NM counts the mismatches,
 * among them every letter, of the read or of the genome, that is not one base.
 */
export function samLines(genome: Genome, read: Read, hits: readonly Hit[]): string {
  const best = hits[0];
  if (best === undefined) {
    return samLine(
      read.name,
      UNMAPPED,
      '*',
      0,
      0,
      '*',
      latin1(read.sequence) || '*',
      latin1(read.quality) || '*',
    );
  }
  let lines = '';
  for (const hit of hits) {
    const reverse = hit.strand === '-';
    const secondary = hit !== best;
    const { record, position } = genome.locate(hit.position);
    lines += samLine(
      read.name,
      (reverse ? REVERSE : 0) | (secondary ? SECONDARY : 0),
      record.name,
      position + 1,
      secondary ? 0 : mappingQuality(hits),
      `${read.sequence.length}M`,
      secondary ? '*' : latin1(reverse ? reverseComplement(read.sequence) : read.sequence),
      secondary ? '*' : latin1(reverse ? Uint8Array.from(read.quality).reverse() : read.quality),
      `\tNM:i:${hit.mismatches}`,
    );
  }
  return lines;
}

/**
 * How sure the best of some hits, in their order, is to be the right one.
 *
 * - n hits that are equally good: -10 log10(1 - 1/n), one of n being right: 3, 2, 1, 1 ... for 2, 3, 4, 5, and
 *   0 from 10 on;
 * - a best one with others behind it: 20 for every mismatch that the next has more;
 * - the only one: 60.
 *
 * A list cut to fewer than 10 hits makes n look smaller; one cut to a single hit cannot tell the cases apart.
 */
export function mappingQuality(hits: readonly Hit[]): number {
  const [best, next] = hits;
  if (best === undefined) return 0;
  if (next === undefined) return UNIQUE;
  if (next.mismatches > best.mismatches) {
    return Math.min(UNIQUE, PER_MISMATCH * (next.mismatches - best.mismatches));
  }
  const equal = hits.filter(({ mismatches }) => mismatches === best.mismatches).length;
  return Math.round(-10 * Math.log10(1 - 1 / equal));
}

const UNMAPPED = 4;
const REVERSE = 16;
const SECONDARY = 256;

const UNIQUE = 60;
const PER_MISMATCH = 20;

function samLine(
  name: string,
  flag: number,
  record: string,
  position: number,
  quality: number,
  cigar: string,
  letters: string,
  qualities: string,
  tags = '',
): string {
  return `${name}\t${flag}\t${record}\t${position}\t${quality}\t${cigar}\t*\t0\t0\t${letters}\t${qualities}${tags}\n`;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
