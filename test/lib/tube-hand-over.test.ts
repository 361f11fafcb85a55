/** Giving a tube to another process: while packets come as fast as they can, and what moves with it. */
import {
  type Domain,
  type OpenOption,
  ok,
  type Pid,
  type Port,
  type Self,
  type TubeOption,
  tube,
} from 'ling-tubes';
import { Box } from '../support/box';
import { eventually } from '../support/residue';
import { LAYOUTS } from '../support/tube-ends';

let box: Box;
let a: Domain;

beforeEach(async () => {
  box = new Box();
  a = await box.boot({ name: 'a' });
});
afterEach(() => box.close());

type Active = Extract<TubeOption, readonly ['active', unknown]>[1];

describe('between two OS processes, under full load', () => {
  const COUNT = 4000;
  const SIZES = [4, 4096];

  /** Sends numbers to the peer, as fast as it takes them; what the peer says when it has them all. */
  async function load<T>(peer: ReturnType<Box['run']>, size: number): Promise<T> {
    const domid = await peer.hear<number>();
    return a.run(async (self) => {
      const port = ok(await tube.open(self, domid, 0, [['full', 'busy']]));
      for (let n = 0; n < COUNT; n++) {
        const packet = Buffer.alloc(size);
        packet.writeUInt32LE(n);
        await self.port_command(port, packet);
      }
      const result = await peer.hear<T>();
      expect(self.port_info(port, 'drops')).toEqual(['drops', 0]);
      peer.tell('over');
      return result;
    });
  }

  test.each(SIZES.flatMap((size) => ([true, 'once', 7, false] as const).map((active) => ({ size, active }))))(
    'controlling_process from hand to hand: all of $size bytes, active $active, come in order to who has it',
    async ({ size, active }) => {
      const peer = box.run(
        async ({ ling, say, listen }, count, active) => {
          const { tube, ok } = ling;
          const domain = await ling.boot();
          say(domain.domid);
          const result = { wrong: 0, moves: 0, backlogs: 0 };
          await domain.run(async (self) => {
            const port = ok(await tube.accept(self, [['active', active as never]]));
            let n = 0;
            let finish = (): void => {};
            const all = new Promise<void>((resolve) => {
              finish = resolve;
            });
            const take = async (me: Self): Promise<Buffer> => {
              if (active === false) return ok(await tube.recv(me, port));
              for (;;) {
                const message = (await me.receive(
                  (m): m is unknown[] => Array.isArray(m) && m.includes(port),
                )) as unknown[];
                if (message[0] === port) return (message[1] as ['data', Buffer])[1];
                tube.setopts(me, port, [['active', 7]]);
              }
            };
            const give = async (me: Self, to: number): Promise<void> => {
              const owner = owners[to % owners.length] as Pid;
              if ((me.process_info(me.pid, 'message_queue_len') as [string, number])[1] > 0)
                result.backlogs++;
              me.send(owner, ['yours', to]);
              if ((await tube.controlling_process(me, port, owner)) !== 'ok') result.wrong++;
              result.moves++;
            };
            const owners = Array.from({ length: 5 }, () =>
              self.spawn(async (me) => {
                for (;;) {
                  const [, turn] = (await me.receive(
                    (m): m is unknown[] => Array.isArray(m) && m[0] === 'yours',
                  )) as [string, number];
                  // Now and then as many wait as come meanwhile.
                  if (turn % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
                  for (let left = turn % 60; left >= 0 && n < count; left--) {
                    const data = await take(me);
                    if (data.readUInt32LE() !== n) result.wrong++;
                    if (++n === count) finish();
                    if (active === 'once') tube.setopts(me, port, [['active', 'once']]);
                  }
                  if (n < count) await give(me, turn + 1);
                }
              }),
            );
            await give(self, 0);
            await all;
            say(result);
            await listen();
          });
          await domain.stop();
        },
        COUNT,
        active as Active,
      );
      const result = await load<{ wrong: number; moves: number; backlogs: number }>(peer, size);
      expect(result.wrong).toBe(0);
      expect(result.moves).toBeGreaterThan(100);
      // Else nothing would have had to move with it.
      if (active === true) expect(result.backlogs).toBeGreaterThan(0);
      expect(await peer.end()).toBe(0);
    },
  );

  test.each(
    SIZES.flatMap((size) =>
      ([true, 'once', 7] as const).flatMap((active) =>
        (['the owner', 'another process'] as const).map((by) => ({ size, active, by })),
      ),
    ),
  )(
    'port_connect by $by: what came before is with the former owners, of $size bytes, active $active',
    async ({ size, active, by }) => {
      const peer = box.run(
        async ({ ling, say, listen }, count, active, by) => {
          const { tube, ok } = ling;
          const domain = await ling.boot();
          say(domain.domid);
          await domain.run(async (self) => {
            // Who accepts is not the owner from the first packet on.
            const port = ok(await tube.accept(self, [['active', false]]));
            const got: number[][] = [];
            let n = 0;
            let finish = (): void => {};
            const all = new Promise<void>((resolve) => {
              finish = resolve;
            });
            /** The next owner, who has all that ever comes to it. */
            const makeOwner = (me: Self): Pid => {
              const mine: number[] = [];
              got.push(mine);
              return me.spawn(async (owner) => {
                for (;;) {
                  const message = (await owner.receive()) as unknown[];
                  if (message[0] === 'tube_passive') tube.setopts(owner, port, [['active', 7]]);
                  if (message[0] !== port) continue;
                  mine.push((message[1] as ['data', Buffer])[1].readUInt32LE());
                  if (active === 'once') tube.setopts(owner, port, [['active', 'once']]);
                  // It stays: the end of the last owner would be that of the tube, which is looked at yet.
                  if (++n === count) finish();
                  if (by === 'the owner' && mine.length === 1 + (got.length % 100))
                    owner.port_connect(port, makeOwner(owner));
                }
              });
            };
            self.port_connect(port, makeOwner(self));
            tube.setopts(self, port, [['active', active as never]]);
            if (by === 'another process') {
              self.spawn(async (me) => {
                while (n < count) {
                  await new Promise((resolve) => setTimeout(resolve, 1));
                  me.port_connect(port, makeOwner(me));
                }
              });
            }
            await all;
            say(got);
            await listen();
          });
          await domain.stop();
        },
        COUNT,
        active as Active,
        by,
      );
      const got = await load<number[][]>(peer, size);
      expect(got.flat()).toEqual(Array.from({ length: COUNT }, (_, n) => n));
      // So few of the smallest, which all fit into a packed ring, may be through before another process has had its turn.
      if (size > 4 || by === 'the owner')
        expect(got.filter((each) => each.length > 0).length).toBeGreaterThan(1);
      expect(await peer.end()).toBe(0);
    },
  );
});

/** A process that does what it is told by the test, one after the other, and lives until it is over. */
class Actor {
  self!: Self;

  start(): Promise<this> {
    return new Promise((resolve) => {
      a.spawn(async (self) => {
        self.process_flag('trap_exit', true);
        this.self = self;
        resolve(this);
        await self.receive((m): m is unknown => m === 'over');
      });
    });
  }

  get pid(): Pid {
    return this.self.pid;
  }

  /** All that it has been told, but not been asked for. */
  get messages(): unknown[] {
    return [...this.self.mailbox];
  }
}

describe('controlling_process', () => {
  let b: Domain;
  let owner: Actor;
  let other: Actor;
  let port: Port;
  let far: Self;
  let farPort: Port;
  /** Sends numbers, and waits until as many as the mode allows have come to the owner. */
  let send: (count: number, told: number) => Promise<void>;

  /** A tube that the owner has, with those options; its other end is the test's. */
  async function open(options: readonly OpenOption[] = []): Promise<void> {
    b = await box.boot({ name: 'b' });
    [owner, other] = await Promise.all([new Actor().start(), new Actor().start()]);
    const accepted = new Promise<void>((resolve) => {
      b.spawn(async (self) => {
        far = self;
        farPort = ok(await tube.accept(self));
        resolve();
        await self.receive((m): m is never => m === undefined);
      });
    });
    port = await new Promise<Port>((resolve) => {
      a.spawn(async (self) => {
        const opened = ok(await tube.open(self, b.domid, 0, options));
        self.port_connect(opened, owner.pid);
        self.unlink(opened);
        resolve(opened);
      });
    });
    await accepted;
    send = async (count, told) => {
      for (let n = 0; n < count; n++) far.port_command(farPort, String(n));
      await eventually(() => owner.messages.length, told);
    };
  }

  const packets = (from: number, to: number): unknown[] =>
    Array.from({ length: to - from }, (_, i) => [port, ['data', Buffer.from(String(from + i))]]);
  const active = (): unknown => owner.self.port_info(port, 'active');

  test.each([
    [true, 20, true],
    ['once', 1, false],
    [5, 5, false],
    [25, 20, 5],
    [false, 0, false],
  ] as const)(
    'with active %p gives away what has come and the tube as it is, and keeps all else',
    async (mode, come, left) => {
      await open([['active', mode]]);
      owner.self.send(owner.pid, 'mine');
      await send(20, 1 + come + (mode === 5 ? 1 : 0));
      owner.self.send(owner.pid, ['can_send', port, 31]);
      expect(active()).toEqual(['active', left]);
      expect(await tube.controlling_process(owner.self, port, other.pid)).toBe('ok');
      expect(active()).toEqual(['active', left]);
      expect(owner.self.port_info(port, 'connected')).toEqual(['connected', other.pid]);
      expect(owner.messages).toEqual(['mine', ['can_send', port, 31]]);
      const moved = [...packets(0, come), ...(mode === 5 ? [['tube_passive', port]] : [])];
      expect(other.messages).toEqual(moved);
      // And the rest comes to the new owner.
      tube.setopts(other.self, port, [['active', true]]);
      await eventually(() => other.messages, [...moved, ...packets(come, 20)]);
      expect(owner.messages).toHaveLength(2);
    },
  );

  test('links the new owner, not the former one any more', async () => {
    await open();
    await tube.controlling_process(owner.self, port, other.pid);
    owner.self.send(owner.pid, 'over');
    await eventually(() => owner.pid.receiver, undefined);
    expect(other.self.port_info(port, 'connected')).toEqual(['connected', other.pid]);
    other.self.send(other.pid, 'over');
    await a.run(async (self) => {
      await eventually(() => self.port_info(port, 'id'), 'undefined');
    });
  });

  test.each(LAYOUTS)(
    'comes after what the owner has sent and not awaited, with rings of %s',
    async (ring) => {
      await open([
        ['full', 'busy'],
        ['ring', ring],
      ]);
      tube.setopts(far, farPort, [['active', false]]);
      // So many fill it, whatever its layout.
      for (let n = 0; n < 40; n++) void owner.self.port_command(port, String(n).padEnd(4096));
      const given = tube.controlling_process(owner.self, port, other.pid);
      await send(3, 3);
      expect(owner.self.port_info(port, 'connected')).toEqual(['connected', owner.pid]);
      tube.setopts(far, farPort, [['active', true]]);
      expect(await given).toBe('ok');
      expect(other.messages).toEqual(packets(0, 3));
      expect(owner.messages).toEqual([]);
      await eventually(
        () => [...far.mailbox].map((message) => String((message as [Port, ['data', Buffer]])[1][1]).trim()),
        Array.from({ length: 40 }, (_, n) => String(n)),
      );
    },
  );

  test('to the owner itself is ok and changes nothing', async () => {
    await open();
    await send(3, 3);
    expect(await tube.controlling_process(owner.self, port, owner.pid)).toBe('ok');
    expect(owner.messages).toEqual(packets(0, 3));
  });

  test.each(['not_owner', 'badarg', 'closed'] as const)('that is %s changes nothing', async (reason) => {
    await open();
    await send(3, 3);
    const dead = await a.run((self) => self.pid);
    await eventually(() => dead.receiver, undefined);
    const echo = other.self.open_port('echo', ['binary']);
    const calls: Record<typeof reason, () => unknown[]> = {
      not_owner: () => [
        tube.controlling_process(
          other.self,
          port,
          other.self.spawn(() => {}),
        ),
        a.run((self) =>
          tube.controlling_process(
            self,
            port,
            self.spawn(() => {}),
          ),
        ),
      ],
      badarg: () => [
        tube.controlling_process(owner.self, port, dead),
        tube.controlling_process(owner.self, port, 'other' as never),
        tube.controlling_process(owner.self, 'port' as never, other.pid),
        tube.controlling_process(other.self, echo, owner.pid),
      ],
      closed: () => {
        owner.self.unlink(port);
        owner.self.port_close(port);
        return [
          tube.controlling_process(owner.self, port, other.pid),
          tube.controlling_process(other.self, port, other.pid),
        ];
      },
    };
    for (const answer of await Promise.all(calls[reason]())) expect(answer).toEqual(['error', reason]);
    const isOpen = reason !== 'closed';
    expect(owner.self.port_info(port, 'connected')).toEqual(isOpen ? ['connected', owner.pid] : 'undefined');
    expect(owner.messages).toEqual(packets(0, 3));
    expect(other.messages).toEqual([]);
    other.self.port_close(echo);
  });
});
