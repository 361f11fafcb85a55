/** The option `full: 'busy'` of a tube: senders wait for room instead of losing packets. */
import { type Domain, isData, ok, type Port, type Self, type TubeOption, tube } from 'ling-tubes';
import { Box } from '../support/box';
import { eventually } from '../support/residue';
import { LAYOUTS } from '../support/tube-ends';

let box: Box;
let a: Domain;
let b: Domain;

/** What follows is of tubes that are made so. */
function withRings(ring: Ring): void {
  beforeEach(async () => {
    box = new Box();
    a = await box.boot({ name: 'a', tubeRing: ring });
    b = await box.boot({ name: 'b', tubeRing: ring });
  });
  afterEach(() => box.close());
}

type Ring = (typeof LAYOUTS)[number][0];

const BUSY: readonly TubeOption[] = [['full', 'busy']];
const PASSIVE: readonly TubeOption[] = [['active', false]];
const badarg = expect.objectContaining({ reason: 'badarg' });

/** A process that stays with its end, and both ends in the hands of the test. */
class Holder {
  self!: Self;
  port!: Port;
  readonly exits: unknown[] = [];

  start(domain: Domain, get: (self: Self) => Promise<['ok', Port] | ['error', string]>): Promise<this> {
    return new Promise((resolve, reject) => {
      domain.spawn(async (self) => {
        self.process_flag('trap_exit', true);
        this.self = self;
        try {
          this.port = ok(await get(self));
        } catch (error) {
          return reject(error);
        }
        resolve(this);
        for (;;) {
          const message = await self.receive();
          if (message === 'over') return undefined;
          if (Array.isArray(message) && message[0] === 'EXIT') this.exits.push(message[2]);
        }
      });
    });
  }
}

/** A sender in a, a receiver that takes nothing by itself in b. */
async function pair(): Promise<[Holder, Holder]> {
  return Promise.all([
    new Holder().start(a, (self) => tube.open(self, b.domid, 0, BUSY)),
    new Holder().start(b, (self) => tube.accept(self, PASSIVE)),
  ]);
}

/** Takes so many packets out of a passive tube. */
function take(port: Port, count: number): Promise<string[]> {
  return b.run(async (self) => {
    const got: string[] = [];
    while (got.length < count) got.push(String(ok(await tube.recv(self, port, 5000))));
    return got;
  });
}

function fill({ self, port }: Holder): void {
  for (let i = 0; i < 31; i++) expect(self.port_command(port, String(i))).toBe(true);
}

