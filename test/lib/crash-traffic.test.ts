/** kill -9 of one side of a tube, or of lingd, in the middle of what is done with it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Domain, ok, type Pid, type Port, type Self, type TubeOption, tube, xenstore } from 'ling-tubes';
import { Box } from '../support/box';
import { Inventory } from '../support/inventory';
import type { Program, World } from '../support/program';
import { eventually, kill, processesWith } from '../support/residue';
import { End } from '../support/tube-ends';
import { ROLES, type Role } from '../support/tube-steps';

const BUSY: readonly TubeOption[] = [['full', 'busy']];
const PASSIVE: readonly TubeOption[] = [
  ['full', 'busy'],
  ['active', false],
];

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

const lingdOf = (box: Box): number => processesWith(box.rundir)[0] as number;

/** Processes that have the tube in turn, from one millisecond to the next, until that is over; what each has got. */
function passAround(domain: Domain, get: (self: Self) => Promise<['ok', Port] | ['error', string]>) {
  const owners = [0, 1, 2].map(() => {
    const owner = { got: [] as number[], ended: undefined as unknown, pid: undefined as unknown as Pid };
    owner.pid = domain.spawn(async (self) => {
      self.process_flag('trap_exit', true);
      while (owner.ended === undefined) {
        const message = (await self.receive()) as unknown[];
        if (message[0] === 'EXIT') owner.ended = message[2];
        else owner.got.push(Number(String((message[1] as unknown[])[1])));
      }
    });
    return owner;
  });
  const moves = domain.run(async (self) => {
    const t = ok(await get(self));
    let moves = 0;
    for (; self.port_info(t, 'id') !== 'undefined'; moves++) {
      self.port_connect(t, (owners[moves % owners.length] as { pid: Pid }).pid);
      if (moves === 0) tube.setopts(self, t, [['active', true]]);
      await self.receive((m): m is never => m === undefined, { after: 1 });
    }
    return moves;
  });
  return { owners, moves };
}

