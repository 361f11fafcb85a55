/** What callbacks of drivers answer: nobody but their authors has checked it. */
import { inspect, types } from 'node:util';
import { badarg } from '../actors/errors.js';
import { formatShort } from '../actors/format.js';
import type { Driver, DriverInstance } from './driver.js';

/** What start has answered. Raises a TypeError for what is no object, or a promise of one. */
export function checkInstance(driver: Driver, answer: unknown): DriverInstance {
  const isLater = isPromise(answer);
  // Nobody waits for it any more: it is the error raised here that tells.
  if (isLater) answer.then(undefined, () => {});
  if (typeof answer === 'object' && answer !== null && !isLater) return answer;
  const what = isLater ? 'a promise: useInitAck is for drivers that take their time' : formatShort(answer);
  throw new TypeError(`driver ${driver.name}: start has to answer an object with its callbacks, not ${what}`);
}

/** What control has answered, where it has not to be waited for. */
export function checkBytes(driver: Driver, answer: unknown): Uint8Array | undefined {
  if (answer === undefined || types.isUint8Array(answer)) return answer;
  throw new TypeError(`driver ${driver.name}: control has to answer bytes, not ${formatShort(answer)}`);
}

/** What call has answered, where it has not to be waited for. */
export function checkTerm(answer: unknown): unknown {
  if (answer === undefined) throw badarg('the driver answers nothing');
  return answer;
}

export function isPromise(answer: unknown): answer is PromiseLike<unknown> {
  return typeof answer === 'object' && typeof (answer as PromiseLike<unknown> | null)?.then === 'function';
}

/**
 * Runs a callback that comes so late that an error has nobody left to end: it is printed as a warning, and so is what
 * a promise that the callback answers is rejected with.
 */
export function runLast(driver: Driver, name: 'stop' | 'finish' | 'free', run: () => unknown): void {
  const warn = (error: unknown): void =>
    process.emitWarning(`driver ${driver.name} failed to ${name}: ${inspect(error)}`, 'PortWarning');
  try {
    const answer = run();
    if (isPromise(answer)) answer.then(undefined, warn);
  } catch (error) {
    warn(error);
  }
}
