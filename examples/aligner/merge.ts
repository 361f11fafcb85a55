import { compareHits, type Hit } from './hit.js';

/**
 * The first `maxHits` of two lists of hits, each in the order of hits; what is in both is taken once. In
 * whatever order and however often lists are merged, the result is the same, and if each list was cut to its
 * first `maxHits`, it is what one search of everything would have given.
 */
export function mergeHits(a: readonly Hit[], b: readonly Hit[], maxHits: number): Hit[] {
  const merged: Hit[] = [];
  for (let i = 0, j = 0; merged.length < maxHits && (i < a.length || j < b.length); ) {
    const order = i === a.length ? 1 : j === b.length ? -1 : compareHits(a[i]!, b[j]!);
    merged.push(order <= 0 ? a[i]! : b[j]!);
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  return merged;
}

/**
 * Collects what the shares of a genome answer for one batch of reads. A share may answer more than once, as
 * when its worker was taken for dead: only the first answer counts, and the others would be the same.
 */
export class BatchMerge {
  readonly #missing: Set<number>;
  readonly #hits: Hit[][];

  constructor(
    reads: number,
    readonly shares: number,
    readonly maxHits: number,
  ) {
    this.#missing = new Set(Array.from({ length: shares }, (_, share) => share));
    this.#hits = Array.from({ length: reads }, () => []);
  }

  /**
   * Takes the hits of a share for each read of the batch; true once every share has answered.
   * RangeError if it is not a share of the genome or not the number of reads.
   */
  add(share: number, hits: readonly (readonly Hit[])[]): boolean {
    if (!(Number.isSafeInteger(share) && share >= 0 && share < this.shares)) {
      throw new RangeError(`share ${share} of ${this.shares}`);
    }
    if (hits.length !== this.#hits.length)
      throw new RangeError(`${hits.length} of ${this.#hits.length} reads`);
    if (!this.#missing.delete(share)) return this.complete;
    for (const [read, found] of hits.entries()) {
      if (found.length > 0) this.#hits[read] = mergeHits(this.#hits[read]!, found, this.maxHits);
    }
    return this.complete;
  }

  get complete(): boolean {
    return this.#missing.size === 0;
  }

  /** The shares that have not answered yet, ascending. */
  get missing(): number[] {
    return [...this.#missing];
  }

  /** For each read its hits over all shares that have answered, in the order of hits. */
  get hits(): readonly (readonly Hit[])[] {
    return this.#hits;
  }
}
