/** The worker thread of a {@link Watcher}: blocks in native code until the watcher is closed. */
import { runReactor } from './index.js';

module.exports = runReactor;
