import { formatShort } from '../actors/format.js';
import { Process } from '../actors/process.js';

/** Raises a TypeError: functions of these modules take the `self` of the process that calls them, as the first argument. */
export function checkSelf(self: unknown): asserts self is Process {
  if (!(self instanceof Process))
    throw new TypeError(`self has to be that of the process which calls, not ${formatShort(self)}`);
}
