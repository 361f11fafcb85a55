import { badarg } from '../../actors/errors.js';

/**
 * When what comes is delivered as messages, as inet has it: always, never (passive mode), once, or so many times, of
 * which a number set while there still are some is added.
 */
export type Active = boolean | 'once' | number;

const LEAST = -32_768;
const MOST = 32_767;

export function isActive(value: unknown): value is Active {
  if (typeof value === 'number') return Number.isInteger(value) && value >= LEAST && value <= MOST;
  return typeof value === 'boolean' || value === 'once';
}

/** The option `active` of one port. */
export class ActiveMode {
  #value: Active = true;

  /** Never 0: that is false. */
  get value(): Active {
    return this.#value;
  }

  /** How many messages may be delivered. */
  get wanted(): number {
    if (typeof this.#value === 'number') return this.#value;
    if (this.#value === 'once') return 1;
    return this.#value ? Number.POSITIVE_INFINITY : 0;
  }

  /**
   * Answers whether the owner has to be told that the port is passive: when a number leaves nothing to deliver. Raises
   * badarg where there were more than 32767.
   */
  set(active: Active): boolean {
    if (typeof active !== 'number') {
      this.#value = active;
      return false;
    }
    const sum = active + (typeof this.#value === 'number' ? this.#value : 0);
    if (sum > MOST) throw badarg(`a port can be active at most ${MOST} times`);
    this.#value = sum > 0 && sum;
    return sum <= 0;
  }

  /** Raises what it would to set these one after the other; none is set. */
  check(actives: readonly Active[]): void {
    const trial = new ActiveMode();
    trial.#value = this.#value;
    for (const active of actives) trial.set(active);
  }

  /** One message has been delivered. Answers as set. */
  delivered(): boolean {
    if (this.#value === 'once') this.#value = false;
    return typeof this.#value === 'number' && this.set(-1);
  }
}
