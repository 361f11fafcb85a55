/** Of OTP's module `timer` what processes have no function of their own for. */
import { parseTimeout } from '../actors/actor.js';
import type { Process, Timeout } from '../actors/process.js';
import { checkSelf } from './check-self.js';

/**
 * Resolves with `ok` after so many milliseconds; with `infinity` never. Others run meanwhile, and messages stay in the
 * mailbox. A timeout that is none raises timeout_value.
 */
export async function sleep(self: Process, time: Timeout): Promise<'ok'> {
  checkSelf(self);
  parseTimeout(time);
  // What is in the mailbox already is not even looked at.
  await self.receive(() => false, { after: time, since: self.make_ref() });
  return 'ok';
}
