import fs from 'node:fs';
import { type Domain, isData, ok, type Pid, type Port, supervisor, tube, xenstore } from 'ling-tubes';
import { TIP } from '#xen/tube-handshake';
import { Box } from '../support/box';
import { descriptorsOf, eventually, tubeMappings } from '../support/residue';
import { End, LAYOUTS, snapshot } from '../support/tube-ends';

let box: Box;
let a: Domain;
let b: Domain;

beforeEach(async () => {
  box = new Box();
  a = await box.boot({ name: 'a' });
  b = await box.boot({ name: 'b' });
});
afterEach(() => box.close());

describe('opening and accepting', () => {
  test.each(['open', 'accept'])('in either order: %s first', async (first) => {
    const open = (): Promise<End> => new End().start(a, (self) => tube.open(self, b.domid, 5));
    const accept = (): Promise<End> => new End().start(b, (self) => tube.accept(self));
    const [one, other] = first === 'open' ? [open, accept] : [accept, open];
    const begun = one();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const ends = await Promise.all([begun, other()]);
    ends[0].send('x');
    await eventually(() => ends[1].got, ['x']);
  });

  test('both sides to each other at once, with the same tid, and to themselves', async () => {
    const pairs = await Promise.all([End.pair(a, b, 1), End.pair(b, a, 1)]);
    for (const [one, other] of pairs) {
      one.send('x');
      other.send('y');
      await eventually(() => [one.got, other.got], [['y'], ['x']]);
    }
    const [self, same] = await End.pair(a, a);
    self.send('me');
    await eventually(() => same.got, ['me']);
  });

  test('a hundred tids at once', async () => {
    const [c, d] = [await box.boot({ tubeTimeout: 20_000 }), await box.boot({ tubeTimeout: 20_000 })];
    const tids = Array.from({ length: 100 }, (_, i) => (i === 99 ? 0xffff_ffff : i));
    const pairs = await Promise.all(tids.map((tid) => End.pair(c, d, tid)));
    for (const [one, other] of pairs) {
      one.send(`${one.tube.id}`);
      other.send(`${other.tube.id}`);
    }
    const sent = pairs.flatMap(([one, other]) => [`${one.tube.id}`, `${other.tube.id}`]).sort();
    await eventually(() => pairs.flatMap(([one, other]) => [...one.got, ...other.got]).sort(), sent);
  });

  test('badarg for what is no domid or no tid', async () => {
    const noDomids = [-1, 0x7ff0, '1', 1.5, undefined, null].map((domid) => [domid, 0]);
    const noTids = [-1, 2 ** 32, '0', 0.5, null].map((tid) => [b.domid, tid]);
    for (const [domid, tid] of [...noDomids, ...noTids] as [number, number][]) {
      expect(await a.run((self) => tube.open(self, domid, tid))).toEqual(['error', 'badarg']);
    }
  });

  test('not_found where there is no domain, or none that accepts', async () => {
    box.client('domain');
    expect(await a.run((self) => tube.open(self, 77))).toEqual(['error', 'not_found']);
    expect(await a.run((self) => tube.open(self, 3))).toEqual(['error', 'not_found']);
    expect(await a.run((self) => tube.open(self, 0))).toEqual(['error', 'not_found']);
  });

  test('exists for a tube that is open, or about to be', async () => {
    const waiting = a.run((self) => tube.open(self, b.domid, 3));
    const again = (): Promise<unknown> => a.run((self) => tube.open(self, b.domid, 3));
    expect(await again()).toEqual(['error', 'exists']);
    const [, second] = await Promise.all([waiting, b.run((self) => tube.accept(self))]);
    expect(second[0]).toBe('ok');
  });

  test('closed by a peer that begins anew while it is invited', async () => {
    const restarted = box.client('domain');
    const closeDoor = async (): Promise<unknown> =>
      Promise.all([restarted.rm(TIP), restarted.mkdir(TIP), restarted.setPerms(TIP, ['n3'])]);
    await restarted.mkdir(TIP);
    await restarted.watch(TIP, (path) => {
      if (/tip\/1\/\d+$/.test(path)) void closeDoor().catch(() => {});
    });
    for (let tid = 0; tid < 10; tid++) {
      await restarted.setPerms(TIP, ['b3']);
      expect(await a.run((self) => tube.open(self, 3, tid))).toEqual(['error', 'closed']);
    }
  });

  test('a lying peer whose references and channels are wrong', async () => {
    const liar = box.client('domain');
    await liar.mkdir(TIP);
    await liar.setPerms(TIP, ['b3']);
    await liar.watch(TIP, async (path) => {
      if (!path.endsWith('/nock')) return;
      const tip = path.slice(0, -'/nock'.length);
      for (const key of ['ring-ref', 'event-channel-tx', 'event-channel-rx'])
        await liar.write(`${tip}/${key}`, '9');
      await liar.write(`${tip}/state`, '3');
    });
    expect(await a.run((self) => tube.open(self, 3))).toEqual(['error', 'eacces']);
    expect(a.runtime.openPorts.size).toBe(0);
  });

  test.each(['open', 'accept'] as const)(
    'a caller of %s that is killed while it waits leaves nothing',
    async (call) => {
      const before = await snapshot(box);
      const pid = a.spawn(async (self) => {
        if (call === 'accept') await tube.accept(self);
        else await tube.open(self, b.domid, 9);
      });
      await new Promise((resolve) => setTimeout(resolve, 60));
      await a.run(async (self) => self.exit(pid, 'kill'));
      // The next one to accept must not be given what was meant for the dead, nor wait behind it.
      const [one, other] = await End.pair(b, a, 4);
      one.send('x');
      await eventually(() => other.got, ['x']);
      await b.run((self) => tube.close(self, one.tube));
      const withoutPeers = (tree: object): string[] =>
        Object.keys(tree).filter((path) => !/(tip|nock)\/\d+$/.test(path));
      await eventually(async () => withoutPeers(await snapshot(box)), withoutPeers(before));
    },
  );
});

