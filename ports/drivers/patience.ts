import os from 'node:os';
import { yieldCore } from '../../native/index.js';

/**
 * Whether to look again soon or to sleep, for one who waits for another OS process: to sleep and to be woken takes
 * longer than a peer that is busy as well takes to answer, but only that one is worth looking for.
 *
 * So a wait begins by looking, for a time that is bounded. Each time that this was in vain, because the peer is slow
 * or has nothing to say, twice as many waits are slept through from the start, up to 63 of 64.
 */
export class Patience {
  #waiting = false;
  #until = 0;
  #misses = 0;
  #sleeps = 0;
  /** For so many waits the core is offered to others from the start. */
  #polite = 0;

  /** Nothing is there: answers whether to look again soon, for so many milliseconds at most. */
  goesOn(longest: number): boolean {
    if (!this.#waiting) this.#begin(longest);
    if (this.#until === 0) return false;
    const left = this.#until - performance.now();
    // The peer may have been put on this very core: then it has to run before anything can come.
    if (left < longest - AT_ONCE && this.#polite === 0) this.#polite = POLITE;
    if (this.#polite > 0) yieldCore();
    if (left > 0) return true;
    this.#until = 0;
    this.#misses = Math.min(this.#misses + 1, MOST_MISSES);
    this.#sleeps = 2 ** this.#misses - 1;
    return false;
  }

  /** What was waited for, if it was, is there. */
  rewarded(): void {
    this.#waiting = false;
    if (this.#polite > 0) this.#polite--;
    if (this.#until === 0) return;
    this.#until = 0;
    this.#misses = 0;
  }

  #begin(longest: number): void {
    this.#waiting = true;
    if (this.#sleeps > 0) this.#sleeps--;
    // On a single core the peer cannot run meanwhile.
    else if (longest > 0 && CORES > 1) this.#until = performance.now() + longest;
  }
}

/** Milliseconds: what two sleepers take to wake each other. */
export const SPIN_UNDER_PRESSURE = 0.1;
/** Milliseconds: what it takes to wake one that then answers at once. One that is awake takes a tenth of that. */
export const SPIN_FOR_ANSWER = 0.05;

const CORES = os.availableParallelism();
/** Within so many milliseconds a peer that has a core of its own answers. */
const AT_ONCE = 0.01;
const POLITE = 32;
const MOST_MISSES = 6;
