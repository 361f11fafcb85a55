/**
 * The suffix array of `text`: the start of every suffix, in the order of the suffixes, a suffix before those
 * that it begins. `codes` is how many different codes the text may hold: all are below it.
 *
 * Linear time, by induced sorting (SA-IS: G. Nong, S. Zhang, W. H. Chan, "Linear Suffix Array Construction by
 * Almost Pure Induced-Sorting", 2009). Memory: the result of 4 bytes a letter, about 1 more for the types of
 * the suffixes, and the counters. Texts below 2^31 letters.
 */
export function suffixArray(text: Uint8Array, codes: number): Int32Array {
  const result = new Int32Array(text.length);
  sortSuffixes(text, codes, result);
  return result;
}

/*
 * A suffix is S if it is smaller than the one that starts a letter later, and L if larger; the empty suffix
 * behind the text is the smallest, so the last letter's suffix is L. An S after an L is called LMS:
 *
 *     text   c a c a a c c        (the empty suffix)
 *     type   L S L S S L L
 *     LMS      *   *
 *
 * From the order of the LMS suffixes that of all others follows in two sweeps. The order of the LMS suffixes is
 * found by sorting the text's cuts from one LMS to the next, naming them by their rank, and sorting the
 * suffixes of that text of names - at most half as long - in the same way.
 */

type Text = Uint8Array | Int32Array;
const EMPTY = -1;

/** Fills `order`, which is as long as `text`. */
function sortSuffixes(text: Text, codes: number, order: Int32Array): void {
  const length = text.length;
  if (length === 0) return;
  const isS = suffixTypes(text);
  const sizes = new Int32Array(codes);
  for (let i = 0; i < length; i++) sizes[text[i]!]!++;
  const buckets = new Int32Array(codes);

  // First the cuts: LMS suffixes in any order within their bucket become sorted as far as the next LMS.
  order.fill(EMPTY);
  bucketEnds(sizes, buckets);
  for (let i = 1; i < length; i++) {
    if (isS[i] === 1 && isS[i - 1] === 0) order[--buckets[text[i]!]!] = i;
  }
  induce(text, isS, sizes, buckets, order);

  let count = 0;
  for (let i = 0; i < length; i++) {
    const suffix = order[i]!;
    if (suffix > 0 && isS[suffix] === 1 && isS[suffix - 1] === 0) order[count++] = suffix;
  }
  if (count > 1) sortLms(text, isS, order, count);

  // Then the LMS suffixes in their true order, and from them all others.
  order.fill(EMPTY, count);
  bucketEnds(sizes, buckets);
  for (let i = count - 1; i >= 0; i--) {
    const suffix = order[i]!;
    order[i] = EMPTY;
    order[--buckets[text[suffix]!]!] = suffix;
  }
  induce(text, isS, sizes, buckets, order);
}

/** 1 where a suffix is S. */
function suffixTypes(text: Text): Uint8Array {
  const isS = new Uint8Array(text.length);
  for (let i = text.length - 2; i >= 0; i--) {
    const here = text[i]!;
    const next = text[i + 1]!;
    isS[i] = here < next ? 1 : here > next ? 0 : isS[i + 1]!;
  }
  return isS;
}

/** From `count` LMS suffixes at the front of `order`, sorted by their cuts, to the same sorted as suffixes. */
function sortLms(text: Text, isS: Uint8Array, order: Int32Array, count: number): void {
  const length = text.length;
  // Two LMS are at least two letters apart, so the half of its position is a place of its own for each name.
  order.fill(EMPTY, count);
  let names = 0;
  let previous = EMPTY;
  for (let i = 0; i < count; i++) {
    const suffix = order[i]!;
    if (previous === EMPTY || !sameCut(text, isS, previous, suffix)) names++;
    order[count + (suffix >> 1)] = names - 1;
    previous = suffix;
  }
  if (names === count) return;

  // Names in text order, at the far end of `order`: count <= length / 2, so they do not meet the front.
  const named = order.subarray(length - count);
  for (let i = length - 1, to = count; i >= count; i--) {
    if (order[i] !== EMPTY) named[--to] = order[i]!;
  }
  const ranks = order.subarray(0, count);
  sortSuffixes(named, names, ranks);

  const positions = named;
  for (let i = 1, to = 0; i < length; i++) {
    if (isS[i] === 1 && isS[i - 1] === 0) positions[to++] = i;
  }
  for (let i = 0; i < count; i++) ranks[i] = positions[ranks[i]!]!;
}

/** Whether the cuts that begin at two different LMS hold the same letters and types up to and with the next LMS. */
function sameCut(text: Text, isS: Uint8Array, a: number, b: number): boolean {
  for (let i = 0; ; i++) {
    const atEnd = a + i >= text.length || b + i >= text.length;
    if (atEnd || text[a + i] !== text[b + i] || isS[a + i] !== isS[b + i]) return false;
    if (i === 0) continue;
    const aEnds = isS[a + i] === 1 && isS[a + i - 1] === 0;
    const bEnds = isS[b + i] === 1 && isS[b + i - 1] === 0;
    if (aEnds || bEnds) return aEnds && bEnds;
  }
}

/** With the LMS suffixes at the ends of their buckets: one sweep up puts every L in place, one down every S. */
function induce(
  text: Text,
  isS: Uint8Array,
  sizes: Int32Array,
  buckets: Int32Array,
  order: Int32Array,
): void {
  const length = text.length;
  bucketStarts(sizes, buckets);
  // The empty suffix, which has no place in `order`, would be the first to be met.
  order[buckets[text[length - 1]!]!++] = length - 1;
  for (let i = 0; i < length; i++) {
    const before = order[i]! - 1;
    if (before >= 0 && isS[before] === 0) order[buckets[text[before]!]!++] = before;
  }
  bucketEnds(sizes, buckets);
  for (let i = length - 1; i >= 0; i--) {
    const before = order[i]! - 1;
    if (before >= 0 && isS[before] === 1) order[--buckets[text[before]!]!] = before;
  }
}

function bucketStarts(sizes: Int32Array, buckets: Int32Array): void {
  for (let code = 0, sum = 0; code < sizes.length; code++) {
    buckets[code] = sum;
    sum += sizes[code]!;
  }
}

function bucketEnds(sizes: Int32Array, buckets: Int32Array): void {
  for (let code = 0, sum = 0; code < sizes.length; code++) {
    sum += sizes[code]!;
    buckets[code] = sum;
  }
}
