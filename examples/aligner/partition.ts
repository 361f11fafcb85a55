import type { Genome, GenomePart } from './genome.js';

/**
 * Cuts a genome into `count` shares of as nearly equally many bases as there can be (fewer shares if there are
 * fewer bases). A share is the parts of the records that lie in it, in order; every part goes on for up to
 * `overlap` further bases of its record, so that a read of at most `overlap + 1` letters lies whole in a part
 * wherever it begins. What lies in the overlap is found in two shares: merging takes care of it.
 * The parts are views of the genome's sequences. RangeError if `count` is not at least 1 or `overlap` at least 0.
 */
export function partition(genome: Genome, count: number, overlap: number): GenomePart[][] {
  if (!(Number.isSafeInteger(count) && count >= 1)) throw new RangeError(`count ${count}`);
  if (!(Number.isSafeInteger(overlap) && overlap >= 0)) throw new RangeError(`overlap ${overlap}`);
  const shares = Math.min(count, genome.length);
  return Array.from({ length: shares }, (_, i) =>
    stretch(
      genome,
      Math.floor((i * genome.length) / shares),
      Math.floor(((i + 1) * genome.length) / shares),
      overlap,
    ),
  );
}

/** The parts of the records between two positions of the genome. */
function stretch(genome: Genome, from: number, to: number, overlap: number): GenomePart[] {
  const parts: GenomePart[] = [];
  for (const [i, { name, sequence }] of genome.records.entries()) {
    const start = genome.starts[i]!;
    const first = Math.max(0, from - start);
    const end = Math.min(sequence.length, to - start);
    if (first >= end) continue;
    parts.push({ record: name, offset: start + first, sequence: sequence.subarray(first, end + overlap) });
  }
  return parts;
}
