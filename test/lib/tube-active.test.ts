/** The option `active` of a tube: when packets come as messages, and what waits meanwhile. */
import { type Domain, isData, ok, type Pid, type Port, type Self, type TubeOption, tube } from 'ling-tubes';
import { Box } from '../support/box';
import { eventually } from '../support/residue';
import { LAYOUTS } from '../support/tube-ends';

let box: Box;
let a: Domain;
let b: Domain;

/** Runs `sender` with one end of a tube in a, and `receiver` with the other one, made with those options, in b. */
async function join<S, R>(
  options: readonly TubeOption[],
  sender: (self: Self, port: Port) => Promise<S> | S,
  receiver: (self: Self, port: Port) => Promise<R> | R,
): Promise<[S, R]> {
  return Promise.all([
    a.run(async (self) => {
      self.process_flag('trap_exit', true);
      return sender(self, ok(await tube.open(self, b.domid)));
    }),
    b.run(async (self) => {
      self.process_flag('trap_exit', true);
      return receiver(self, ok(await tube.accept(self, options)));
    }),
  ]);
}

/** Stays until the other side has closed the tube. */
async function untilClosed(self: Self, port: Port): Promise<void> {
  await self.receive((m): m is unknown => Array.isArray(m) && m[0] === 'EXIT' && m[1] === port);
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

function send(self: Self, port: Port, packets: readonly string[]): void {
  for (const packet of packets) self.port_command(port, packet);
}

/** All messages of a tube that come until none has for a while. */
async function messages(self: Self, port: Port): Promise<unknown[]> {
  const all: unknown[] = [];
  for (;;) {
    const message = await self.receive((m): m is unknown[] => Array.isArray(m) && m.includes(port), {
      after: 150,
    });
    if (message === undefined) return all;
    all.push(message[0] === port ? String((message[1] as unknown[])[1]) : message);
  }
}

const FILLING = Buffer.alloc(4096);

describe.each(LAYOUTS)('with rings of %s', (ring, slots) => {
  beforeEach(async () => {
    box = new Box();
    a = await box.boot({ name: 'a', tubeRing: ring });
    b = await box.boot({ name: 'b', tubeRing: ring });
  });
  afterEach(() => box.close());

  describe('active', () => {
    const SENT = 20;
    const cases: [TubeOption[1], number, boolean][] = [
      [true, SENT, false],
      [false, 0, false],
      ['once', 1, false],
      [1, 1, true],
      [5, 5, true],
      [SENT, SENT, true],
      [SENT + 1, SENT, false],
      [0, 0, true],
      [-3, 0, true],
    ];

    test.each(cases)(
      '%p: %i packets come as messages, and tube_passive: %p',
      async (active, count, passive) => {
        for (const at of ['accept', 'setopts'] as const) {
          const options = [['active', active]] as TubeOption[];
          const [, seen] = await join(
            at === 'accept' ? options : [['active', false]],
            async (self, port) => {
              send(self, port, numbers(SENT));
              await untilClosed(self, port);
            },
            async (self, port) => {
              if (at === 'setopts') expect(tube.setopts(self, port, options)).toBe('ok');
              const got = await messages(self, port);
              const rest: string[] = [];
              const mode = ok(tube.getopts(self, port, ['active']))[0]?.[1];
              expect(mode).toEqual(passive || active === 'once' ? false : active === SENT + 1 ? 1 : active);
              if (mode === false) {
                while (rest.length + count < SENT) rest.push(String(ok(await tube.recv(self, port))));
                expect(await tube.recv(self, port, 0)).toEqual(['error', 'timeout']);
              }
              self.port_close(port);
              return { got, rest };
            },
          );
          expect(seen).toEqual({
            got: [...numbers(count), ...(passive ? [['tube_passive', expect.anything()]] : [])],
            rest: numbers(SENT).slice(count),
          });
        }
      },
    );

    test('numbers add up while some are left, and say how many are', async () => {
      await join(
        [['active', 2]],
        async (self, port) => {
          send(self, port, ['0']);
          await untilClosed(self, port);
        },
        async (self, port) => {
          expect(await messages(self, port)).toEqual(['0']);
          const steps: [TubeOption[1], unknown, unknown][] = [
            [3, 'ok', 4],
            [-1, 'ok', 3],
            [32_767, ['error', 'einval'], 3],
            [32_764, 'ok', 32_767],
            [1, ['error', 'einval'], 32_767],
            ['once', 'ok', 'once'],
            [7, 'ok', 7],
            [-7, 'ok', false],
            [true, 'ok', true],
            [1, 'ok', 1],
          ];
          for (const [active, answer, after] of steps) {
            expect(tube.setopts(self, port, [['active', active]] as TubeOption[])).toEqual(answer);
            expect(tube.getopts(self, port, ['active'])).toEqual(['ok', [['active', after]]]);
          }
          expect(await messages(self, port)).toEqual([['tube_passive', port]]);
          const tooMany: TubeOption[] = [
            ['full', 'busy'],
            ['active', 32_767],
            ['active', 1],
          ];
          expect(tube.setopts(self, port, tooMany)).toEqual(['error', 'einval']);
          expect(tube.getopts(self, port, ['full', 'active'])).toEqual([
            'ok',
            [
              ['full', 'drop'],
              ['active', 1],
            ],
          ]);
          self.port_close(port);
        },
      );
    });

    test('what is no option: einval of setopts and getopts, badarg of open and accept', async () => {
      const none = [
        [['active', 'twice']],
        [['active', 1.5]],
        [['active', 40_000]],
        [['active', null]],
        [['full', 'wait']],
        [['empty', true]],
        ['active'],
        [['active']],
        {},
        'active',
      ];
      await join(
        [],
        async (self, port) => {
          for (const options of none as never[]) {
            expect(tube.setopts(self, port, options)).toEqual(['error', 'einval']);
            expect(await tube.open(self, b.domid, 9, options)).toEqual(['error', 'badarg']);
            expect(await tube.accept(self, options)).toEqual(['error', 'badarg']);
          }
          expect(tube.getopts(self, port, ['drops' as never])).toEqual(['error', 'einval']);
          expect(tube.getopts(self, port, 'active' as never)).toEqual(['error', 'einval']);
          expect(tube.getopts(self, port, ['full', 'active'])).toEqual([
            'ok',
            [
              ['full', 'drop'],
              ['active', true],
            ],
          ]);
          expect(await tube.recv(self, port)).toEqual(['error', 'einval']);
          await expect(tube.recv(self, port, -1)).rejects.toMatchObject({ reason: 'badarg' });
          self.port_close(port);
          expect(tube.setopts(self, port, [])).toEqual(['error', 'badarg']);
          expect(tube.getopts(self, port, [])).toEqual(['error', 'badarg']);
          expect(await tube.recv(self, port)).toEqual(['error', 'closed']);
          const echo = self.open_port('echo');
          for (const other of [echo, self.pid, 'tube'] as Port[]) {
            expect(tube.setopts(self, other, [])).toEqual(['error', 'badarg']);
            expect(tube.getopts(self, other, [])).toEqual(['error', 'badarg']);
            expect(await tube.recv(self, other)).toEqual(['error', 'badarg']);
            expect(await tube.close(self, other)).toEqual(['error', 'badarg']);
          }
        },
        untilClosed,
      );
    });

    test('packets follow the tube from owner to owner one by one', async () => {
      const [, seen] = await join(
        [['active', false]],
        async (self, port) => {
          for (let n = 0; n < 1000; n++) {
            while (
              self.port_info(port, 'state') !== 'undefined' &&
              n % slots === 0 &&
              ok(await tube.can_send(self, port)) < slots
            );
            self.port_command(port, String(n));
          }
          await untilClosed(self, port);
        },
        async (self, port) => {
          const got: string[] = [];
          const done = new Promise<void>((resolve) => {
            const next = async (me: Self): Promise<void> => {
              tube.setopts(me, port, [['active', 'once']]);
              got.push(String((await me.receive(isData(port)))[1][1]));
              if (got.length === 1000) return resolve();
              me.port_connect(port, me.spawn(next));
              // The end of who is linked would not be the tube's, but that of its owner is.
              me.unlink(port);
            };
            self.port_connect(port, self.spawn(next));
          });
          await done;
          return got;
        },
      );
      expect(seen).toEqual(numbers(1000));
    });
  });

  describe('recv', () => {
    test('of several processes each gets one packet, in turn; who was killed meanwhile gets none', async () => {
      const [, got] = await join(
        [['active', false]],
        async (self, port) => {
          await self.receive((m): m is unknown => m === 'go', { after: 200 });
          send(self, port, numbers(6));
          await untilClosed(self, port);
        },
        async (self, port) => {
          const seen: [number, string][] = [];
          const receivers = Array.from({ length: 6 }, (_, i) =>
            self.spawn(async (me) => {
              const result = await tube.recv(me, port);
              seen.push([i, result[0] === 'ok' ? String(result[1]) : result[1]]);
            }),
          );
          await self.receive((m): m is never => m === undefined, { after: 50 });
          self.exit(receivers[1] as Pid, 'kill');
          self.exit(receivers[4] as Pid, 'kill');
          await eventually(() => seen.length, 4);
          const last = [String(ok(await tube.recv(self, port))), String(ok(await tube.recv(self, port)))];
          self.port_close(port);
          return [seen, last];
        },
      );
      expect(got).toEqual([
        [
          [0, '0'],
          [2, '1'],
          [3, '2'],
          [5, '3'],
        ],
        ['4', '5'],
      ]);
    });

    test('one that waits is served before the owner, whatever is set meanwhile; the end is closed for all', async () => {
      const [, got] = await join(
        [['active', false]],
        async (self, port) => {
          await self.receive((m): m is unknown => m === 'go', { after: 200 });
          send(self, port, numbers(3));
          await self.receive((m): m is unknown => m === 'go', { after: 200 });
          self.port_close(port);
        },
        async (self, port) => {
          const seen: unknown[] = [];
          self.spawn(async (me) => seen.push(await tube.recv(me, port)));
          await self.receive((m): m is never => m === undefined, { after: 20 });
          tube.setopts(self, port, [['active', 2]]);
          const mine = [await self.receive(), await self.receive(), await self.receive()];
          for (let i = 0; i < 3; i++) self.spawn(async (me) => seen.push(await tube.recv(me, port)));
          self.spawn(async (me) => seen.push(await tube.recv(me, port, 60_000)));
          await eventually(() => seen.length, 5);
          return [seen, mine];
        },
      );
      expect(got).toEqual([
        [['ok', Buffer.from('0')], ...Array.from({ length: 4 }, () => ['error', 'closed'])],
        [
          [expect.anything(), ['data', Buffer.from('1')]],
          [expect.anything(), ['data', Buffer.from('2')]],
          ['tube_passive', expect.anything()],
        ],
      ]);
    });

    test.each([0, 1, 80])('times out after %i ms, and takes no packet afterwards', async (timeout) => {
      await join(
        [['active', false]],
        async (self, port) => {
          await self.receive((m): m is unknown => m === 'go', { after: 150 });
          send(self, port, ['late']);
          await untilClosed(self, port);
        },
        async (self, port) => {
          const begin = performance.now();
          expect(await tube.recv(self, port, timeout)).toEqual(['error', 'timeout']);
          expect(performance.now() - begin).toBeGreaterThanOrEqual(timeout - 1);
          expect(await tube.recv(self, port, 5000)).toEqual(['ok', Buffer.from('late')]);
          self.port_close(port);
        },
      );
    });

    test('who looks now and then does so for as long as it likes: each packet rings for nobody who waits', async () => {
      const TIMES = 1200;
      const turn = () => new Promise((resolve) => setImmediate(resolve));
      let asked = 0;
      const [, got] = await join(
        [['active', false]],
        async (self, port) => {
          let sent = 0;
          for (; self.port_info(port, 'id') !== 'undefined'; await turn())
            if (sent < asked) send(self, port, [String(sent++)]);
        },
        async (self, port) => {
          const seen: string[] = [];
          while (seen.length < TIMES) {
            if (asked === seen.length) asked++;
            const result = await tube.recv(self, port, 0);
            if (result[0] === 'ok') seen.push(String(result[1]));
            else if (result[1] !== 'timeout') return [...seen, result[1]];
            // While the packet comes, and has rung.
            for (let turns = 0; turns < 5; turns++) await turn();
          }
          self.port_close(port);
          return seen;
        },
      );
      expect(got).toEqual(numbers(TIMES));
    });
  });

  describe('the end of a tube that is passive', () => {
    const ends: Record<string, (self: Self, port: Port) => unknown> = {
      port_close: (self, port) => self.port_close(port),
      'tube.close': (self, port) => tube.close(self, port),
      'the end of its owner': () => {},
    };
    const ways: Record<string, (self: Self, port: Port) => Promise<unknown[]>> = {
      async recv(self, port) {
        const got: unknown[] = [];
        for (;;) {
          const result = await tube.recv(self, port);
          got.push(result[0] === 'ok' ? String(result[1]) : result[1]);
          if (result[0] !== 'ok') return got;
        }
      },
      async 'active true'(self, port) {
        tube.setopts(self, port, [['active', true]]);
        return [
          ...(await messages(self, port)).map((m) => (Array.isArray(m) && m[0] === 'EXIT' ? 'closed' : m)),
        ];
      },
      async 'active once'(self, port) {
        const got: unknown[] = [];
        while (tube.setopts(self, port, [['active', 'once']]) === 'ok') {
          const message = (await self.receive()) as unknown[];
          if (message[0] === port) got.push(String((message[1] as unknown[])[1]));
        }
        return [...got, 'closed'];
      },
      async 'active 7'(self, port) {
        const got: unknown[] = [];
        while (tube.setopts(self, port, [['active', 7]]) === 'ok') {
          for (let left = 7; left > 0; ) {
            const message = (await self.receive()) as unknown[];
            if (message[0] === port) got.push(String((message[1] as unknown[])[1]));
            if (message[0] === port) left--;
            if (message[0] === 'EXIT') left = 0;
          }
        }
        return [...got, 'closed'];
      },
    };

    test.each(
      Object.keys(ends).flatMap((end) =>
        Object.keys(ways).flatMap((way) => [0, 1, 31].map((n) => [end, way, n])),
      ),
    )('by %s on the other side: %s gets all %i packets, then the end', async (end, way, count) => {
      const [, got] = await join(
        [['active', false]],
        async (self, port) => {
          send(self, port, numbers(count as number));
          await ends[end as string]?.(self, port);
        },
        async (self, port) => {
          const closing = (): boolean => {
            const state = self.port_info(port, 'state') as 'undefined' | [string, string];
            return state === 'undefined' || state[1] === 'closing';
          };
          await eventually(closing, true);
          return ways[way as string]?.(self, port);
        },
      );
      expect(got).toEqual([...numbers(count as number), 'closed']);
      expect([a, b].map(({ runtime }) => runtime.openPorts.size)).toEqual([0, 0]);
    });

    test('by kill -9 of the other side: what it had sent can be received; nothing can be sent; close is close', async () => {
      for (const finish of ['recv', 'close'] as const) {
        const peer = box.run(async ({ ling, say }, domid) => {
          const domain = await ling.boot();
          await domain.run(async (self) => {
            const port = ling.ok(await ling.tube.open(self, domid));
            for (let i = 0; i < 31; i++) self.port_command(port, String(i));
            say('sent');
            await self.receive((m): m is never => m === undefined);
          });
        }, b.domid);
        await b.run(async (self) => {
          self.process_flag('trap_exit', true);
          const port = ok(await tube.accept(self, [['active', false]]));
          expect(await peer.hear()).toBe('sent');
          const asked = tube.can_send_async(self, port);
          expect(asked).toBe('ok');
          await self.receive();
          await peer.kill();
          await eventually(() => self.port_info(port, 'state'), ['state', 'closing']);
          expect(await tube.can_send(self, port)).toEqual(['error', 'badarg']);
          expect(self.port_command(port, 'lost')).toBe(true);
          expect(self.port_info(port, 'packets')).toEqual(['packets', [0, 31]]);
          if (finish === 'close') expect(await tube.close(self, port)).toBe('ok');
          else expect((await ways.recv?.(self, port)) as unknown[]).toEqual([...numbers(31), 'closed']);
          expect(await self.receive()).toEqual(['EXIT', port, 'normal']);
          expect(await tube.close(self, port)).toEqual(['error', 'badarg']);
        });
      }
    });

    test('a passive tube does not keep its name', async () => {
      await join(
        [],
        async (self, port) => {
          self.port_close(port);
        },
        async (self, port) => untilClosed(self, port),
      );
      // Each leaves a packet that nobody receives; the next tube is of the same name.
      const left = await Promise.all([
        a.run(async (self) => {
          for (let i = 0; i < 3; i++) {
            const port = ok(await tube.open(self, b.domid));
            self.port_command(port, String(i));
            ok(await tube.close(self, port));
          }
        }),
        b.run(async (self) => {
          const ports: Port[] = [];
          for (let i = 0; i < 3; i++) ports.push(ok(await tube.accept(self, [['active', false]])));
          const got: string[] = [];
          for (const port of ports) got.push(String(ok(await tube.recv(self, port))));
          return got;
        }),
      ]);
      expect(left[1]).toEqual(['0', '1', '2']);
    });
  });

  test('port_info tells what a tube is, and what it has done', async () => {
    const [, info] = await join(
      [
        ['active', 'once'],
        ['full', 'busy'],
      ],
      async (self, port) => {
        send(self, port, ['a', 'bc', 'def']);
        for (let i = 0; i < 40; i++) self.port_command(port, FILLING);
        const item = (name: string): unknown => (self.port_info(port, name) as unknown[])[1];
        expect(['packets', 'drops', 'output', 'peer', 'tid', 'full', 'active'].map(item)).toEqual([
          // Of the largest size 31 fit into either, and small ones take a slot as well.
          [ring === 'ling' ? 31 : 34, 0],
          ring === 'ling' ? 12 : 9,
          6 + 40 * FILLING.length,
          b.domid,
          0,
          'drop',
          true,
        ]);
        await self.receive(isData(port));
        self.port_close(port);
      },
      async (self, port) => {
        await self.receive(isData(port));
        self.port_command(port, 'done');
        const items = [
          'packets',
          'drops',
          'input',
          'output',
          'queue_size',
          'peer',
          'tid',
          'state',
          'full',
          'active',
        ];
        return items.map((name) => (self.port_info(port, name) as unknown[])[1]);
      },
    );
    expect(info).toEqual([[1, 1], 0, 1, 4, 0, a.domid, 0, 'connected', 'busy', false]);
  });
});
