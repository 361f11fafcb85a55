import { FmIndex } from './fm-index.js';
import { type GenomePart, lastAtMost } from './genome.js';
import type { Hit, Strand } from './hit.js';
import {
  BASES,
  encode,
  reverseComplementCodes,
  SEPARATOR,
  UNKNOWN_IN_READ,
  UNKNOWN_IN_TEXT,
} from './nucleotide.js';

export interface SearchOptions {
  /** In how many letters a read may differ from the genome (no insertions, no deletions); 2. */
  readonly maxMismatches?: number;
  /** How many hits of a read to give, the best in the order of hits; 10. */
  readonly maxHits?: number;
}

export const DEFAULT_MAX_MISMATCHES = 2;
export const DEFAULT_MAX_HITS = 10;

/**
 * Finds reads in parts of a genome. The answer is complete: every place of the parts, on both strands, where
 * the whole read lies within one part and differs in at most `maxMismatches` letters is a hit, and `maxHits`
 * keeps the first of them in the order of hits. What is not one base (N and the other IUPAC letters) differs
 * from everything. A read of no letters has no hits.
 */
export class PartSearch {
  readonly maxMismatches: number;
  readonly maxHits: number;
  /** The parts one after the other with a separator between them. */
  readonly #text: Uint8Array;
  readonly #index: FmIndex;
  /** Where each part begins in the text, and in the genome. */
  readonly #starts: number[] = [];
  readonly #offsets: number[] = [];

  constructor(parts: readonly GenomePart[], options: SearchOptions = {}) {
    this.maxMismatches = natural('maxMismatches', options.maxMismatches ?? DEFAULT_MAX_MISMATCHES);
    this.maxHits = natural('maxHits', options.maxHits ?? DEFAULT_MAX_HITS);
    const bases = parts.reduce((sum, { sequence }) => sum + sequence.length, 0);
    this.#text = new Uint8Array(bases + Math.max(0, parts.length - 1)).fill(SEPARATOR);
    let start = 0;
    for (const { offset, sequence } of parts) {
      this.#text.set(encode(sequence, UNKNOWN_IN_TEXT), start);
      this.#starts.push(start);
      this.#offsets.push(offset);
      start += sequence.length + 1;
    }
    this.#index = new FmIndex(this.#text);
  }

  /** What is kept in memory for the parts, in bytes. */
  get bytes(): number {
    return this.#text.byteLength + this.#index.bytes;
  }

  /** The hits of a read's letters, in the order of hits. */
  search(sequence: Uint8Array): Hit[] {
    if (sequence.length === 0 || sequence.length > this.#text.length) return [];
    const forward = encode(sequence, UNKNOWN_IN_READ);
    if (unknowns(forward) > this.maxMismatches) return [];
    // Places by their mismatches, each as twice the position, and one more on the reverse strand: a read in a
    // repeat may have millions, and only a few of them become hits.
    const places: number[][] = Array.from({ length: this.maxMismatches + 1 }, () => []);
    this.#searchStrand(forward, 0, places);
    this.#searchStrand(reverseComplementCodes(forward), 1, places);
    return this.#bestHits(places);
  }

  /**
   * A read with at most m mismatches, cut into m + 1 pieces, has a piece without any: the index finds all
   * places of each piece, and a look at the text tells which of them are places of the read.
   */
  #searchStrand(codes: Uint8Array, strandBit: number, places: number[][]): void {
    const pieces = this.maxMismatches + 1;
    if (codes.length < pieces) {
      // Too short to cut: so short that every place of a part will do.
      for (let start = 0; start < this.#text.length; start++)
        this.#verify(codes, 0, start, strandBit, places);
      return;
    }
    const index = this.#index;
    for (let piece = 0; piece < pieces; piece++) {
      let at = pieceStart(codes, piece + 1, pieces);
      const first = pieceStart(codes, piece, pieces);
      let low = 0;
      let high = index.rows;
      // Once a single place is left it is cheaper to look at it than to search for the rest of the piece.
      while (at > first && high - low > 1) {
        const code = codes[--at]!;
        if (code >= BASES) low = high;
        else {
          low = index.step(code, low);
          high = index.step(code, high);
        }
      }
      for (let row = low; row < high; row++) {
        this.#verify(codes, piece, index.position(row) - at, strandBit, places);
      }
    }
  }

  /**
   * Adds the place at `start` of the text if the read is there, `piece` is without mismatch and no piece
   * before it is: so the pieces add each place once, which is a quarter faster than to sort the doubles out.
   */
  #verify(codes: Uint8Array, piece: number, start: number, strandBit: number, places: number[][]): void {
    const text = this.#text;
    if (start < 0 || start + codes.length > text.length) return;
    const pieces = this.maxMismatches + 1;
    let mismatches = 0;
    for (let i = 0, at = 0; i < pieces; i++) {
      const before = mismatches;
      for (const end = pieceStart(codes, i + 1, pieces); at < end; at++) {
        const code = text[start + at]!;
        if (code === codes[at]) continue;
        if (code === SEPARATOR || ++mismatches >= pieces) return;
      }
      if (i < piece && mismatches === before) return;
      if (i === piece && mismatches > before) return;
    }
    places[mismatches]!.push(2 * this.#genomePosition(start) + strandBit);
  }

  #genomePosition(start: number): number {
    const part = lastAtMost(this.#starts, start);
    return this.#offsets[part]! + start - this.#starts[part]!;
  }

  #bestHits(places: readonly number[][]): Hit[] {
    const hits: Hit[] = [];
    for (const [mismatches, found] of places.entries()) {
      let last = -1;
      for (const place of ascending(found)) {
        if (hits.length >= this.maxHits) break;
        // Parts that overlap find what lies in both of them twice.
        if (place === last) continue;
        last = place;
        const strand: Strand = place % 2 === 0 ? '+' : '-';
        hits.push({ position: Math.floor(place / 2), strand, mismatches });
      }
    }
    return hits;
  }
}

function pieceStart(codes: Uint8Array, piece: number, pieces: number): number {
  return Math.floor((piece * codes.length) / pieces);
}

/** Nearly always there is one number or none; of millions a typed array is the quick one to sort. */
function ascending(numbers: number[]): Iterable<number> {
  return numbers.length < 2 ? numbers : Float64Array.from(numbers).sort();
}

function unknowns(codes: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < codes.length; i++) if (codes[i]! >= BASES) count++;
  return count;
}

function natural(name: string, value: number): number {
  if (value >= 0 && (Number.isSafeInteger(value) || (name === 'maxHits' && value === Infinity))) return value;
  throw new RangeError(`${name} ${value}`);
}
