import type { Pace } from '../unix-channel.js';

export interface Rate {
  /** So many are added in a second. */
  readonly messages: number;
  /** So many there are at most. */
  readonly burst: number;
}

/** How often to look at most for who waits, in milliseconds. */
const GRAIN = 5;

/** How fast a user's messages are taken: each takes a token, and those for which there is none wait in a row. */
export class TokenBucket implements Pace {
  readonly #rate: () => Rate;
  #tokens: number;
  #filledAt = performance.now();
  readonly #waiting: (() => void)[] = [];
  #isServing = false;
  #timer: NodeJS.Timeout | undefined;

  /** Begins full. The rate may change at any time. */
  constructor(rate: () => Rate) {
    this.#rate = rate;
    this.#tokens = rate().burst;
  }

  take(): boolean {
    if (this.#rate().messages === Number.POSITIVE_INFINITY) return true;
    // Who comes now comes behind those who wait.
    if (this.#waiting.length > 0 && !this.#isServing) return false;
    this.#fill();
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  wait(resume: () => void): void {
    this.#waiting.push(resume);
    this.#wakeLater();
  }

  /** Whether it is as if nobody had ever taken anything. */
  get isFull(): boolean {
    this.#fill();
    return this.#waiting.length === 0 && !(this.#tokens < this.#rate().burst);
  }

  /** One after the other, as long as there is something to take; who wants more gets in line again. */
  #serve(): void {
    this.#isServing = true;
    try {
      for (let turns = this.#waiting.length; turns > 0 && this.#hasTokens(); turns--)
        this.#waiting.shift()!();
    } finally {
      this.#isServing = false;
      this.#wakeLater();
    }
  }

  #wakeLater(): void {
    if (this.#isServing || this.#timer || this.#waiting.length === 0) return;
    const { messages } = this.#rate();
    const missing = (1000 * (1 - this.#tokens)) / messages;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#serve();
      },
      Math.max(GRAIN, Math.ceil(missing)),
    );
    // It keeps nothing going: without connections nobody waits.
    this.#timer.unref();
  }

  #hasTokens(): boolean {
    this.#fill();
    return this.#tokens >= 1;
  }

  #fill(): void {
    const { messages, burst } = this.#rate();
    const now = performance.now();
    const more = messages === Number.POSITIVE_INFINITY ? burst : ((now - this.#filledAt) / 1000) * messages;
    this.#tokens = Math.min(burst, this.#tokens + more);
    this.#filledAt = now;
  }
}
