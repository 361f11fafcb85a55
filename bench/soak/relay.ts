import { type Pid, type Self, type Tube, tube } from '../../lib/index.js';

/** What an owner of a tube does until somebody else is to have it, or it is over. */
export type Shift = (owner: Self) => Promise<'hand over' | 'over'>;

/**
 * Has one fresh process after the other own the tube for a shift, as the caller does when it is called. All of them trap
 * exits. Resolves when the last has said that it is over.
 */
export async function relay(self: Self, t: Tube, shift: Shift): Promise<void> {
  const own = async (owner: Self): Promise<void> => {
    while ((await shift(owner)) === 'hand over') {
      if (await handOver(owner, t, own)) return;
    }
    owner.send(self.pid, OVER);
  };
  if (!(await handOver(self, t, own))) throw new Error('a tube has closed with packets in it');
  await self.receive((message) => message === OVER);
}

const OVER = 'over';
const READY = 'ready';

/** Answers false for a tube that has closed: then the caller keeps what has come of it. */
async function handOver(self: Self, t: Tube, own: (owner: Self) => Promise<void>): Promise<boolean> {
  const next: Pid = self.spawn(async (owner) => {
    owner.process_flag('trap_exit', true);
    owner.send(self.pid, READY);
    if (await owner.receive((message) => typeof message === 'boolean')) await own(owner);
  });
  // Otherwise it could miss the end of the tube.
  await self.receive((message) => message === READY);
  const done = await tube.controlling_process(self, t, next);
  if (done !== 'ok' && done[1] !== 'closed') throw new Error(`a tube cannot be handed over: ${done[1]}`);
  self.send(next, done === 'ok');
  return done === 'ok';
}