describe('who opens and is in a hurry', () => {
  /** The domid of the first client of a test. */
  const PEER = 4;

  beforeEach(async () => {
    await a.stop();
    a = await box.boot({ name: 'a', tubeTimeout: 1000 });
  });

  test('timeout from a peer that never answers, and nothing is left of it', async () => {
    const silent = box.client('domain');
    await silent.mkdir(TIP);
    await silent.setPerms(TIP, [`b${PEER}`]);
    await a.run((self) => tube.open(self, PEER, 1));
    const [tree, mappings] = [await snapshot(box), tubeMappings()];
    const start = performance.now();
    expect(await a.run((self) => tube.open(self, PEER, 2))).toEqual(['error', 'timeout']);
    expect(performance.now() - start).toBeGreaterThan(950);
    expect(await snapshot(box)).toEqual(tree);
    await eventually(tubeMappings, mappings);
  });

  test('timeout from a peer that only ever says one thing, whatever that is', async () => {
    const odd = box.client('domain');
    await odd.mkdir(TIP);
    await odd.setPerms(TIP, [`b${PEER}`]);
    await odd.watch(TIP, (path) => {
      const [, tid] = /tip\/\d+\/(\d+)\/nock$/.exec(path) ?? [];
      // The test may be over before it is answered.
      if (tid) void odd.write(`${TIP}/${a.domid}/${tid}/state`, tid).catch(() => {});
    });
    const results = await Promise.all(
      [0, 1, 2, 3, 4, 5, 6, 99].map((tid) => a.run((self) => tube.open(self, PEER, tid))),
    );
    expect(results.map(([, reason]) => reason)).toEqual([
      'timeout',
      'timeout',
      'timeout',
      'einval',
      'closed',
      'timeout',
      'timeout',
      'timeout',
    ]);
    await eventually(() => a.runtime.openPorts.size, 0);
  });

  test('accept is not given a tube whose opener has just given up', async () => {
    for (let round = 0; round < 3; round++) {
      expect(await a.run((self) => tube.open(self, b.domid, round))).toEqual(['error', 'timeout']);
      // Those who accept stay: their ends would be the tubes' ends.
      const [one] = await End.pair(a, b, 100 + round);
      expect(one.ended).toBeUndefined();
    }
  });

  test('timeout also from a peer that never stops writing', async () => {
    const liar = box.client('domain');
    await liar.mkdir('data/tip');
    const domid = Number(await liar.readString('domid'));
    await liar.setPerms('data/tip', [`b${domid}`]);
    let over = false;
    const flooding = (async () => {
      const tip = `data/tip/${a.domid}/0`;
      while (!over) await Promise.all(Array.from({ length: 20 }, () => liar.write(`${tip}/state`, '1')));
    })();
    expect(await a.run((self) => tube.open(self, domid))).toEqual(['error', expect.any(String)]);
    over = true;
    await flooding;
  });
});

