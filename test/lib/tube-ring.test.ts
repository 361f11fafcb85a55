import fs from 'node:fs';
import { type Domain, type OpenOption, ok, type Port, type Self, tube } from 'ling-tubes';
import { closeFd, PAGE_SIZE, type SharedPages, writeGrefs, writePackedGrefs } from '#native';
import { encodeNumbers, HYPERCALL_MAP } from '#xen/hypercall';
import type { Grant } from '#xen/hypervisor';
import { tubeKeys } from '#xen/tube-handshake';
import { Box } from '../support/box';
import { HandMadePeer } from '../support/hand-made-peer';
import { take } from '../support/joined-tube';
import { changesSince, descriptorsOf, eventually, holdings } from '../support/residue';
import { End, snapshot } from '../support/tube-ends';

const SIZES = [17, 18, 19, 20, 21, 22, 23].map((log) => 2 ** log);
const ASKED = [undefined, 'ling', ...SIZES] as const;
const MADE = [undefined, 'ling', SIZES[0], SIZES.at(-1)] as const;
type Ring = number | 'ling' | undefined;

/** What both get. */
function agreed(asked: Ring, made: Ring): number | 'ling' {
  if (asked === 'ling' || made === 'ling') return 'ling';
  return Math.min(asked ?? 2 ** 17, made ?? 2 ** 20);
}

function optionsFor(ring: Ring): OpenOption[] {
  return [['full', 'busy'], ...(ring === undefined ? [] : [['ring', ring] as const])];
}

let box: Box;

beforeEach(() => {
  box = new Box();
});
afterEach(() => box.close());

const LARGEST = 4096;
/** One packet of every size; the first byte of each says which it is. */
const PACKETS = Array.from({ length: LARGEST }, (_, i) => Buffer.alloc(i + 1, (i * 31) & 255));

/** Sends one of every size to who echoes them: what the echo has said of its ring, and whether all of them came back. */
async function exchange(
  self: Self,
  port: Port,
): Promise<{ ring: unknown; theirs: string; inOrder: boolean }> {
  const theirs = String((await self.receive(tube.isData(port)))[1][1]);
  const sending = (async () => {
    for (const packet of PACKETS) await self.port_command(port, packet);
  })();
  let inOrder = true;
  for (const packet of PACKETS) {
    const [, [, data]] = await self.receive(tube.isData(port));
    inOrder = inOrder && packet.equals(data);
  }
  await sending;
  return { ring: (self.port_info(port, 'ring') as unknown[])[1], theirs, inOrder };
}

