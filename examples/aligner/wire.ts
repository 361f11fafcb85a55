/** What master and workers send each other: reads, hits and pieces of a genome as Erlang terms. */
import { isList, isTuple, type List, list } from '../../lib/index.js';
import type { Read } from './fastq.js';
import type { GenomePart } from './genome.js';
import type { Hit } from './hit.js';

/** A piece of part number `part` of a share; pieces of one part come in order. */
export type Piece = readonly [part: number, offset: number, sequence: Uint8Array];

/** Cuts a share into lists of pieces of at most `limit` bases each, so that no message gets large. */
export function* toPieces(share: readonly GenomePart[], limit: number): Generator<List<Piece>> {
  let pieces: Piece[] = [];
  let room = limit;
  for (const [part, { offset, sequence }] of share.entries()) {
    for (let start = 0; start < sequence.length; ) {
      const letters = sequence.subarray(start, start + room);
      pieces.push([part, offset + start, letters]);
      start += letters.length;
      room -= letters.length;
      if (room > 0) continue;
      yield list(...pieces);
      pieces = [];
      room = limit;
    }
  }
  if (pieces.length > 0) yield list(...pieces);
}

/** Puts pieces together again. */
export class PieceCollector {
  readonly #parts: { offset: number; letters: Uint8Array[] }[] = [];

  /** @throws TypeError for what are no pieces */
  add(pieces: unknown): void {
    for (const piece of expectList(pieces)) {
      const [part, offset, letters] = isTuple(piece) ? piece : [];
      if (!isNatural(part) || !isNatural(offset) || !(letters instanceof Uint8Array)) {
        throw new TypeError('expected a piece of the genome');
      }
      this.#parts[part] ??= { offset, letters: [] };
      this.#parts[part].letters.push(letters);
    }
  }

  /** Takes the parts out. Their records have no name here: positions count over the whole genome. */
  take(): GenomePart[] {
    return this.#parts.splice(0).map(({ offset, letters }) => ({
      record: '',
      offset,
      sequence: Buffer.concat(letters),
    }));
  }
}

export function encodeReads(reads: readonly Read[]): List<Uint8Array> {
  return list(...reads.map(({ sequence }) => sequence));
}

/** The letters of the reads. @throws TypeError for anything else */
export function decodeReads(term: unknown): Uint8Array[] {
  return expectList(term).map((read) => {
    if (read instanceof Uint8Array) return read;
    throw new TypeError('expected the letters of a read');
  });
}

/** For each read a list of its hits, each a tuple of position, strand and mismatches. */
export function encodeHits(hits: readonly (readonly Hit[])[]): List<List> {
  const terms = hits.map((some) =>
    list(...some.map(({ position, strand, mismatches }) => [position, strand, mismatches])),
  );
  return list(...terms);
}

/** The hits that encodeHits has written. @throws TypeError for anything else */
export function decodeHits(term: unknown): Hit[][] {
  return expectList(term).map((some) => expectList(some).map(toHit));
}

function toHit(term: unknown): Hit {
  const [position, strand, mismatches] = isTuple(term) ? term : [];
  if (isNatural(position) && (strand === '+' || strand === '-') && isNatural(mismatches)) {
    return { position, strand, mismatches };
  }
  throw new TypeError('expected a hit');
}

/** As an array, whose methods are faster and make arrays. */
function expectList(term: unknown): unknown[] {
  if (isList(term)) return Array.from(term);
  throw new TypeError('expected a list');
}

function isNatural(term: unknown): term is number {
  return Number.isSafeInteger(term) && (term as number) >= 0;
}
