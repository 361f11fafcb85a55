import type { GenomePart } from '#examples/aligner/genome';
import type { Hit } from '#examples/aligner/hit';

/** What the search has to find, found by comparing the read with every place of every part. An oracle for tests. */
export function naiveSearch(parts: readonly GenomePart[], read: string, maxMismatches: number): Hit[] {
  const hits = new Map<string, Hit>();
  if (read === '') return [];
  for (const { offset, sequence } of parts) {
    const text = plain(Buffer.from(sequence).toString('latin1'));
    for (const strand of ['+', '-'] as const) {
      const letters = strand === '+' ? plain(read) : otherStrand(plain(read));
      for (let at = 0; at + letters.length <= text.length; at++) {
        const mismatches = differences(text, at, letters, maxMismatches);
        if (mismatches > maxMismatches) continue;
        const hit = { position: offset + at, strand, mismatches };
        hits.set(JSON.stringify(hit), hit);
      }
    }
  }
  return [...hits.values()].sort(
    (a, b) =>
      a.mismatches - b.mismatches ||
      a.position - b.position ||
      Number(a.strand === '-') - Number(b.strand === '-'),
  );
}

function differences(text: string, at: number, letters: string, enough: number): number {
  let count = 0;
  for (let i = 0; i < letters.length && count <= enough; i++) {
    if (text[at + i] !== letters[i] || !'ACGT'.includes(letters[i]!)) count++;
  }
  return count;
}

function plain(text: string): string {
  return text.toUpperCase().replaceAll('U', 'T');
}

function otherStrand(text: string): string {
  const other: Record<string, string> = { A: 'T', C: 'G', G: 'C', T: 'A' };
  return [...text]
    .reverse()
    .map((letter) => other[letter] ?? letter)
    .join('');
}
