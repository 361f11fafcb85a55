import type { Pid } from '../actors/identifiers.js';
import { NONE } from '../actors/mailbox.js';
import type { Self } from '../ports/self.js';

/**
 * Sends on to another process what has come already and is accepted, oldest first. At once: nothing can come, and
 * nobody runs, in between.
 */
export function passOn(self: Self, isWanted: (message: unknown) => boolean, to: Pid): void {
  for (;;) {
    // Not by a receive, which may want the process to wait for its turn.
    const message = self.mailbox.take(isWanted);
    if (message === NONE) return;
    self.send(to, message);
  }
}
