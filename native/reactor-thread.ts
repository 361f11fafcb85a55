/**
 * The worker thread of a {@link Watcher}: waits in native code until the watcher is closed. Its event loop gets its turn
 * when it has something to do, so that the thread can be terminated like any other, by process.exit too.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { runReactor } from './index.js';

module.exports = async (number: number): Promise<void> => {
  while (runReactor(number)) await turn();
};
