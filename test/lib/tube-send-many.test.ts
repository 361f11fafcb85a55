import { type Domain, type IoData, ok, tube } from 'ling-tubes';
import { Box } from '../support/box';
import { eventually } from '../support/residue';
import { End } from '../support/tube-ends';

let box: Box;
let a: Domain;
let b: Domain;

beforeEach(async () => {
  box = new Box();
  [a, b] = [await box.boot({ name: 'a' }), await box.boot({ name: 'b' })];
});
afterEach(() => box.close());

const RINGS = ['ling', 131_072] as const;
/** More than any of these rings holds. */
const MANY = Array.from({ length: 20_000 }, (_, i) => Buffer.from(`packet ${i}`));

describe.each(RINGS)('through a ring of %s', (ring) => {
  test.each([0, 1, 2, 31, 32, 20_000])(
    '%i packets that a busy tube takes all arrive, in order',
    async (count) => {
      const { got, end } = collect();
      await a.run(async (self) => {
        const t = ok(
          await tube.open(self, b.domid, 0, [
            ['full', 'busy'],
            ['ring', ring],
          ]),
        );
        expect(await tube.send_many(self, t, MANY.slice(0, count))).toBe(true);
        await tube.close(self, t);
      });
      await end;
      expect(got.length).toBe(count);
      expect(got).toEqual(MANY.slice(0, count).map(String));
    },
  );

  test('what finds no room in the other mode is a drop, and the rest arrives', async () => {
    const { got, end } = collect();
    // More than the ring holds, and what is taken out of it while this thread is busy.
    const packets = Array.from({ length: 5000 }, (_, i) => Buffer.alloc(4096, `packet ${i}\n`));
    const [sent, drops] = await a.run(async (self) => {
      const t = ok(await tube.open(self, b.domid, 0, [['ring', ring]]));
      await tube.send_many(self, t, packets);
      const counters = [self.port_info(t, 'packets'), self.port_info(t, 'drops')];
      await tube.close(self, t);
      return counters.map((item) => (item as [string, unknown])[1]) as [[number, number], number];
    });
    await end;
    expect(drops).toBeGreaterThan(0);
    expect(sent[0] + drops).toBe(packets.length);
    expect(got.length).toBe(sent[0]);
    const numbers = got.map((text) => Number(/^packet (\d+)\n/.exec(text)?.[1]));
    expect(numbers).toEqual([...numbers].sort((x, y) => x - y));
  });

  const BUFFER = Buffer.from('b');
  const IODATA: [name: string, IoData, bytes: string][] = [
    ['a Buffer', BUFFER, 'b'],
    ['text', 'tä', 'tä'],
    ['Uint8Arrays', [BUFFER, new Uint8Array([0x63]), BUFFER], 'bcb'],
    ['text and bytes, nested', ['h', [0x69, [BUFFER, ['!']]], ''], 'hib!'],
    [
      '4096 bytes in two pieces',
      [Buffer.alloc(2000, 'x'), Buffer.alloc(2096, 'y')],
      'x'.repeat(2000) + 'y'.repeat(2096),
    ],
  ];
  test.each(IODATA)('%s goes as what it is, alone and among many', async (_name, data, bytes) => {
    const [one, other] = await End.pair(a, b, 0, [['ring', ring]]);
    one.self.port_command(one.tube, data);
    await tube.send_many(one.self, one.tube, [data, BUFFER, data]);
    await eventually(() => other.got.length, 4);
    expect(other.got).toEqual([bytes, bytes, 'b', bytes]);
  });

  const NO_PACKETS: [name: string, unknown][] = [
    ['nothing', Buffer.alloc(0)],
    ['an empty list', []],
    ['4097 bytes', Buffer.alloc(4097)],
    ['4097 bytes in two pieces', [Buffer.alloc(2000), Buffer.alloc(2097)]],
    ['a number', 7],
    ['a list with a float', [1.5]],
    ['undefined', undefined],
  ];
  test.each(NO_PACKETS)('%s among many raises badarg; what is before it is sent', async (_name, data) => {
    const [one, other] = await End.pair(a, b, 0, [['ring', ring]]);
    const many = [BUFFER, data as IoData, BUFFER];
    await expect(tube.send_many(one.self, one.tube, many)).rejects.toMatchObject({ reason: 'badarg' });
    await eventually(() => other.got, ['b']);
    expect(one.self.port_info(one.tube, 'output')).toEqual(['output', 1]);
  });

  test('a tube that closes meanwhile raises badarg', async () => {
    const accepted = b.run(async (self) => {
      // Nothing is received, so that the sender has to wait.
      const t = ok(await tube.accept(self, [['active', false]]));
      await tube.recv(self, t);
      await tube.close(self, t);
    });
    await a.run(async (self) => {
      self.process_flag('trap_exit', true);
      const t = ok(
        await tube.open(self, b.domid, 0, [
          ['full', 'busy'],
          ['ring', ring],
        ]),
      );
      await expect(tube.send_many(self, t, MANY)).rejects.toMatchObject({ reason: 'badarg' });
    });
    await accepted;
  });
});

/** What comes out of the next tube to b, until that is closed. */
function collect(): { got: string[]; end: Promise<void> } {
  const got: string[] = [];
  const end = b.run(async (self) => {
    self.process_flag('trap_exit', true);
    const t = ok(await tube.accept(self));
    for (;;) {
      const [from, what] = (await self.receive()) as [unknown, unknown];
      if (from !== t) return;
      got.push(String((what as [string, Buffer])[1]));
    }
  });
  return { got, end };
}
