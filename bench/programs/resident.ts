/** Something to be looked at while it does nothing: a domain with open tubes, or a bare Node.js for comparison. */
import { argument, dismissed, say, told } from './parent.js';

export interface ResidentProgram {
  readonly domain: boolean;
}

/** What a domain can be told once it has said its domid. It says how many when they are open. */
export interface TubesToOpen {
  readonly peer: number;
  readonly count: number;
}

void main();

async function main(): Promise<void> {
  const { domain, rundir } = argument<ResidentProgram & { rundir: string }>();
  const gone = dismissed();
  if (!domain) {
    say(0);
    return gone;
  }
  // Only here: a bare Node.js must not have loaded it.
  const { boot, ok, tube } = await import('../../lib/index.js');
  const self = await boot({ rundir });
  self.spawn(async (self) => {
    for (;;) ok(await tube.accept(self));
  });
  const asked = told<TubesToOpen>();
  say(self.domid);
  void asked.then(({ peer, count }) => {
    self.spawn(async (self) => {
      for (let tid = 0; tid < count; tid++) ok(await tube.open(self, peer, tid));
      say(count);
      await self.receive(() => false);
    });
  });
  await gone;
  await self.stop();
}
