/** Numbers that look random and are the same for the same seed (xorshift, George Marsaglia 2003). */
export class Random {
  #state: number;

  constructor(seed: number) {
    // The one state that it would never leave.
    this.#state = seed | 0 || 1;
  }

  /** A whole number from 0 to below `limit`. */
  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }

  of<T>(choices: ArrayLike<T>): T {
    return choices[this.below(choices.length)]!;
  }
}
