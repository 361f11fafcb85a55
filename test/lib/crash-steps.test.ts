/**
 * kill -9 of one side of a tube at every step of its life: the other side hears of it, has what was sent, and nothing is
 * left. A step is a message to lingd; between two of them nobody else can see a difference.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Domain, ok, tube } from 'ling-tubes';
import type { XenstoreClient } from '#xen/xenstore/client';
import { Box } from '../support/box';
import { Inventory } from '../support/inventory';
import type { World } from '../support/program';
import { eventually, kill, processesWith } from '../support/residue';
import { CONNECTING, ROLES, type Role, STEPS } from '../support/tube-steps';
import { Witness } from '../support/witness';

const SENT = ['one', 'two', 'three'];
/** So that nobody gives up before the kill. */
const tubeTimeout = 60_000;

/** One OS process with a domain for each step, which stops before that. */
async function victims(
  { ling, say, listen }: World,
  role: Role,
  peer: number,
  sent: string[],
  stops: string[],
) {
  const { haveStopped, sendLast, steps } = require('../support/stops');
  const { boot, ok, sys, tube, xenstore } = ling;
  const pause = () => new Promise((resolve) => setTimeout(resolve, 5));
  const domains = await Promise.all(
    stops.map((step) => boot({ name: `stops before ${step}`, tubeTimeout: 60_000 })),
  );
  // The first event of tube_server's watch has been seen to: it could find an invitation half made, and try that in vain.
  for (const domain of domains) {
    await domain.run(async (self) => {
      ok(await xenstore.read(self, 'name'));
      await sys.get_state(self, 'tube_server');
    });
  }
  say(domains.map(({ domid }) => domid));
  const lives = domains.map((domain) =>
    domain.run(async (self) => {
      const t = ok(await (role === 'opener' ? tube.open(self, peer) : tube.accept(self)));
      for (const packet of sent) self.port_command(t, packet);
      ok(await tube.close(self, t));
    }),
  );
  if (stops[0] === 'the end') {
    await Promise.all(lives);
    say(steps()[0]);
  } else while (!haveStopped()) await pause();
  say('stopped');
  await listen();
  sendLast();
  say('gone on');
  await new Promise(() => {});
}

function startVictims(box: Box, role: Role, survivor: Domain, steps: readonly string[]) {
  return box.run(victims, role, survivor.domid, SENT, [...steps]);
}

/** The other sides: of openers any that accepts, of acceptors each for its own. */
function witnesses(role: Role, survivor: Domain, victims: readonly number[]): Witness[] {
  if (role === 'opener') return victims.map(() => new Witness(survivor, (self) => tube.accept(self)));
  return victims.map((domid) => new Witness(survivor, (self) => tube.open(self, domid)));
}

/** When something of a domain has changed for the last time in the Xenstore. */
async function lastChanges(client: XenstoreClient): Promise<ReadonlyMap<number, number>> {
  const last = new Map<number, number>();
  await client.watch('/local/domain', (path) => {
    for (const [, domid] of path.matchAll(/(?:domain|tip|nock)\/(\d+)/g))
      last.set(Number(domid), performance.now());
  });
  return last;
}

function isOver({ at }: Witness): boolean {
  return at > 0;
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] as number;
}

describe.each(ROLES)('kill -9 of the %s', (role) => {
  const steps = STEPS[role];

  test('at every step that there is', async () => {
    const box = new Box();
    const survivor = await box.boot();
    const victim = startVictims(box, role, survivor, ['the end']);
    const [witness] = witnesses(role, survivor, await victim.hear()) as [Witness];
    expect(await victim.hear()).toEqual(steps);
    await eventually(() => [witness.got, witness.told], [SENT, 'normal']);
    await box.close();
  });

  describe.each(['just before', 'just after'] as const)('%s', (moment) => {
    let box: Box;
    let inventory: Inventory;
    let before: object;
    /** By step. */
    let domids: readonly number[];
    let all: Witness[];
    /** How long it took from the kill until each was told, and until each of the dead was forgotten, in milliseconds. */
    let times: { told: number[]; forgotten: number[] };

    beforeAll(async () => {
      box = new Box();
      const [survivor, other] = [await box.boot({ tubeTimeout }), await box.boot()];
      const changes = await lastChanges(box.client('socket'));
      inventory = new Inventory(box, [survivor, other]);
      before = await inventory.count();

      const victim = startVictims(box, role, survivor, steps);
      domids = await victim.hear<number[]>();
      all = witnesses(role, survivor, domids);
      expect(await victim.hear()).toBe('stopped');
      // Those who live do what there is to do for them.
      await sleep(100);
      const [lingd] = processesWith(box.rundir) as [number];
      let killedAt = performance.now();
      if (moment === 'just before') await victim.kill();
      else {
        // lingd is given the message and the end at once.
        kill(lingd, 'SIGSTOP');
        victim.tell('go on');
        expect(await victim.hear()).toBe('gone on');
        await victim.kill();
        killedAt = performance.now();
        kill(lingd, 'SIGCONT');
      }
      const expected = steps.filter((step) => told(step) !== undefined).length;
      await eventually(() => all.filter(isOver).length >= expected, true);
      await eventually(left, before);

      // TIMES
      times = {
        told: all.filter(isOver).map(({ at }) => Math.max(0, at - killedAt)),
        forgotten: domids.map((domid) => Math.max(0, (changes.get(domid) as number) - killedAt)),
      };
      // Those who still wait get a tube from somebody else.
      const waiting = all.filter((witness) => !isOver(witness));
      await other.run(async (self) => {
        for (const tid of waiting.keys()) {
          const t = ok(await tube.open(self, survivor.domid, tid));
          self.port_command(t, 'alive');
          expect(await tube.close(self, t)).toBe('ok');
        }
      });
      await eventually(
        () => waiting.map(({ got, told }) => [got, told]),
        waiting.map(() => [['alive'], 'normal']),
      );
    });
    afterAll(() => box.close());

    /** All but the processes of those who wait. */
    async function left(): Promise<object> {
      const now = (await inventory.count()) as { domains: { processes: number }[] };
      const [first, ...rest] = now.domains;
      const processes = (first?.processes ?? 0) - all.filter((witness) => !isOver(witness)).length;
      return { ...now, domains: [{ ...first, processes }, ...rest] };
    }

    /** What the survivor has to be told; undefined where it knows nothing of the other. */
    function told(step: string): string | undefined {
      const isConnected = steps.indexOf(step) > steps.indexOf(CONNECTING[role]);
      if (isConnected) return 'normal';
      return role === 'opener' ? undefined : 'closed';
    }

    /** What the victim has sent by then. */
    function sent(step: string): string[] {
      return steps.indexOf(step) > steps.indexOf(CONNECTING[role]) + (role === 'opener' ? 1 : 0) ? SENT : [];
    }

    test.each(steps)('%s', (step) => {
      const i = steps.indexOf(step);
      const witness = role === 'opener' ? all.find(({ peer }) => peer === domids[i]) : all[i];
      expect(witness?.told).toBe(told(step));
      expect(witness?.got ?? []).toEqual(sent(step));
    });

    test('everybody is told within a second, and the dead are forgotten', () => {
      // Of this machine, which may have others to serve, the half is enough.
      expect(median(times.told)).toBeLessThan(1000);
      expect(median(times.forgotten)).toBeLessThan(1000);
    });

    test('nothing is left', async () => {
      await eventually(left, before);
    });
  });
});
