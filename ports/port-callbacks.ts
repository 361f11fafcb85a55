import { badarg, ErlangError, exitReason } from '../actors/errors.js';
import type { Pid } from '../actors/identifiers.js';
import { bringAbout } from '../actors/raised-here.js';
import { isPromise } from './driver-answers.js';
import type { PortObject } from './port.js';

/**
 * The callbacks of a port's driver. They never overlap: what would call the next one while one runs comes after it. One
 * that throws, or answers a promise that is rejected, ends the port with the error as reason, and nothing else.
 */
export class PortCallbacks {
  /** On behalf of whom one runs. */
  caller: Pid | undefined = undefined;
  #running = false;
  #postponed: (() => void)[] = [];
  #catchingUp = false;
  /** Ask for what has not been answered yet. */
  readonly #unanswered = new Set<() => void>();

  constructor(private readonly port: PortObject) {}

  get running(): boolean {
    return this.#running;
  }

  /** For the end of the one that runs. */
  postpone(act: () => void): void {
    this.#postponed.push(act);
  }

  /** Runs one, which may end its port: then the answer is undefined. Raises badarg where that is what it throws. */
  run<T>(caller: Pid | undefined, callback: () => T): T | undefined {
    // Only a driver, or a guard of a receive, that calls functions of a process can get here.
    if (this.#running) throw new Error('a callback of this port is running');
    this.#running = true;
    this.caller = caller;
    try {
      return callback();
    } catch (error) {
      if (isRefusal(error)) throw error;
      this.port.fail(exitReason(error));
      return undefined;
    } finally {
      this.caller = undefined;
      this.#ended();
    }
  }

  /** As run, but that what it throws is thrown on: for the first one, when there is no port yet. */
  runFirst<T>(callback: () => T): T {
    this.#running = true;
    try {
      return callback();
    } finally {
      this.#ended();
    }
  }

  /** What one has answered of whose answer nothing is made: that of an async one may be an error yet. */
  heed(answer: unknown): void {
    if (isPromise(answer)) answer.then(undefined, (error: unknown) => this.port.fail(exitReason(error)));
  }

  /** Runs one that nobody waits for, as of a timer; not when the port has ended. */
  event(callback: () => unknown): void {
    if (this.port.isClosed) return;
    if (this.#running) {
      this.postpone(() => this.event(callback));
      return;
    }
    try {
      this.heed(this.run(undefined, callback));
    } catch (error) {
      this.port.fail(exitReason(error));
    }
  }

  /** Runs one that is to answer, now or as a promise. Raises badarg where it fails. */
  ask<T>(caller: Pid | undefined, callback: () => unknown, check: (answer: unknown) => T): T | Promise<T> {
    const answers: (T | Promise<T>)[] = [];
    this.run(caller, () => {
      const answer = callback();
      answers.push(isPromise(answer) ? this.#later(answer, check) : check(answer));
    });
    if (answers.length === 0) throw badarg(`${this.port.id} has failed`);
    return answers[0] as T | Promise<T>;
  }

  /** The port has ended: nobody waits for an answer any more. */
  abandon(): void {
    for (const giveUp of this.#unanswered) giveUp();
  }

  /** An answer that takes time; badarg when the port ends before. */
  #later<T>(answer: PromiseLike<unknown>, check: (answer: unknown) => T): Promise<T> {
    const later = new Promise<T>((resolve, reject) => {
      const giveUp = (): void => reject(bringAbout(badarg(`${this.port.id} is closed`)));
      // An answer of one that has ended its port may be on its way: a tube's last packet, to who has asked for it.
      if (this.port.isClosed) setImmediate(giveUp);
      else this.#unanswered.add(giveUp);
      const settled = answer.then(check).then(resolve, (error: unknown) => {
        if (isRefusal(error)) return reject(error);
        this.port.fail(exitReason(error));
        giveUp();
      });
      void settled.then(() => this.#unanswered.delete(giveUp));
    });
    // The callback may have ended its caller, too, by stopping everything: then nobody takes it.
    later.catch(() => {});
    return later;
  }

  /** Does what had to wait for it. */
  #ended(): void {
    this.#running = false;
    this.port.callbackEnded();
    // Not from within itself: drivers may play ping-pong for longer than the stack is deep.
    if (this.#running || this.#postponed.length === 0 || this.#catchingUp) return;
    this.#catchingUp = true;
    for (const act of this.#postponed) act();
    this.#postponed = [];
    this.#catchingUp = false;
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof ErlangError && error.reason === 'badarg';
}