/** A process of a that sends one packet; what became of it, once that is known. */
function sendOne({ self: owner, port }: Holder, data: string, how: 'command' | 'bang' = 'command') {
  const seen: { result: unknown; pid: unknown } = { result: 'suspended', pid: undefined };
  seen.pid = a.spawn(async (self) => {
    try {
      if (how === 'command') seen.result = await self.port_command(port, data);
      else {
        await self.send(port, [owner.pid, ['command', data]]);
        seen.result = 'sent';
      }
    } catch (error) {
      seen.result = (error as { reason: unknown }).reason;
    }
  });
  return seen;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe.each(LAYOUTS)('with rings of %s', (ring) => {
  withRings(ring);

  describe('between two OS processes nothing is lost, and all is in order', () => {
    const COUNT = 4000;
    const cases = [1, 100, 4096].flatMap((size) =>
      [true, 'once', 7, false].map((active) => ({ size, active })),
    );

    test.each(cases)('packets of $size bytes, receiver active $active', async ({ size, active }) => {
      const peer = box.run(
        async ({ ling, say }, ring, count, size, active) => {
          const { tube, ok } = ling;
          const domain = await ling.boot({ tubeRing: ring });
          say(domain.domid);
          const wrong = await domain.run(async (self) => {
            const port = ok(await tube.accept(self, [['active', active as never]]));
            let wrong = 0;
            const next = async (): Promise<Buffer> => {
              if (active === false) return ok(await tube.recv(self, port));
              for (;;) {
                const message = (await self.receive()) as unknown[];
                if (message[0] === port) return (message[1] as ['data', Buffer])[1];
                if (message[0] === 'tube_passive') tube.setopts(self, port, [['active', 7]]);
              }
            };
            for (let n = 0; n < count; n++) {
              const data = await next();
              if (data.length !== size || data[0] !== (n & 255) || (size > 4 && data.readUInt32LE(1) !== n))
                wrong++;
              if (active === 'once') tube.setopts(self, port, [['active', 'once']]);
            }
            self.port_command(port, 'done');
            await self.receive((m): m is unknown => m === 'over', { after: 300 });
            return wrong;
          });
          say(wrong);
          await domain.stop();
        },
        ring,
        COUNT,
        size,
        active,
      );
      const domid = await peer.hear<number>();
      const drops = await a.run(async (self) => {
        const port = ok(await tube.open(self, domid, 0, BUSY));
        let waited = 0;
        for (let n = 0; n < COUNT; n++) {
          const packet = Buffer.alloc(size, n & 255);
          if (size > 4) packet.writeUInt32LE(n, 1);
          const sent = self.port_command(port, packet);
          if (sent !== true) waited++;
          await sent;
        }
        // As many as this of the smallest may well fit into a packed ring.
        if (ring === 'ling') expect(waited).toBeGreaterThan(0);
        await self.receive(isData(port));
        return self.port_info(port, 'drops');
      });
      expect(await peer.hear()).toBe(0);
      expect(drops).toEqual(['drops', 0]);
      expect(await peer.end()).toBe(0);
    });

    test('of many senders, by port_command and by !, each in its own order', async () => {
      const SENDERS = 8;
      const EACH = 500;
      const got = b.run(async (self) => {
        const port = ok(await tube.accept(self));
        const seen: number[][] = Array.from({ length: SENDERS }, () => []);
        for (let i = 0; i < SENDERS * EACH; i++) {
          const [, [, data]] = await self.receive(isData(port));
          seen[data[0] as number]?.push(data.readUInt32LE(1));
        }
        return seen;
      });
      await a.run(async (self) => {
        const port = ok(await tube.open(self, b.domid, 0, BUSY));
        const monitors = Array.from({ length: SENDERS }, (_, sender) => {
          const [, monitor] = self.spawn_monitor(async (me) => {
            for (let n = 0; n < EACH; n++) {
              const packet = Buffer.from([sender, n & 255, n >> 8, 0, 0]);
              if (sender % 2) await me.port_command(port, packet);
              else await me.send(port, [self.pid, ['command', packet]]);
            }
          });
          return monitor;
        });
        for (const monitor of monitors) {
          await self.receive((m): m is unknown => Array.isArray(m) && m[0] === 'DOWN' && m[1] === monitor);
        }
        expect(self.port_info(port, 'drops')).toEqual(['drops', 0]);
        expect(await got).toEqual(
          Array.from({ length: SENDERS }, () => Array.from({ length: EACH }, (_, n) => n)),
        );
      });
    });
  });

  test('can_send of several senders at once, without waiting for room by themselves: nobody loses a packet', async () => {
    const SENDERS = 6;
    const EACH = 400;
    const received = b.run(async (self) => {
      const port = ok(await tube.accept(self));
      for (let i = 0; i < SENDERS * EACH; i++) await self.receive(isData(port));
      self.port_command(port, 'all');
      await self.receive((m): m is unknown => m === 'over', { after: 300 });
    });
    await a.run(async (self) => {
      const port = ok(await tube.open(self, b.domid));
      for (let sender = 0; sender < SENDERS; sender++) {
        self.spawn(async (me) => {
          for (let n = 0, room = 0; n < EACH; n++, room--) {
            if (room === 0) room = ok(await tube.can_send(me, port));
            me.port_command(port, 'x');
          }
        });
      }
      await self.receive(isData(port));
      expect(self.port_info(port, 'drops')).toEqual(['drops', 0]);
    });
    await received;
  });
});

describe("with LING's slots, of which packets of any size fill 31", () => {
  withRings('ling');

  test('suspends who sends when the tube is full, until half of it is free; nosuspend is false, force drops', async () => {
    const [sender, receiver] = await pair();
    const { self, port } = sender;
    fill(sender);
    const one = sendOne(sender, 'one');
    const two = sendOne(sender, 'two');
    await pause(30);
    expect(self.port_command(port, 'no', ['nosuspend'])).toBe(false);
    expect(self.port_command(port, 'lost', ['force'])).toBe(true);
    expect(self.port_info(port, 'drops')).toEqual(['drops', 1]);
    expect(await take(receiver.port, 15)).toEqual(Array.from({ length: 15 }, (_, i) => String(i)));
    await pause(30);
    expect([one.result, two.result]).toEqual(['suspended', 'suspended']);
    expect(self.port_command(port, 'no', ['nosuspend'])).toBe(false);
    expect(self.port_command(port, 'forced', ['force'])).toBe(true);
    await take(receiver.port, 2);
    await eventually(() => [one.result, two.result], [true, true]);
    expect(self.port_command(port, 'yes', ['nosuspend'])).toBe(true);
    expect((await take(receiver.port, 18)).slice(-5)).toEqual(['30', 'forced', 'one', 'two', 'yes']);
    expect(self.port_info(port, 'drops')).toEqual(['drops', 1]);
  });

  test('more that wait than there is room: each is sent when its turn comes, and only then', async () => {
    const [sender, receiver] = await pair();
    fill(sender);
    const senders = Array.from({ length: 100 }, (_, i) =>
      sendOne(sender, `${31 + i}`, i % 2 ? 'bang' : 'command'),
    );
    await pause(30);
    const got = await take(receiver.port, 31);
    await eventually(() => senders.filter(({ result }) => result !== 'suspended').length, 31);
    await pause(30);
    expect(senders.filter(({ result }) => result !== 'suspended')).toHaveLength(31);
    got.push(...(await take(receiver.port, 100)));
    expect(got).toEqual(Array.from({ length: 131 }, (_, i) => String(i)));
    expect(sender.self.port_info(sender.port, 'drops')).toEqual(['drops', 0]);
  });

  test('set to drop, it lets go who waits; set to busy, it is at once', async () => {
    const [sender] = await pair();
    const { self, port } = sender;
    fill(sender);
    const waiting = sendOne(sender, 'x');
    await pause(20);
    expect(waiting.result).toBe('suspended');
    expect(tube.setopts(self, port, [['full', 'drop']])).toBe('ok');
    await eventually(() => waiting.result, true);
    expect(self.port_info(port, 'drops')).toEqual(['drops', 1]);
    expect(tube.setopts(self, port, BUSY)).toBe('ok');
    expect(self.port_command(port, 'x', ['nosuspend'])).toBe(false);
    expect(self.port_info(port, 'drops')).toEqual(['drops', 1]);
  });

  test('set to drop, it tells who asks of room that is less than half of the tube', async () => {
    const [sender, receiver] = await pair();
    const { port } = sender;
    fill(sender);
    const before = a.run((self) => tube.can_send(self, port));
    await take(receiver.port, 5);
    // Until it sleeps, for half of the tube.
    await pause(30);
    await a.run(async (self) => {
      expect(tube.setopts(self, port, [['full', 'drop']])).toBe('ok');
      expect(await before).toEqual(['ok', 5]);
      expect(await tube.can_send(self, port)).toEqual(['ok', 5]);
    });
  });

  test('a sender that is killed while it is suspended has not sent', async () => {
    const [sender, receiver] = await pair();
    fill(sender);
    const senders = ['a', 'b', 'c', 'd'].map((data, i) => sendOne(sender, data, i % 2 ? 'bang' : 'command'));
    await pause(20);
    await a.run((self) => {
      self.exit(senders[0]?.pid as never, 'kill');
      self.exit(senders[3]?.pid as never, 'kill');
    });
    expect((await take(receiver.port, 33)).slice(-2)).toEqual(['b', 'c']);
    expect(await b.run((self) => tube.recv(self, receiver.port, 50))).toEqual(['error', 'timeout']);
  });

  describe('what a process has sent and not awaited arrives before', () => {
    const ends: Record<string, (self: Self, port: Port) => unknown> = {
      'its port_close': (self, port) => self.port_close(port),
      'its tube.close': (self, port) => tube.close(self, port),
      'its tube.close, awaited': async (self, port) => expect(await tube.close(self, port)).toBe('ok'),
      'its end': () => undefined,
    };

    test.each(Object.keys(ends))('%s', async (end) => {
      const COUNT = 80;
      a.spawn(async (self) => {
        const port = ok(await tube.open(self, b.domid, 0, BUSY));
        for (let i = 0; i < COUNT; i++) void self.port_command(port, String(i));
        await Promise.all([ends[end]?.(self, port)]);
      });
      const receiver = await new Holder().start(b, (self) => tube.accept(self, PASSIVE));
      await pause(30);
      expect(await take(receiver.port, COUNT)).toEqual(Array.from({ length: COUNT }, (_, i) => String(i)));
      expect(await b.run((self) => tube.recv(self, receiver.port, 5000))).toEqual(['error', 'closed']);
    });
  });

  describe('who waits when the tube ends', () => {
    const ends: Record<string, (sender: Holder, receiver: Holder) => unknown> = {
      'port_close here': ({ self, port }) => self.port_close(port),
      'tube.close here': ({ port }) => a.run((self) => tube.close(self, port)),
      'the owner killed here': ({ self }) => a.run((other) => other.exit(self.pid, 'kill')),
      'port_close over there': (_, { self, port }) => self.port_close(port),
      'tube.close over there': (_, { port }) => b.run((self) => tube.close(self, port)),
      'the owner killed over there': (_, { self }) => b.run((other) => other.exit(self.pid, 'kill')),
      'domain.stop over there': () => b.stop(),
    };

    test.each(Object.keys(ends))('by %s: port_command is badarg, ! goes on', async (end) => {
      const [sender, receiver] = await pair();
      fill(sender);
      const command = sendOne(sender, 'x');
      const bang = sendOne(sender, 'y', 'bang');
      await pause(20);
      await ends[end]?.(sender, receiver);
      await eventually(() => [command.result, bang.result], ['badarg', 'sent']);
      await a.run((self) => {
        expect(() => self.port_command(sender.port, 'x')).toThrow(badarg);
        expect(() => self.port_command(sender.port, 'x', ['nosuspend'])).toThrow(badarg);
      });
      expect(a.runtime.openPorts.size).toBe(0);
    });

    test('by kill -9 of the peer: the same, also where nobody had received what it had sent', async () => {
      for (const active of [true, false]) {
        const peer = box.run(async ({ ling, say }) => {
          const domain = await ling.boot({ tubeRing: 'ling' });
          say(domain.domid);
          await domain.run(async (self) => {
            const port = ling.ok(await ling.tube.accept(self, [['active', false]]));
            self.port_command(port, 'hello');
            await self.receive((m): m is never => m === undefined);
          });
        });
        const domid = await peer.hear<number>();
        const sender = await new Holder().start(a, (self) =>
          tube.open(self, domid, 0, [
            ['full', 'busy'],
            ['active', active],
          ]),
        );
        fill(sender);
        const command = sendOne(sender, 'x');
        const bang = sendOne(sender, 'y', 'bang');
        await pause(50);
        expect([command.result, bang.result]).toEqual(['suspended', 'suspended']);
        await peer.kill();
        // With something left to receive the port is still there: it takes what it cannot send any more.
        await eventually(() => [command.result, bang.result], [active ? 'badarg' : true, 'sent']);
        await a.run(async (self) => {
          if (active) expect(() => self.port_command(sender.port, 'x')).toThrow(badarg);
          else {
            expect(await tube.recv(self, sender.port)).toEqual(['ok', Buffer.from('hello')]);
            expect(await tube.recv(self, sender.port)).toEqual(['error', 'closed']);
          }
        });
        await eventually(() => sender.exits, ['normal']);
      }
    });
  });

  test('a sender that waits sleeps: no time is spent on a tube that stays full', async () => {
    const [sender, receiver] = await pair();
    fill(sender);
    const waiting = sendOne(sender, 'x');
    await pause(100);
    const before = process.cpuUsage();
    await pause(1000);
    const { user, system } = process.cpuUsage(before);
    // A loop that looked again and again would take all of it.
    expect(user + system).toBeLessThan(500_000);
    expect(waiting.result).toBe('suspended');
    await take(receiver.port, 32);
  });

  test('can_send: one asker is told of all room, several of a part each; who never sends keeps nobody waiting', async () => {
    const port = (await pair())[0].port;
    await a.run(async (self) => {
      tube.setopts(self, port, [['full', 'drop']]);
      for (let i = 0; i < 3; i++) expect(await tube.can_send(self, port)).toEqual(['ok', 31]);
      self.port_command(port, 'x');
      expect(await tube.can_send(self, port)).toEqual(['ok', 30]);
      const asking = (count: number): Promise<number[]> =>
        Promise.all(
          Array.from({ length: count }, () => a.run(async (me) => ok(await tube.can_send(me, port)))),
        );
      // The first one has not sent anything, and the next ones will not either.
      for (const count of [1, 2, 7, 30, 40]) {
        const told = await asking(count);
        expect(told).toHaveLength(count);
        expect(Math.min(...told)).toBeGreaterThan(0);
      }
    });
  });

  test('can_send of several senders that wait shares out what there is', async () => {
    const [sender, receiver] = await pair();
    await a.run((self) => tube.setopts(self, sender.port, [['full', 'drop']]));
    fill(sender);
    const asking = Promise.all([1, 2, 3].map(() => a.run((me) => tube.can_send(me, sender.port))));
    await pause(30);
    await take(receiver.port, 31);
    const told = (await asking).map((result) => ok(result));
    expect(Math.min(...told)).toBeGreaterThanOrEqual(1);
    expect(told.reduce((sum, slots) => sum + slots)).toBeLessThanOrEqual(31);
  });
});