describe('what the opener would like, and what the acceptor makes', () => {
  test.each(MADE)('in one OS process, where the acceptor makes at most %s', async (made) => {
    const a = await box.boot();
    const b = await box.boot(made === undefined ? {} : { tubeRing: made });
    const before = holdings();
    for (const [tid, asked] of ASKED.entries()) {
      const echo = b.spawn(async (self) => {
        self.process_flag('trap_exit', true);
        const port = ok(await tube.accept(self, [['full', 'busy']]));
        self.port_command(port, String((self.port_info(port, 'ring') as unknown[])[1]));
        for (;;) {
          const [, what] = (await self.receive()) as [unknown, [string, Buffer] | unknown];
          if (!Array.isArray(what)) return;
          await self.port_command(port, what[1]);
        }
      });
      const result = await a.run(async (self) =>
        exchange(self, ok(await tube.open(self, b.domid, tid, optionsFor(asked)))),
      );
      const ring = agreed(asked, made);
      expect(result).toEqual({ ring, theirs: String(ring), inOrder: true });
      await eventually(() => b.runtime.processes().includes(echo), false);
    }
    // The threads that wait stay, with what they wait on.
    const isOfTubes = (held: string): boolean => /mapping|memfd/.test(held);
    await eventually(() => changesSince(before).filter(isOfTubes), []);
    expect([a, b].map(({ runtime }) => runtime.openPorts.size)).toEqual([0, 0]);
  });

  test.each(MADE)('in two OS processes, where the acceptor makes at most %s', async (made) => {
    const a = await box.boot();
    const peer = box.run(async ({ ling, say, listen }, made) => {
      const { tube, ok } = ling;
      const domain = await ling.boot(made === null ? {} : { tubeRing: made });
      domain.spawn(async (self) => {
        self.process_flag('trap_exit', true);
        for (;;) {
          const port = ok(await tube.accept(self, [['full', 'busy']]));
          self.port_command(port, String((self.port_info(port, 'ring') as unknown[])[1]));
          for (;;) {
            const [, what] = (await self.receive()) as [unknown, [string, Buffer] | unknown];
            if (!Array.isArray(what)) break;
            // A promise that is never kept when the tube ends: not awaited then.
            await self.port_command(port, what[1]);
          }
        }
      });
      say(domain.domid);
      // Or it would give up the channel to the test, which is a socket too.
      await listen();
    }, made ?? null);
    const domid = await peer.hear<number>();
    const open = (tid: number, asked: Ring) =>
      a.run(async (self) => exchange(self, ok(await tube.open(self, domid, tid, optionsFor(asked)))));
    const memories = () => descriptorsOf(peer.pid).filter((target) => /memfd|socket/.test(target));
    const portless = () => [...a.runtime.openPorts].length;
    const held = memories();
    for (const [tid, asked] of ASKED.entries()) {
      const ring = agreed(asked, made);
      expect(await open(tid, asked)).toEqual({ ring, theirs: String(ring), inOrder: true });
    }
    await eventually(portless, 0);
    await eventually(memories, held);
  });

  test('badarg for what is no size', async () => {
    const [a, b] = [await box.boot(), await box.boot()];
    const sizes = [
      0,
      1,
      -131072,
      65536,
      131071,
      131073,
      131072.5,
      131072.00000000003,
      3 * 131072,
      2 ** 24,
      2 ** 49,
    ];
    const others = ['131072', 'xen', '', null, undefined, true, [131072], 131072n, Number.NaN, Infinity, {}];
    for (const ring of [...sizes, ...others] as number[]) {
      expect(await a.run((self) => tube.open(self, b.domid, 0, [['ring', ring]]))).toEqual([
        'error',
        'badarg',
      ]);
      if (ring !== undefined)
        await expect(box.boot({ tubeRing: ring })).rejects.toThrow(/tubeRing has to be/);
    }
    const later = [['ring', 131072]] as never;
    expect(await b.run((self) => tube.accept(self, later))).toEqual(['error', 'badarg']);
    const [one] = await End.pair(a, b);
    expect(tube.setopts(one.self, one.tube, later)).toEqual(['error', 'einval']);
  });
});

