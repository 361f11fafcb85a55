import type { Piscina } from 'piscina';
import { isError } from '../actors/errors.js';
import type { AsyncJob } from './driver.js';

/** Milliseconds after which a thread that has nothing to do ends. */
const IDLE = 5000;

/** The threads behind driver_async: they are started when they are needed. */
export class AsyncPool {
  #pool: Piscina | undefined = undefined;
  #isClosed = false;
  /** The last job of each key that has any. */
  readonly #last = new Map<unknown, Promise<unknown>>();

  /** Jobs of one key run one after the other, in order; those of key undefined at any time. */
  run(key: unknown, job: AsyncJob): Promise<unknown> {
    if (key === undefined) return this.#start(job);
    const start = (): Promise<unknown> => this.#start(job);
    const before = this.#last.get(key);
    const result = before === undefined ? start() : before.then(start, start);
    this.#last.set(key, result);
    const forget = (): void => {
      if (this.#last.get(key) === result) this.#last.delete(key);
    };
    result.then(forget, forget);
    return result;
  }

  /** Ends the threads; jobs that run, that wait, or that come later are rejected. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#pool?.destroy();
    this.#pool = undefined;
  }

  async #start({ filename, name = 'default', argument, transfer }: AsyncJob): Promise<unknown> {
    if (this.#isClosed) throw new Error('the threads have ended');
    if (this.#pool === undefined) {
      // Loaded only here: most drivers need no thread.
      const { Piscina } = require('piscina') as typeof import('piscina');
      this.#pool = new Piscina({ idleTimeout: IDLE });
    }
    try {
      return await this.#pool.run(argument, { filename, name, transferList: transfer && [...transfer] });
    } catch (error) {
      // Nothing is left of the DOMException that says so on the other thread.
      if (isError(error) || Object.keys(Object(error)).length > 0 || typeof error !== 'object') throw error;
      throw new TypeError(`what ${name} of ${filename} has answered cannot be copied to this thread`);
    }
  }
}
