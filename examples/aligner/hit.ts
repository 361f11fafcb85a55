export type Strand = '+' | '-';

/** A place where a read fits. */
export interface Hit {
  /** Of the leftmost base on the forward strand, whichever strand the read is of; from 0, over the whole genome. */
  readonly position: number;
  readonly strand: Strand;
  readonly mismatches: number;
}

/** The total order of hits, best first: fewer mismatches, then further left, then the forward strand. */
export function compareHits(a: Hit, b: Hit): number {
  return a.mismatches - b.mismatches || a.position - b.position || strandBit(a.strand) - strandBit(b.strand);
}

function strandBit(strand: Strand): number {
  return strand === '+' ? 0 : 1;
}
