import { isTuple } from '../actors/term.js';

/** Whether a process with this exit reason has just done its work: `normal`, `shutdown` and `['shutdown', _]`. */
export function isOrderly(reason: unknown): boolean {
  return (
    reason === 'normal' ||
    reason === 'shutdown' ||
    (isTuple(reason) && reason.length === 2 && reason[0] === 'shutdown')
  );
}
