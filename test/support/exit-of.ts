import { ErlangExit } from '#actors/errors';
import type { Pid } from '#actors/identifiers';
import type { Process } from '#actors/process';
import { isTuple } from '#actors/term';

/** The reason that `job` exits its caller with; `['returned', value]` when it does not. */
export async function exitOf(job: () => unknown): Promise<unknown> {
  try {
    return ['returned', await job()];
  } catch (error) {
    if (error instanceof ErlangExit) return error.reason;
    throw error;
  }
}

/** The exit reason of a process, once it has ended. */
export async function endOf(self: Process, pid: Pid): Promise<unknown> {
  const ref = self.monitor('process', pid);
  const down = (await self.receive((m): m is unknown[] => isTuple(m) && m[1] === ref)) as unknown[];
  return down[4];
}
