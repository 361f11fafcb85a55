/** Whatever processes do to each other, both ends of each relation agree, and the dead have none. */
import fc from 'fast-check';
import type { Actor } from '#actors/actor';
import type { Pid, Reference } from '#actors/identifiers';
import type { Process } from '#actors/process';
import { Runtime } from '#actors/runtime';
import type { Sender } from '#actors/signal';

const COUNT = 5;

type Action = (self: Process, pids: readonly Pid[]) => void;

const someone = fc.nat(COUNT - 1);
const actions: Record<string, (other: number, extra: number) => Action> = {
  link: (other) => (self, pids) => self.link(pids[other]!),
  unlink: (other) => (self, pids) => self.unlink(pids[other]!),
  monitor: (other, extra) => (self, pids) =>
    self.put(extra, self.monitor('process', pids[other]!, [...MODES[extra % 4]!])),
  demonitor: (_, extra) => withKept(extra, (self, ref) => self.demonitor(ref, ['flush'])),
  unalias: (_, extra) => withKept(extra, (self, ref) => self.unalias(ref)),
  alias: (_, extra) => (self) => self.put(extra, self.alias(extra % 2 === 0 ? ['reply'] : [])),
  answer: (_, extra) => withKept(extra, (self, ref) => self.send(ref, 'answer')),
  timer: (other) => (self, pids) => self.send_after(1e6, pids[other]!, 'late'),
  register: (other) => (self, pids) => self.register(`name ${other}`, pids[other]!),
  trap: (_, extra) => (self) => self.process_flag('trap_exit', extra % 2 === 0),
  exit: (other, extra) => (self, pids) => self.exit(pids[other]!, ['normal', 'boom', 'kill'][extra % 3]),
  leave: () => (self) => self.exit('left'),
};

const MODES = [[], ['explicit_unalias'], ['demonitor'], ['reply_demonitor']].map((mode) =>
  mode.map((m) => ['alias', m as 'demonitor'] as const),
);

const scripts = fc.array(fc.tuple(someone, fc.constantFrom(...Object.keys(actions)), someone, fc.nat(7)), {
  maxLength: 60,
});

test('relations are symmetric and end with the life of either end', async () => {
  await fc.assert(
    fc.asyncProperty(scripts, async (script) => {
      const errors: unknown[] = [];
      const runtime = new Runtime({
        onCrash: ({ thrown }) => errors.push((thrown as { reason?: unknown }).reason),
      });
      const pids = Array.from({ length: COUNT }, () => runtime.spawn(perform));
      const actors = pids.map((pid) => pid.receiver as Actor);
      await turn();
      for (const [who, what, other, extra] of script) {
        runtime.send(pids[who]!, [actions[what]!(other, extra), pids]);
        await Promise.resolve();
        await Promise.resolve();
        check(runtime, actors);
      }
      await turn();
      check(runtime, actors);
      runtime.stop();
      check(runtime, actors);
      expect(runtime.timers.size).toBe(0);
      // Linking with the dead is noproc, registering twice badarg; nothing else may go wrong.
      for (const error of errors) expect(['noproc', 'badarg']).toContain(error);
    }),
    { numRuns: 150 },
  );
});

async function perform(self: Process): Promise<void> {
  for (;;) {
    const message = (await self.receive()) as [Action, Pid[]];
    if (typeof message[0] === 'function') message[0](self, message[1]);
  }
}

function withKept(key: number, act: (self: Process, ref: Reference) => void): Action {
  return (self) => {
    const ref = self.get(key);
    if (ref !== 'undefined') act(self, ref as Reference);
  };
}

function check(runtime: Runtime, actors: readonly Actor[]): void {
  for (const actor of actors) {
    const { pid } = actor;
    expect(pid.receiver).toBe(actor.isAlive ? actor : undefined);
    expect(runtime.findPid(pid.id, pid.serial)).toBe(actor.isAlive ? pid : undefined);
    if (!actor.isAlive) {
      expect([actor.registeredName, actor.mailbox.length, actor.links?.size ?? 0]).toEqual([undefined, 0, 0]);
      continue;
    }
    for (const other of actor.links?.toList() ?? []) expect(actorOf(other).links?.has(pid)).toBe(true);
    for (const monitor of actor.monitors ?? []) {
      expect(monitor.ref.monitor).toBe(monitor);
      expect(actorOf(monitor.target).watchers?.toList()).toContain(pid);
    }
    for (const from of actor.watchers?.toList() ?? []) {
      expect(actorOf(from).monitors?.toList()).toContainEqual(['process', pid]);
    }
    if (actor.registeredName !== undefined) expect(runtime.whereis(actor.registeredName)).toBe(pid);
  }
}

function actorOf(id: Sender | undefined): Actor {
  return id?.receiver as Actor;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