describe('a peer made by hand', () => {
  let a: Domain;
  let b: Domain;
  let peer: HandMadePeer;

  beforeEach(async () => {
    a = await box.boot({ tubeTimeout: 2000 });
    b = await box.boot();
    peer = await HandMadePeer.join(box.rundir);
  });

  /** What has become of the liar's tube is nobody else's concern. */
  async function othersAreFine(): Promise<void> {
    const [one, other] = await End.pair(a, b, 77);
    one.send('x');
    other.send('y');
    await eventually(() => [one.got, other.got], [['y'], ['x']]);
    await a.run((self) => tube.close(self, one.tube));
    await eventually(() => [a, b].map(({ runtime }) => runtime.openPorts.size), [0, 0]);
  }

  describe('that speaks as LING does', () => {
    test.each(ASKED)('accepts from who would like %s', async (asked) => {
      const offered = peer.answer(async (opener) => {
        const [end, [ref, tx, rx]] = await peer.resources.open(opener, 0);
        queueMicrotask(() => ends.push(end));
        return { 'ring-ref': ref, 'event-channel-tx': tx, 'event-channel-rx': rx };
      });
      const ends: Awaited<ReturnType<typeof peer.resources.open>>[0][] = [];
      await offered;
      const one = await new End().start(a, (self) => tube.open(self, peer.domid, 1, optionsFor(asked)));
      expect(one.self.port_info(one.tube, 'ring')).toEqual(['ring', 'ling']);
      const [end] = ends as [(typeof ends)[0]];
      one.send('to LING');
      await eventually(() => take(end), ['to LING']);
      end.write(Buffer.from('from LING'));
      end.flush();
      await eventually(() => one.got, ['from LING']);
      end.close();
      await peer.leave();
      await othersAreFine();
    });

    test('opens, and is told nothing of packed rings', async () => {
      const accepting = new End().start(b, (self) => tube.accept(self));
      await peer.invite(b.domid, 1, {});
      const offer = await peer.offer(b.domid, 1);
      expect(Object.keys(offer).sort()).toEqual([
        'event-channel-rx',
        'event-channel-tx',
        'nock',
        'ring-ref',
        'state',
      ]);
      const numbers = ['ring-ref', 'event-channel-tx', 'event-channel-rx'].map((key) => Number(offer[key]));
      const end = await peer.resources.attach(b.domid, ...(numbers as [number, number, number]), 0);
      await peer.connected(b.domid, 1);
      const one = await accepting;
      expect(one.self.port_info(one.tube, 'ring')).toEqual(['ring', 'ling']);
      one.send('to LING');
      await eventually(() => take(end), ['to LING']);
      end.write(Buffer.from('from LING'));
      end.flush();
      await eventually(() => one.got, ['from LING']);
      end.close();
      await peer.leave();
      await eventually(() => one.ended, 'normal');
      await othersAreFine();
    });
  });

  test.each([
    ['LING', {}],
    ['packed', { ring: '131072' }],
  ])('recv of a passive tube whose peer writes nonsense is closed: %s rings', async (_, keys) => {
    const accepting = new End().start(b, (self) => tube.accept(self, [['active', false]]));
    await peer.invite(b.domid, 1, keys);
    const offer = await peer.offer(b.domid, 1);
    const request = encodeNumbers(b.domid, Number(offer['ring-ref']));
    const { fds } = await peer.hypervisor.xenstore.request(HYPERCALL_MAP, request);
    await peer.connected(b.domid, 1);
    const one = await accepting;
    // All indices of the first page, which both sides have.
    fs.writeSync(fds[0] as number, Buffer.alloc(1024, 0x7f), 0, 1024, 0);
    expect(await b.run((self) => tube.recv(self, one.tube, 10_000))).toEqual(['error', 'closed']);
    await eventually(() => one.ended, 'eproto');
    fds.forEach(closeFd);
    await peer.leave();
    await othersAreFine();
  });

  test('a peer that rings again and again for nothing loses its tube', async () => {
    const accepting = new End().start(b, (self) => tube.accept(self));
    await peer.invite(b.domid, 1, { ring: '131072' });
    const offer = await peer.offer(b.domid, 1);
    const bell = await peer.hypervisor.bindChannel(b.domid, Number(offer['event-channel-tx']));
    await peer.connected(b.domid, 1);
    const one = await accepting;
    const ringAgain = async (): Promise<void> => {
      fs.writeSync(bell.doorbell, 'x');
      await new Promise((resolve) => setImmediate(resolve));
    };
    // Once in a while is nothing.
    for (let i = 0; i < 500; i++) await ringAgain();
    expect(one.ended).toBeUndefined();
    for (let i = 0; i < 5000 && one.ended === undefined; i++) await ringAgain();
    expect(one.ended).toBe('eproto');
    bell.discard();
    await peer.leave();
    await othersAreFine();
  });

  const NONSENSE = [
    'x',
    '',
    '0',
    '3',
    '-131072',
    '131073',
    '1e6',
    '131072.0',
    '99999999999999999999',
    `${2 ** 32}`,
  ];

  describe('that lies', () => {
    test.each([...NONSENSE, '16777216'])('opens and would like rings of %j', async (ring) => {
      const { tip } = tubeKeys(peer.domid, b.domid, 1);
      const states: Promise<string>[] = [];
      await box.client('socket').watch(tip, (path) => {
        if (path.endsWith('/state')) states.push(peer.hypervisor.xenstore.readString(path));
      });
      const accepting = new End().start(b, (self) => tube.accept(self));
      await peer.invite(b.domid, 1, { ring });
      await eventually(async () => Object.keys(await snapshot(box)).filter((path) => path === tip), []);
      // It was heard, and that was all.
      expect(states.length).toBe(1);
      await Promise.allSettled(states);
      const one = await new End().start(a, (self) => tube.open(self, b.domid, 2));
      const other = await accepting;
      one.send('x');
      await eventually(() => other.got, ['x']);
      await a.run((self) => tube.close(self, one.tube));
      await othersAreFine();
    });

    /** Grants that many pages, of which the liar makes what it likes. */
    async function grant(pages: number, fill: (grant: Grant) => void): Promise<void> {
      await peer.answer(async (opener) => {
        const made = await peer.hypervisor.grant(opener, pages);
        granted.push(made.pages);
        fill(made);
        const channels = [
          await peer.hypervisor.allocateChannel(opener),
          await peer.hypervisor.allocateChannel(opener),
        ];
        for (const channel of channels) channel.discard();
        return {
          'ring-ref': made.refs[0] as number,
          'event-channel-tx': (channels[0] as { port: number }).port,
          'event-channel-rx': (channels[1] as { port: number }).port,
          ring: told,
        };
      });
    }
    const granted: SharedPages[] = [];
    let told: string | number;
    afterEach(async () => {
      for (const pages of granted.splice(0)) pages.close();
      await peer.leave();
    });

    async function refused(asked: Ring, reason: string): Promise<void> {
      const before = holdings().filter((held) => held === 'mapping').length;
      expect(await a.run((self) => tube.open(self, peer.domid, 1, optionsFor(asked)))).toEqual([
        'error',
        reason,
      ]);
      expect(a.runtime.openPorts.size).toBe(0);
      // The liar's own.
      await eventually(() => holdings().filter((held) => held === 'mapping').length, before + granted.length);
      await othersAreFine();
    }

    test.each([
      ...NONSENSE.map((ring) => [ring, undefined] as const),
      ...([2 ** 18, 2 ** 23, 2 ** 24] as const).map((ring) => [ring, 2 ** 17] as const),
      [2 ** 17, 'ling'],
    ] as const)('accepts with rings of %j from who would like %s', async (ring, asked) => {
      told = ring;
      await grant(65, ({ pages, refs }) => writeGrefs(pages, refs.slice(1)));
      await refused(asked, 'einval');
    });

    const pagesOf = (ring: number): number => 1 + (2 * ring) / PAGE_SIZE;

    test.each(SIZES)('grants a page for rings of %i bytes', async (ring) => {
      told = ring;
      await grant(1, () => {});
      await refused(ring, 'eacces');
    });

    test.each([1, 2, 7])('names pages that it has not granted, from number %i on', async (from) => {
      told = SIZES[0]!;
      await grant(65, ({ pages, refs }) => {
        writePackedGrefs(pages, SIZES[0]!, [
          ...refs.slice(1, from),
          ...refs.slice(from).map((ref) => ref + 1000),
        ]);
      });
      await refused(SIZES[0], 'eacces');
    });

    test('names its control page for all others: that tube ends, and nothing else', async () => {
      told = SIZES[0]!;
      await grant(65, ({ pages, refs }) => {
        const all = refs.slice(1).map(() => refs[0]!);
        writePackedGrefs(pages, SIZES[0]!, all);
      });
      const one = await new End().start(a, (self) => tube.open(self, peer.domid, 1));
      // Each of them is written over the indices of both rings.
      for (let i = 0; i < 100 && one.self.port_info(one.tube, 'id') !== 'undefined'; i++)
        one.send(Buffer.alloc(4096, i * 7 + 1));
      await eventually(() => one.ended, 'eproto');
      await othersAreFine();
    });

    test.each([2 ** 21, 2 ** 22, 2 ** 23])(
      'lists nonsense in the tables of rings of %i bytes',
      async (ring) => {
        told = ring;
        const tables = Math.ceil((pagesOf(ring) - 1) / 1024);
        await grant(pagesOf(ring) + tables, ({ pages, refs }) => {
          // Where the tables are is true; what is in them is of another time.
          const records = refs.slice(1, pagesOf(ring)).map((_, i) => (i * 7919) >>> 0);
          writePackedGrefs(pages, ring, [...records, ...refs.slice(pagesOf(ring))]);
        });
        await refused(ring, 'eacces');
      },
    );
  });
});
