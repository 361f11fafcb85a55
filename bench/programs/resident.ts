/** Something to be looked at while it does nothing: a domain with open tubes, or a bare Node.js for comparison. */
import { argument, dismissed, say } from './parent.js';

export interface ResidentProgram {
  readonly domain: boolean;
  /** Opens so many tubes to that domain; without it, accepts whatever comes. */
  readonly tubes?: { readonly peer: number; readonly count: number };
}

void main();

async function main(): Promise<void> {
  const { domain, tubes, rundir } = argument<ResidentProgram & { rundir: string }>();
  const gone = dismissed();
  if (!domain) {
    say(0);
    return gone;
  }
  // Only here: a bare Node.js must not have loaded it.
  const { boot, ok, tube } = await import('../../lib/index.js');
  const self = await boot({ rundir });
  self.spawn(async (self) => {
    while (tubes === undefined) ok(await tube.accept(self));
    for (let tid = 0; tid < tubes.count; tid++) ok(await tube.open(self, tubes.peer, tid));
    say(tubes.count);
    await self.receive(() => false);
  });
  if (tubes === undefined) say(self.domid);
  await gone;
  await self.stop();
}
