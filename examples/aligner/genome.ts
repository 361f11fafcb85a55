/** One sequence of a genome: a chromosome, plasmid or contig. */
export interface GenomeRecord {
  readonly name: string;
  /** The letters as in the file, one byte each. */
  readonly sequence: Uint8Array;
}

/**
 * A stretch of one record. `offset` counts bases over the whole genome, all records laid end to end, so that a
 * position is one number everywhere and only SAM needs to know of records.
 */
export interface GenomePart {
  readonly record: string;
  readonly offset: number;
  readonly sequence: Uint8Array;
}

/** All records of a genome, in the order of the file. */
export class Genome {
  /** Where each record begins, counted in bases over the whole genome. */
  readonly starts: readonly number[];
  /** In bases, over all records. */
  readonly length: number;

  constructor(readonly records: readonly GenomeRecord[]) {
    const starts: number[] = [];
    let length = 0;
    for (const { sequence } of records) {
      starts.push(length);
      length += sequence.length;
    }
    this.starts = starts;
    this.length = length;
  }

  /** The record that holds a position of the whole genome, and the position in it; RangeError outside. */
  locate(position: number): { record: GenomeRecord; position: number } {
    if (!(position >= 0 && position < this.length))
      throw new RangeError(`position ${position} of ${this.length}`);
    const i = lastAtMost(this.starts, position);
    return { record: this.records[i]!, position: position - this.starts[i]! };
  }
}

/** The index of the last of the ascending `numbers` that is not above `limit`; -1 if all are. */
export function lastAtMost(numbers: readonly number[], limit: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