describe('packets', () => {
  test.each([1, 4096])('of %i bytes arrive as they are', async (size) => {
    const [one, other] = await End.pair(a, b);
    one.send('x'.repeat(size));
    await eventually(() => other.got, ['x'.repeat(size)]);
  });

  test('that cannot be are badarg, and the tube is unharmed', async () => {
    const [one, other] = await End.pair(a, b);
    const packets = [Buffer.alloc(0), Buffer.alloc(4097), 'x'.repeat(4097), [], '', 5, {}, null, [256]];
    for (const data of packets as string[]) {
      expect(() => one.send(data)).toThrow(expect.objectContaining({ reason: 'badarg' }));
    }
    one.send('fine');
    await eventually(() => other.got, ['fine']);
  });

  test('port_info says which side it is, whose, and since when', async () => {
    const before = Date.now();
    const [one, other] = await End.pair(a, b, 9);
    const items = ['side', 'peer', 'tid', 'state'];
    const infoOf = ({ self, tube }: End) => items.map((item) => (self.port_info(tube, item) as unknown[])[1]);
    expect(infoOf(one)).toEqual(['opener', b.domid, 9, 'connected']);
    expect(infoOf(other)).toEqual(['acceptor', a.domid, 9, 'connected']);
    const [, since] = one.self.port_info(one.tube, 'since') as unknown as [string, number];
    expect(since).toBeGreaterThanOrEqual(before - 1);
    expect(since).toBeLessThanOrEqual(Date.now() + 1);
    const unused = await a.run((self) => {
      const port = self.open_port('tube', ['binary']);
      return ['side', 'since'].map((item) => self.port_info(port, item));
    });
    expect(unused).toEqual([
      ['side', 'undefined'],
      ['since', 'undefined'],
    ]);
  });

  describe.each(LAYOUTS)('that fill rings of %s', (ring, slots) => {
    // Of the largest size, which fills both layouts with as many.
    const largest = (i: number): string => String(i).padEnd(4096);
    /** Nothing is taken out of the ring before the other side is active, by whatever thread. */
    const pair = (): Promise<[End, End]> =>
      Promise.all([
        new End().start(a, (self) => tube.open(self, b.domid, 0, [['ring', ring]])),
        new End().start(b, (self) => tube.accept(self, [['active', false]])),
      ]);

    test('a full tube drops and counts; can_send says how many can be sent', async () => {
      const [one, other] = await pair();
      const { self } = one;
      for (let i = 0; i < 40; i++) one.send(largest(i));
      // Packed rings also take what fits by chance.
      expect(self.port_info(one.tube, 'drops')).toEqual(['drops', 9]);
      expect(tube.setopts(other.self, other.tube, [['active', true]])).toBe('ok');
      await eventually(() => other.got.length, 31);
      expect(other.got).toEqual(Array.from({ length: 31 }, (_, i) => largest(i)));
      await eventually(async () => a.run((asker) => tube.can_send(asker, one.tube)), ['ok', slots]);
      const answer = await a.run(async (asker) => {
        for (let i = 0; i < 31; i++) asker.port_command(one.tube, largest(i));
        expect(tube.can_send_async(asker, one.tube)).toBe('ok');
        return asker.receive();
      });
      expect(answer).toEqual(['can_send', one.tube, expect.any(Number)]);
      expect(await a.run((asker) => tube.can_send(asker, 'tube' as never))).toEqual(['error', 'badarg']);
    });

    test('can_send of a tube that closes meanwhile, or has closed', async () => {
      const [one, other] = await pair();
      const results = a.run(async (self) => {
        for (let i = 0; i < 31; i++) self.port_command(one.tube, largest(i));
        expect(tube.can_send_async(self, one.tube)).toBe('ok');
        self.port_close(one.tube);
        return [
          await self.receive(),
          await tube.can_send(self, one.tube),
          tube.can_send_async(self, one.tube),
        ];
      });
      expect(await results).toEqual([
        ['can_send', one.tube, 'closed'],
        ['error', 'badarg'],
        ['error', 'badarg'],
      ]);
      expect(tube.setopts(other.self, other.tube, [['active', true]])).toBe('ok');
      await eventually(() => other.ended, 'normal');
      expect(other.got).toHaveLength(31);
    });
  });

  test('a hundred thousand of random sizes between two OS processes: all of them, in order', async () => {
    const peer = box.run(async ({ ling, say }) => {
      const { tube, ok, isData } = ling;
      const domain = await ling.boot();
      say(domain.domid);
      const result = await domain.run(async (self) => {
        const port = ok(await tube.accept(self));
        let n = 0;
        let wrong = 0;
        let owner = self;
        for (; n < 100_000; n++) {
          const [, [, data]] = await owner.receive(isData(port));
          const size = 4 + ((n * 7919) % (n % 10 === 0 ? 4093 : 100));
          if (
            data.length !== size ||
            data.readUInt32LE() !== n ||
            data[size - 1] !== (size > 4 ? n & 255 : data[3])
          )
            wrong++;
        }
        owner = self;
        self.port_command(port, 'done');
        return { n, wrong };
      });
      say(result);
      await domain.stop();
    });
    const domid = await peer.hear<number>();
    const answer = await a.run(async (self) => {
      const port = ok(await tube.open(self, domid));
      let room = 0;
      for (let n = 0; n < 100_000; n++) {
        if (room === 0) room = ok(await tube.can_send(self, port));
        room--;
        const size = 4 + ((n * 7919) % (n % 10 === 0 ? 4093 : 100));
        const packet = Buffer.alloc(size, n & 255);
        packet.writeUInt32LE(n);
        self.port_command(port, packet);
      }
      const [, [, data]] = await self.receive(isData(port));
      return [data.toString(), self.port_info(port, 'drops')];
    });
    expect(answer).toEqual(['done', ['drops', 0]]);
    expect(await peer.hear()).toEqual({ n: 100_000, wrong: 0 });
    expect(await peer.end()).toBe(0);
  });
});

