/** Of OTP's module `timer` what processes have no function of their own for. */
import type { Process, Timeout } from '../actors/process.js';

/**
 * Resolves with `ok` after so many milliseconds; with `infinity` never. Others run meanwhile, and messages stay in the
 * mailbox. A timeout that is none raises timeout_value.
 */
export async function sleep(self: Process, time: Timeout): Promise<'ok'> {
  // What is in the mailbox already is not even looked at.
  await self.receive(() => false, { after: time, since: self.make_ref() });
  return 'ok';
}
