/** How many restarts in how many seconds a supervisor puts up with. */
export class RestartIntensity {
  readonly #most: number;
  readonly #period: number;
  /** When the restarts of the last period were, oldest first. */
  #restarts: number[] = [];

  constructor(most: number, period: number) {
    this.#most = most;
    this.#period = period;
  }

  /** Counts a restart at this time, in seconds, and answers whether it is one of not too many. */
  allows(now = seconds()): boolean {
    this.#restarts = this.#restarts.filter((restart) => restart >= now - this.#period);
    this.#restarts.push(now);
    return this.#restarts.length <= this.#most;
  }

  /** What is too many. */
  toString(): string {
    return `more than ${this.#most} restart${this.#most === 1 ? '' : 's'} in ${this.#period} s`;
  }
}

/** OTP counts in whole seconds. */
function seconds(): number {
  return Math.floor(performance.now() / 1000);
}
