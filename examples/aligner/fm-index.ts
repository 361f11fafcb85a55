import { BASES, TEXT_CODES } from './nucleotide.js';
import { suffixArray } from './suffix-array.js';

/**
 * An index of a text that finds every occurrence of a pattern in time that depends on the pattern alone
 * (P. Ferragina, G. Manzini, "Opportunistic data structures with applications", 2000).
 *
 * Its rows are the suffixes of the text in sorted order, the empty one first. A pattern's occurrences are a
 * range of rows, found from the pattern's last code to its first: see {@link step}. The text is codes as in
 * nucleotide.ts; only A C G T can be found, everything else breaks the text into stretches.
 *
 * The Burrows-Wheeler transform, which has for each row the code before its suffix, is kept as a bit map per
 * base beside the counts at its checkpoints: one 32-byte block for 32 rows, one cache line a step.
 *
 *     block  | count A | count C | count G | count T | rows A | rows C | rows G | rows T |
 *
 * The suffix array is sampled: see {@link position}. Memory: 1 byte a base for the blocks and 3/4 for samples.
 */
export class FmIndex {
  /** In bases. */
  readonly length: number;
  /** How many rows there are; the range of the empty pattern is from 0 to here. */
  readonly rows: number;
  /** The first row whose suffix begins with each base. */
  readonly #firstRow: Int32Array;
  readonly #blocks: Int32Array;
  /** Per 32 rows: how many before them are sampled, and which of them are. */
  readonly #marks: Int32Array;
  readonly #samples: Int32Array;

  constructor(text: Uint8Array) {
    const order = suffixArray(text, TEXT_CODES);
    this.length = text.length;
    this.rows = text.length + 1;
    this.#firstRow = firstRows(text);
    this.#blocks = transform(text, order);
    this.#marks = new Int32Array(2 * blocksFor(this.rows));
    this.#samples = sample(text, order, this.#marks);
  }

  /** What the index keeps in memory, in bytes; the text is not among it. */
  get bytes(): number {
    return (
      this.#blocks.byteLength + this.#marks.byteLength + this.#samples.byteLength + this.#firstRow.byteLength
    );
  }

  /**
   * Backward search: if [low, high) are the rows of a pattern, then [step(code, low), step(code, high)) are
   * those of `code` followed by the pattern. `code` is one of the four bases, rows are from 0 to `rows`.
   */
  step(code: number, row: number): number {
    const at = (row >>> 5) * BLOCK_WORDS + code;
    const before = this.#blocks[at + BASES]! & ((1 << (row & 31)) - 1);
    return this.#firstRow[code]! + this.#blocks[at]! + ones(before);
  }

  /** Where in the text the suffix of a row begins. The row is one in the range of a pattern that is not empty. */
  position(row: number): number {
    for (let steps = 0; ; steps++) {
      const at = (row >>> 5) * 2;
      const word = this.#marks[at + 1]!;
      const bit = 1 << (row & 31);
      if (word & bit) return this.#samples[this.#marks[at]! + ones(word & (bit - 1))]! + steps;
      row = this.step(this.#codeBefore(row), row);
    }
  }

  /** The rows of a pattern, [low, high); an empty range if it does not occur. A code that is no base never occurs. */
  range(pattern: Uint8Array): [low: number, high: number] {
    let low = 0;
    let high = this.rows;
    for (let i = pattern.length - 1; i >= 0 && low < high; i--) {
      const code = pattern[i]!;
      if (code >= BASES) return [0, 0];
      low = this.step(code, low);
      high = this.step(code, high);
    }
    return [low, high];
  }

  /** How often a pattern occurs; occurrences may overlap. The empty one does before every code and at the end. */
  count(pattern: Uint8Array): number {
    const [low, high] = this.range(pattern);
    return Math.max(0, high - low);
  }

  /** Where a pattern of at least one base occurs, ascending. */
  locate(pattern: Uint8Array): number[] {
    if (pattern.length === 0) throw new RangeError('an empty pattern is everywhere');
    const [low, high] = this.range(pattern);
    const positions: number[] = [];
    for (let row = low; row < high; row++) positions.push(this.position(row));
    return positions.sort((a, b) => a - b);
  }

  /** Which base stands before the suffix of a row that is not sampled: the rows before which there is none are. */
  #codeBefore(row: number): number {
    const at = (row >>> 5) * BLOCK_WORDS + BASES;
    const bit = 1 << (row & 31);
    if (this.#blocks[at]! & bit) return 0;
    if (this.#blocks[at + 1]! & bit) return 1;
    return this.#blocks[at + 2]! & bit ? 2 : 3;
  }
}

/** Four counts and four bit maps. */
const BLOCK_WORDS = 2 * BASES;
/** Every how many positions of the text one is kept: {@link FmIndex.position} takes fewer steps than that. */
const SAMPLE_EVERY = 8;

/** One more row than there are: a range may end there. */
function blocksFor(rows: number): number {
  return (rows >>> 5) + 1;
}

function firstRows(text: Uint8Array): Int32Array {
  const sizes = new Int32Array(TEXT_CODES);
  for (let i = 0; i < text.length; i++) sizes[text[i]!]!++;
  const first = new Int32Array(BASES);
  // Row 0 is the empty suffix; codes that are no base sort behind T.
  for (let code = 0, row = 1; code < BASES; row += sizes[code++]!) first[code] = row;
  return first;
}

function transform(text: Uint8Array, order: Int32Array): Int32Array {
  const rows = text.length + 1;
  const blocks = new Int32Array(BLOCK_WORDS * blocksFor(rows));
  const counts = new Int32Array(BASES);
  for (let row = 0; row <= rows; row++) {
    const at = (row >>> 5) * BLOCK_WORDS;
    if ((row & 31) === 0) blocks.set(counts, at);
    if (row === rows) break;
    const position = row === 0 ? text.length : order[row - 1]!;
    if (position === 0) continue;
    const code = text[position - 1]!;
    if (code >= BASES) continue;
    counts[code]!++;
    blocks[at + BASES + code]! |= 1 << (row & 31);
  }
  return blocks;
}

/**
 * Fills `marks` and returns the position of every marked row: those at multiples of SAMPLE_EVERY, and those
 * with no base before them, where a walk towards the front of the text has to stop. Rows that begin with no
 * base belong to no pattern and need none.
 */
function sample(text: Uint8Array, order: Int32Array, marks: Int32Array): Int32Array {
  const isMarked = (position: number) =>
    text[position]! < BASES && (position % SAMPLE_EVERY === 0 || text[position - 1]! >= BASES);
  let count = 0;
  for (let position = 0; position < text.length; position++) if (isMarked(position)) count++;

  const samples = new Int32Array(count);
  count = 0;
  for (let row = 0; row <= text.length + 1; row++) {
    const at = (row >>> 5) * 2;
    if ((row & 31) === 0) marks[at] = count;
    if (row === 0 || row > text.length || !isMarked(order[row - 1]!)) continue;
    marks[at + 1]! |= 1 << (row & 31);
    samples[count++] = order[row - 1]!;
  }
  return samples;
}

/** How many bits of a 32-bit word are set. */
function ones(word: number): number {
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
