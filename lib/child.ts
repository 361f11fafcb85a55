/** How a supervisor starts and ends a child: its own process does both, and waits. */
import { ErlangThrow, exitReason, isError } from '../actors/errors.js';
import { Pid, type Reference } from '../actors/identifiers.js';
import type { Process } from '../actors/process.js';
import { isTuple } from '../actors/term.js';
import type { ChildStart, Shutdown } from './child-spec.js';

/** As start_child answers; the atom `undefined` for a child that was ignored. */
export type Started = ['ok', Pid | 'undefined'] | ['ok', Pid, unknown] | ['error', unknown];

/** Whatever the function does, it is answered: what it throws, or returns amiss, is the reason of the error. */
export async function startChild<P extends Process>(
  self: P,
  start: ChildStart<P>,
  args: readonly unknown[] = [],
): Promise<Started> {
  const result = await caught(self, () => start(self, ...(args as never[])));
  if (result === 'ignore') return ['ok', 'undefined'];
  if (isTuple(result) && result[0] === 'ok' && result[1] instanceof Pid) {
    if (result.length === 2) return ['ok', result[1]];
    if (result.length === 3) return ['ok', result[1], result[2]];
  }
  return isTuple(result) && result[0] === 'error' && result.length === 2
    ? ['error', result[1]]
    : ['error', result];
}

/** Erlang's `catch`. */
async function caught(self: Process, body: () => unknown): Promise<unknown> {
  try {
    return await body();
  } catch (thrown) {
    // It was killed meanwhile.
    if (!self.isAlive) throw thrown;
    if (thrown instanceof ErlangThrow) return thrown.value;
    return isError(thrown) ? ['EXIT', exitReason(thrown)] : thrown;
  }
}

/**
 * Tells children to end, all at once, and waits until they have; whoever takes longer than `shutdown` allows is
 * killed. It also ends children that have unlinked themselves, and no `'EXIT'` message of them is left.
 */
export async function shutDown(self: Process, pids: Iterable<Pid>, shutdown: Shutdown): Promise<void> {
  const since = self.make_ref();
  const left = new Map<Reference, Pid>();
  for (const pid of pids) left.set(self.monitor('process', pid), pid);
  for (const pid of left.values()) self.exit(pid, shutdown === 'brutal_kill' ? 'kill' : 'shutdown');

  const isEnd = (message: unknown): message is ['DOWN', Reference] =>
    isTuple(message) && message[0] === 'DOWN' && left.has(message[1] as Reference);
  let deadline = typeof shutdown === 'number' ? performance.now() + shutdown : Number.POSITIVE_INFINITY;
  while (left.size > 0) {
    const after = Math.max(0, Math.ceil(deadline - performance.now()));
    const down = await self.receive(isEnd, { after, since });
    if (down === undefined) {
      for (const pid of left.values()) self.exit(pid, 'kill');
      deadline = Number.POSITIVE_INFINITY;
      continue;
    }
    const [, ref] = down;
    const pid = left.get(ref) as Pid;
    left.delete(ref);
    self.unlink(pid);
    const isExit = (message: unknown): message is unknown =>
      isTuple(message) && message[0] === 'EXIT' && message[1] === pid;
    await self.receive(isExit, { after: 0 });
  }
}