describe.each(ROLES)('kill -9 of the %s', (role) => {
  let box: Box;
  let survivor: Domain;
  let inventory: Inventory;
  let before: object;

  beforeEach(async () => {
    box = new Box();
    survivor = await box.boot();
    inventory = new Inventory(box, [survivor]);
    before = await inventory.count();
  });
  afterEach(async () => {
    try {
      await eventually(() => inventory.count(), before);
    } finally {
      await box.close();
    }
  });

  /** What the survivor does to get its end. */
  const ask =
    (domid: number, options: readonly TubeOption[]) =>
    (self: Self): Promise<['ok', Port] | ['error', string]> =>
      role === 'opener' ? tube.accept(self, options) : tube.open(self, domid, 0, options);

  async function join(victim: Program, options = BUSY): Promise<End> {
    return new End().start(survivor, ask(await victim.hear<number>(), options));
  }

  async function over(end: End): Promise<void> {
    await eventually(() => end.ended, 'normal');
    end.self.runtime.send(end.self.pid, 'over');
  }

  test('while both sides send: all that it had sent comes', async () => {
    const COUNT = 3000;
    const victim = box.run(
      async ({ ling, say }: World, role: Role, peer: number, count: number) => {
        const { ok, tube } = ling;
        const domain = await ling.boot();
        say(domain.domid);
        domain.spawn(async (self) => {
          const t = ok(
            await (role === 'opener'
              ? tube.open(self, peer, 0, [['full', 'busy']])
              : tube.accept(self, [['full', 'busy']])),
          );
          for (let n = 0; n < count; n++) {
            await self.port_command(t, String(n).padEnd(5 + ((n * 7919) % 1000)));
            if (n % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
          }
          process.kill(process.pid, 'SIGKILL');
        });
        await new Promise(() => {});
      },
      role,
      survivor.domid,
      COUNT,
    );
    const end = await join(victim);
    const sending = survivor.run(async (self) => {
      for (let n = 0; ; n++) {
        await self.port_command(end.tube, `${n}`);
        if (n % 20 === 0) await sleep(1);
      }
    });
    await expect(sending).rejects.toThrow(expect.objectContaining({ reason: 'badarg' }));
    await over(end);
    expect(end.got.map(Number)).toEqual(numbers(COUNT));
    expect(await victim.end()).toBe('SIGKILL');
  });

  test('while both directions are full: who waits is let go, and all that fitted is there', async () => {
    const victim = box.run(
      async ({ ling, say, listen }: World, role: Role, peer: number) => {
        const { ok, tube } = ling;
        const options = [
          ['full', 'busy'],
          ['active', false],
        ] as const;
        const domain = await ling.boot();
        say(domain.domid);
        domain.spawn(async (self) => {
          const t = ok(
            await (role === 'opener' ? tube.open(self, peer, 0, options) : tube.accept(self, options)),
          );
          let sent = 0;
          while (self.port_command(t, String(sent), ['nosuspend'])) sent++;
          say(sent);
          await self.port_command(t, 'never');
        });
        await listen();
        process.kill(process.pid, 'SIGKILL');
      },
      role,
      survivor.domid,
    );
    const end = await join(victim, PASSIVE);
    const sent = await victim.hear<number>();
    expect(sent).toBeGreaterThan(30);
    while (end.self.port_command(end.tube, Buffer.alloc(4096), ['nosuspend']));
    let result: unknown = 'suspended';
    survivor.spawn(async (self) => {
      try {
        result = await self.port_command(end.tube, 'x');
      } catch (error) {
        result = (error as { reason?: unknown }).reason;
      }
    });
    await sleep(50);
    expect(result).toBe('suspended');
    victim.tell('go');
    expect(await victim.end()).toBe('SIGKILL');
    // There is something to receive yet, so the tube is still there; it takes what it cannot send any more.
    await eventually(() => result, true);
    expect(tube.setopts(end.self, end.tube, [['active', true]])).toBe('ok');
    await over(end);
    expect(end.got.map(Number)).toEqual(numbers(sent));
  });

  test.each(['at once', 'when the other has answered'] as const)(
    'while the other side closes: %s, that is done, though nobody answers',
    async (when) => {
      const victim = box.run(
        async ({ ling, say }: World, role: Role, peer: number) => {
          const { ok, tube } = ling;
          const domain = await ling.boot();
          say(domain.domid);
          domain.spawn(async (self) => {
            const t = ok(await (role === 'opener' ? tube.open(self, peer) : tube.accept(self)));
            say('open');
            for (;;) {
              self.port_command(t, 'x');
              await self.receive(undefined, { after: 1 });
            }
          });
          await new Promise(() => {});
        },
        role,
        survivor.domid,
      );
      const end = await join(victim);
      expect(await victim.hear()).toBe('open');
      await eventually(() => end.got.length > 0, true);
      const close = (): Promise<unknown> => survivor.run((self) => tube.close(self, end.tube));
      if (when === 'at once') {
        const killed = victim.kill();
        expect(await close()).toBe('ok');
        await killed;
      } else {
        kill(victim.pid, 'SIGSTOP');
        expect(await close()).toBe('ok');
        await victim.kill();
      }
      await over(end);
    },
  );

  test('while both sides pass it around by port_connect: all that it had sent comes, to whoever has it', async () => {
    const COUNT = 3000;
    const victim = box.run(
      async ({ ling, say }: World, role: Role, peer: number, count: number) => {
        const { ok, tube } = ling;
        const domain = await ling.boot();
        say(domain.domid);
        domain.spawn(async (self) => {
          const owners = [0, 1, 2].map(() =>
            self.spawn((me) => me.receive((m): m is never => m === undefined)),
          );
          const t = ok(
            await (role === 'opener'
              ? tube.open(self, peer, 0, [['full', 'busy']])
              : tube.accept(self, [['full', 'busy']])),
          );
          for (let n = 0; n < count; n++) {
            self.port_connect(t, owners[n % 3] as (typeof owners)[number]);
            await self.port_command(t, String(n));
            if (n % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
          }
          self.port_connect(t, self.pid);
          process.kill(process.pid, 'SIGKILL');
        });
        await new Promise(() => {});
      },
      role,
      survivor.domid,
      COUNT,
    );
    const { owners, moves } = passAround(survivor, ask(await victim.hear<number>(), PASSIVE));
    expect(await victim.end()).toBe('SIGKILL');
    expect(await moves).toBeGreaterThan(10);
    await eventually(() => owners.map(({ ended }) => ended), ['normal', 'normal', 'normal']);
    for (const { got } of owners) expect(got).toEqual([...got].sort((a, b) => a - b));
    const all = owners.flatMap(({ got }) => got);
    expect(all.sort((a, b) => a - b)).toEqual(numbers(COUNT));
  });

  test.each(['in the middle', 'with the commit as its last word'] as const)(
    'during a transaction, %s: the one of the other side is done',
    async (when) => {
      const victim = box.run(
        async ({ ling, say, listen }: World, role: Role, peer: number) => {
          const { ok, tube, xenstore } = ling;
          const domain = await ling.boot();
          say(domain.domid);
          const over = domain.run(async (self) => {
            const t = ok(await (role === 'opener' ? tube.open(self, peer) : tube.accept(self)));
            const tid = ok(await xenstore.transaction(self));
            await xenstore.write(self, `/local/domain/${peer}/data/tip/theirs`, 1, tid);
            await xenstore.write(self, 'data/own', 1, tid);
            self.port_command(t, 'written');
            await listen();
            const done = xenstore.commit(self, tid);
            // It is on its way by the end of this turn.
            setImmediate(() => say('committed'));
            await done;
          });
          await over;
        },
        role,
        survivor.domid,
      );
      const end = await join(victim);
      await eventually(() => end.got, ['written']);
      await survivor.run(async (self) => {
        const begin = async (): Promise<number> => {
          const tid = ok(await xenstore.transaction(self));
          expect(await xenstore.write(self, 'data/tip/mine', 1, tid)).toBe('ok');
          return tid;
        };
        const tid = await begin();
        if (when === 'in the middle') await victim.kill();
        else {
          const lingd = lingdOf(box);
          kill(lingd, 'SIGSTOP');
          victim.tell('commit');
          expect(await victim.hear()).toBe('committed');
          await victim.kill();
          kill(lingd, 'SIGCONT');
        }
        // What was the other's in the same directory goes, which is a change of that.
        let done = await xenstore.commit(self, tid);
        for (let tries = 0; done !== 'ok' && done[1] === 'eagain' && tries < 10; tries++)
          done = await xenstore.commit(self, await begin());
        expect(done).toBe('ok');
        expect(await xenstore.delete(self, 'data/tip/mine')).toBe('ok');
      });
      await over(end);
    },
  );
});

describe('kill -9 of lingd', () => {
  let box: Box;
  let a: Domain;
  let b: Domain;
  let inventory: Inventory;
  let before: object;

  beforeEach(async () => {
    box = new Box();
    [a, b] = [await box.boot(), await box.boot()];
    inventory = new Inventory(box, [a, b]);
    before = await inventory.count();
  });
  afterEach(async () => {
    try {
      await eventually(() => inventory.count(), before);
    } finally {
      await box.close();
    }
  });

  /** Both domains are back under the next one. */
  async function replaceLingd(): Promise<void> {
    const back = [a, b].map((domain) => new Promise((resolve) => domain.once('reconnected', resolve)));
    kill(lingdOf(box), 'SIGKILL');
    await Promise.all(back);
  }

  test('while a tube is full: who waits goes on to wait, and nothing is lost', async () => {
    const [one, other] = await End.pair(a, b, 0, BUSY);
    tube.setopts(other.self, other.tube, [['active', false]]);
    let sent = 0;
    while (one.self.port_command(one.tube, String(sent), ['nosuspend'])) sent++;
    let result: unknown = 'suspended';
    a.spawn(async (self) => {
      result = await self.port_command(one.tube, String(sent));
    });
    await replaceLingd();
    expect(result).toBe('suspended');
    expect(tube.setopts(other.self, other.tube, [['active', true]])).toBe('ok');
    await eventually(() => other.got.length, sent + 1);
    expect(other.got.map(Number)).toEqual(numbers(sent + 1));
    expect(result).toBe(true);
    await close(one, other);
  });

  test.each(['opener', 'acceptor'] as const)(
    'while the %s closes: that is done by the next one',
    async (role) => {
      const pair = await End.pair(a, b);
      const [one, other] = role === 'opener' ? pair : ([pair[1], pair[0]] as const);
      for (let n = 0; n < 30; n++) one.send(`${n}`);
      const replaced = replaceLingd();
      await close(one, other);
      await replaced;
      expect(other.got.map(Number)).toEqual(numbers(30));
    },
  );

  test('while a tube is passed around by port_connect: nothing is lost', async () => {
    const COUNT = 3000;
    const { owners, moves } = passAround(b, (self) => tube.accept(self, PASSIVE));
    let replaced = Promise.resolve();
    const sending = a.run(async (self) => {
      const t = ok(await tube.open(self, b.domid, 0, BUSY));
      for (let n = 0; n < COUNT; n++) {
        await self.port_command(t, String(n));
        if (n === COUNT >> 1) replaced = replaceLingd();
        if (n % 20 === 0) await sleep(1);
      }
      await replaced;
      return tube.close(self, t);
    });
    expect(await sending).toBe('ok');
    expect(await moves).toBeGreaterThan(10);
    await eventually(() => owners.map(({ ended }) => ended), ['normal', 'normal', 'normal']);
    const all = owners.flatMap(({ got }) => got);
    expect(all.sort((a, b) => a - b)).toEqual(numbers(COUNT));
  });

  async function close(one: End, other: End): Promise<void> {
    const domain = one.self.runtime === a.runtime ? a : b;
    expect(await domain.run((self) => tube.close(self, one.tube))).toBe('ok');
    await eventually(() => [one.ended, other.ended], ['normal', 'normal']);
    for (const { self } of [one, other]) self.runtime.send(self.pid, 'over');
  }
});
