/** Mixes the 32 bits of an integer: similar ones become different ones (the end of MurmurHash3). */
export function mix(number: number): number {
  let bits = number | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** Another number for each list of numbers. */
export function mixAll(...numbers: readonly number[]): number {
  return numbers.reduce((mixed, number) => mix(mixed + Math.imul(number + 1, 0x9e3779b1)), 0);
}

/** Random choices, the same for the same seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = mix(seed);
  }

  /** A whole number from 0 to less than the limit, all equally likely. */
  below(limit: number): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    return mix(this.#state) % limit;
  }

  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** As between, but 10 to 100 is as likely as 100 to 1000. */
  magnitude(least: number, most: number): number {
    return Math.floor(least * (most / least) ** (this.below(2 ** 30) / 2 ** 30));
  }

  oneIn(count: number): boolean {
    return this.below(count) === 0;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }
}