describe('closing', () => {
  const ways: Record<string, (one: End) => unknown> = {
    'tube.close': (one) => a.run((self) => tube.close(self, one.tube)),
    port_close: (one) => one.self.port_close(one.tube),
    'the death of its owner': (one) => a.run(async (self) => self.exit(one.self.pid, 'kill')),
    'domain.stop': () => a.stop(),
  };

  test.each(
    Object.keys(ways).flatMap((way) =>
      LAYOUTS.flatMap(([ring]) =>
        (['opener', 'acceptor'] as const).map((side) => [way, side, ring] as const),
      ),
    ),
  )(
    'by %s on the side of the %s, with rings of %s: the other side gets all that was sent, then the end',
    async (way, side, ring) => {
      const options = [['ring', ring]] as const;
      const pair =
        side === 'opener' ? await End.pair(a, b, 0, options) : (await End.pair(b, a, 0, options)).reverse();
      const [one, other] = pair as [End, End];
      for (let i = 0; i < 31; i++) one.send(String(i));
      await ways[way]?.(one);
      await eventually(() => other.ended, 'normal');
      expect(other.got).toEqual(Array.from({ length: 31 }, (_, i) => String(i)));
      expect(await b.run((self) => tube.close(self, other.tube))).toEqual(['error', 'badarg']);
      await eventually(
        async () => Object.keys(await snapshot(box)).filter((path) => /(tip|nock)\/\d+\/./.test(path)),
        [],
      );
      expect(b.runtime.openPorts.size).toBe(0);
    },
  );

  test('by kill -9 of the OS process, on either side', async () => {
    for (const verb of ['open', 'accept'] as const) {
      const program = box.run(
        async ({ ling, say }, domid, verb) => {
          const domain = await ling.boot();
          say(domain.domid);
          await domain.run(async (self) => {
            const result = verb === 'open' ? await ling.tube.open(self, domid) : await ling.tube.accept(self);
            const port = ling.ok(result);
            for (let i = 0; i < 31; i++) self.port_command(port, String(i));
            say('sent');
            await self.receive((m): m is never => m === undefined);
          });
        },
        a.domid,
        verb,
      );
      const domid = await program.hear<number>();
      const end = await new End().start(a, (self) =>
        verb === 'open' ? tube.accept(self) : tube.open(self, domid),
      );
      expect(await program.hear()).toBe('sent');
      await program.kill();
      await eventually(() => end.ended, 'normal');
      expect(end.got).toEqual(Array.from({ length: 31 }, (_, i) => String(i)));
      // Nor does anything remind of one that will never come again.
      const reminders = async () =>
        Object.keys(await snapshot(box)).filter((path) => new RegExp(`(tip|nock)/${domid}$`).test(path));
      await eventually(reminders, []);
    }
  });

  test.each([
    ['the last tube with a peer', 0, '/local/domain/1/data/nock/2'],
    ['one of two', 1, '/local/domain/1/data/nock/2/6'],
  ])('%s is one removal on each side', async (_which, others, nock) => {
    for (let tid = 0; tid < others; tid++) await End.pair(a, b, tid);
    const [one, other] = await End.pair(a, b, 6);
    const watching = box.client('socket');
    const seen: string[] = [];
    await watching.watch('/local/domain', (path) => seen.push(path));
    seen.length = 0;
    await a.run((self) => tube.close(self, one.tube));
    await eventually(() => other.ended, 'normal');
    const expected = [nock, `/local/domain/2/data/tip/1/6`];
    await eventually(() => seen, expected);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(seen).toEqual(expected);
  });

  test('tells who watches the state of the last tube once, as LING wants it', async () => {
    const [one, other] = await End.pair(a, b, 6);
    const seen: string[] = [];
    const state = '/local/domain/1/data/nock/2/6/state';
    await box.client('socket').watch(state, (path) => seen.push(path));
    await eventually(() => seen, [state]);
    await a.run((self) => tube.close(self, one.tube));
    await eventually(() => other.ended, 'normal');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(seen).toHaveLength(2);
  });

  test('leaves nothing of a peer that ends later, whatever else is opened to it meanwhile', async () => {
    const nocks = async () => Object.keys(await snapshot(box)).filter((path) => /\/data\/nock\/./.test(path));
    const c = await box.boot();
    const accepting = c.run(async (self) => {
      for (let i = 0; i < 300; i++) {
        const port = ok(await tube.accept(self));
        self.port_command(port, 'welcome');
      }
      // Its end would be that of tubes that are still to be closed by the others.
      await Promise.all(opening);
    });
    const opening: Promise<void>[] = Array.from({ length: 3 }, (_, tid) =>
      a.run(async (self) => {
        for (let i = 0; i < 100; i++) {
          const port = ok(await tube.open(self, c.domid, tid));
          await self.receive(isData(port));
          expect(await tube.close(self, port)).toBe('ok');
        }
      }),
    );
    // A tube that could not be, and one whose keeper was killed.
    expect(await a.run((self) => tube.open(self, 999))).toEqual(['error', 'not_found']);
    await Promise.all([...opening, accepting]);
    await eventually(nocks, []);
    const [, other] = await End.pair(a, c, 7);
    await a.run(async (self) => {
      for (const [, pid] of await supervisor.which_children(self, 'tube_keepers'))
        self.exit(pid as Pid, 'kill');
    });
    await eventually(() => other.ended, 'normal');
    await eventually(nocks, []);
    await c.stop();
    expect(await nocks()).toEqual([]);
  });

  test.each([1, 31])('right after accepting and sending %i packets loses none of them', async (count) => {
    for (let tid = 0; tid < 20; tid++) {
      b.spawn(async (self) => {
        const t = ok(await tube.accept(self));
        for (let i = 0; i < count; i++) self.port_command(t, `${i}`);
        ok(await tube.close(self, t));
      });
      const got = await a.run(async (self) => {
        const t = ok(await tube.open(self, b.domid, tid));
        const packets: string[] = [];
        while (packets.length < count) {
          const [, [, data]] = (await self.receive(isData(t), { after: 1000 })) ?? [t, ['data', 'nothing']];
          packets.push(String(data));
        }
        return packets;
      });
      expect(got).toEqual(Array.from({ length: count }, (_, i) => `${i}`));
    }
  });

  test('by many at once, on both sides: everybody gets an answer', async () => {
    for (let round = 0; round < 5; round++) {
      const [one, other] = await End.pair(a, b, round);
      const closing = (domain: Domain, port: Port) =>
        Array.from({ length: 10 }, () => domain.run((self) => tube.close(self, port)));
      const results = await Promise.all([...closing(a, one.tube), ...closing(b, other.tube)]);
      for (const result of results) expect(['ok', ['error', 'badarg']]).toContainEqual(result);
    }
  });

  test('the same tid can be opened again at once, two hundred times', async () => {
    const accepting = b.run(async (self) => {
      for (let i = 0; i < 200; i++) {
        const port = ok(await tube.accept(self));
        self.port_command(port, String(i));
        self.monitor('port', port);
        await self.receive((m): m is unknown => (m as unknown[])[0] === 'DOWN');
      }
    });
    const got = await a.run(async (self) => {
      const seen: string[] = [];
      for (let i = 0; i < 200; i++) {
        const port = ok(await tube.open(self, b.domid));
        seen.push((await self.receive(isData(port)))[1][1].toString());
        expect(await tube.close(self, port)).toBe('ok');
      }
      return seen;
    });
    expect(got).toEqual(Array.from({ length: 200 }, (_, i) => String(i)));
    await accepting;
  });

  test('a hundred times leaves no descriptor, mapping, node, port or process', async () => {
    const cycle = async (tid: number, closer: number): Promise<void> => {
      const [one, other] = await End.pair(a, b, tid);
      one.send('x');
      const [domain, end] = closer === 0 ? ([a, one] as const) : ([b, other] as const);
      await domain.run((self) => tube.close(self, end.tube));
      await eventually(() => [one.ended, other.ended], ['normal', 'normal']);
      for (const end of [one, other]) end.self.runtime.send(end.self.pid, 'over');
    };
    const processes = (): number[] => [a, b].map(({ runtime }) => runtime.processes().length);
    const own = processes();
    await cycle(0, 0);
    const look = async () => ({
      processes: processes(),
      ports: [a, b].map(({ runtime }) => runtime.openPorts.size),
      mappings: tubeMappings(),
      memories: descriptorsOf('self').filter((target) => target.includes('memfd')).length,
      tree: Object.keys(await snapshot(box)),
    });
    await eventually(processes, own);
    const before = await look();
    for (let round = 0; round < 10; round++) {
      await Promise.all(Array.from({ length: 10 }, (_, i) => cycle(round * 10 + i, round % 2)));
    }
    await eventually(look, before);
  });
});

