import type { Task, Worked, XenstoreProgram } from '../programs/xenstore.js';
import type { World } from '../world.js';
import type { RunningServer } from './servers.js';

/** Has a client do something in an OS process of its own. */
export async function runClient<T = Worked>(
  world: World,
  { socket, pid }: RunningServer,
  task: Task,
): Promise<T> {
  const program = world.start('xenstore', { socket, pid, task } satisfies XenstoreProgram);
  const said = await program.hear<T>();
  await program.end();
  return said;
}
