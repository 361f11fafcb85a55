/**
 * When a process ends, its program is stopped by a ProcessExit wherever it waits. Where the program has left a
 * promise that it does not await (a call without `await`), nobody is there to take it: an unhandled rejection, for which
 * Node ends the OS process, and with it all other processes. But the end of one process is nobody else's business, so
 * as long as there is a runtime these rejections are dropped. All others are what they are without us.
 */
import { ProcessExit } from './errors.js';

let runtimes = 0;

/** A runtime has begun. */
export function dropStrays(): void {
  if (++runtimes === 1) process.on('unhandledRejection', onRejection);
}

/** A runtime has ended. What its programs have left is still to be rejected. */
export function dropStraysNoMore(): void {
  setImmediate(() => {
    if (--runtimes === 0) process.off('unhandledRejection', onRejection);
  });
}

function onRejection(reason: unknown): void {
  if (reason instanceof ProcessExit && reason.pid !== undefined) return;
  // Whoever else listens decides, or has told Node what to do; else as Node does where nobody listens.
  if (process.listenerCount('unhandledRejection') > 1 || hasMode()) return;
  throw reason;
}

function hasMode(): boolean {
  const flags = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ');
  return /--unhandled-rejections[= ](?!throw)/.test(flags);
}