describe('without lingd, which cannot be started again', () => {
  test('tubes that are open go on; nothing new can be had; the domain says so once', async () => {
    const lingdless = new Box();
    const lingd = await lingdless.lingd();
    const [c, d] = [await lingdless.boot(), await lingdless.boot()];
    const [one, other] = await End.pair(c, d);
    const accepting = d.run((self) => tube.accept(self));
    let disconnected = 0;
    c.on('disconnected', () => disconnected++);
    fs.chmodSync(lingdless.rundir, 0o777);
    lingd.kill('SIGKILL');
    await eventually(() => disconnected, 1);
    one.send('still');
    other.send('here');
    await eventually(() => [one.got, other.got], [['here'], ['still']]);
    expect(await accepting).toEqual(['error', 'econnreset']);
    expect(await d.run((self) => tube.accept(self))).toEqual(['error', 'enotconn']);
    expect(await c.run((self) => tube.open(self, d.domid, 9))).toEqual(['error', 'enotconn']);
    expect(await c.run((self) => xenstore.read(self, 'domid'))).toEqual(['error', 'enotconn']);
    expect(await c.run((self) => xenstore.watch(self, 'data'))).toEqual(['error', 'enotconn']);
    expect(await c.run((self) => tube.close(self, one.tube))).toBe('ok');
    await Promise.all([c.stop(), d.stop()]);
    // The last of them has removed what lingd has left.
    expect(fs.existsSync(lingdless.rundir)).toBe(false);
    const next = await lingdless.boot();
    await next.stop();
    await lingdless.close();
    expect(disconnected).toBe(1);
  });
});
