/**
 * Bases as letters (bytes of a file: upper or lower case, U is T, the IUPAC letters for "one of these") and as
 * the small codes that the index works on: A C G T are 0 1 2 3, so that the complement of a code is 3 - code.
 *
 * Whatever is not one base never matches anything, not even itself: in the text it is UNKNOWN_IN_TEXT, in a
 * read UNKNOWN_IN_READ, and so no comparison of codes has to make an exception.
 */
export const BASES = 4;
export const UNKNOWN_IN_TEXT = 4;
/** Stands between two stretches of a text that are no neighbours; no read lies across it. */
export const SEPARATOR = 5;
/** How many different codes a text may hold. */
export const TEXT_CODES = 6;
export const UNKNOWN_IN_READ = 6;

/** The codes of `letters`; what is not one of A C G T U becomes `unknown`. */
export function encode(letters: Uint8Array, unknown: number): Uint8Array {
  const codes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) {
    const code = CODE_OF[letters[i]!]!;
    codes[i] = code < BASES ? code : unknown;
  }
  return codes;
}

/** The codes of the other strand, read in its own direction. */
export function reverseComplementCodes(codes: Uint8Array): Uint8Array {
  const result = new Uint8Array(codes.length);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[codes.length - 1 - i]!;
    result[i] = code < BASES ? 3 - code : code;
  }
  return result;
}

/** The letters of the other strand, read in its own direction; case is kept, R becomes Y and so on. */
export function reverseComplement(letters: Uint8Array): Uint8Array {
  const result = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) result[i] = COMPLEMENT_OF[letters[letters.length - 1 - i]!]!;
  return result;
}

/** Where in `letters` the first stands that is no nucleotide letter of IUPAC; -1 if there is none. */
export function firstIllegal(letters: Uint8Array): number {
  for (let i = 0; i < letters.length; i++) if (COMPLEMENT_OF[letters[i]!] === 0) return i;
  return -1;
}

//                 R = A or G is the complement of Y = C or T; S, W and N are their own.
const LETTERS = 'ACGTURYSWKMBDHVN';
const COMPLEMENTS = 'TGCAAYRSWMKVHDBN';

const CODE_OF = new Uint8Array(256).fill(UNKNOWN_IN_TEXT);
const COMPLEMENT_OF = new Uint8Array(256);
for (const [i, letter] of [...LETTERS].entries()) {
  for (const [from, to] of [
    [letter, COMPLEMENTS[i]!],
    [letter.toLowerCase(), COMPLEMENTS[i]!.toLowerCase()],
  ] as const) {
    COMPLEMENT_OF[from.charCodeAt(0)] = to.charCodeAt(0);
    if ('ACGTU'.includes(letter)) CODE_OF[from.charCodeAt(0)] = 'ACGT'.indexOf(letter === 'U' ? 'T' : letter);
  }
}
