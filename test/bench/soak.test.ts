/** The soak: that it would find what it looks for, and that for a few seconds there is nothing. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Book, Ledger, type Mode } from '#bench/soak/books';
import { Packets } from '#bench/soak/packets';
import { growthOf } from '#bench/soak/report';
import { run } from '../support/run';

const SOAK = path.resolve('dist/bench/soak.js');
const MODES: readonly Mode[] = ['lossless', 'drop'];

describe('a packet', () => {
  const NUMBERS = [0, 1, 2, 3, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 47 + 12_345];

  test.each(NUMBERS.flatMap((number) => [0, 100].map((large) => ({ number, large }))))(
    'of number $number, $large % large, is right, and is not when any byte of it is wrong, or its size',
    ({ number, large }) => {
      const packets = new Packets(7, large);
      const packet = packets.make(number, Buffer.alloc);
      expect(packets.faultOf(packet, number)).toBeUndefined();
      for (let i = 0; i < packet.length; i++) {
        packet[i] = (packet[i] as number) ^ 1;
        expect(packets.faultOf(packet, number)).toBeDefined();
        packet[i] = (packet[i] as number) ^ 1;
      }
      expect(packets.faultOf(packet.subarray(0, -1), number)).toBeDefined();
      expect(packets.faultOf(Buffer.concat([packet, Buffer.alloc(1)]), number)).toBeDefined();
      expect(packets.faultOf(packets.make(number + 1, Buffer.alloc), number)).toBeDefined();
      expect(new Packets(8, large).faultOf(packet, number)).toBeDefined();
    },
  );

  test('of one size with the number of one and the bytes of another is torn', () => {
    const packets = new Packets(7, 0);
    const bySize = new Map<number, number>();
    for (let number = 0; number < 1000; number++) {
      const packet = packets.make(number, Buffer.alloc);
      const twin = bySize.get(packet.length);
      bySize.set(packet.length, number);
      if (twin === undefined || packet.length < 12) continue;
      packets.make(twin, Buffer.alloc).copy(packet, 8, 8);
      expect(packets.faultOf(packet, number)).toBe('is torn');
    }
  });

  test('has all sizes that there may be', () => {
    const sizesOf = (large: number, count: number) => {
      const packets = new Packets(1, large);
      return new Set(Array.from({ length: count }, (_, number) => packets.make(number, Buffer.alloc).length));
    };
    const small = [...sizesOf(0, 3000)].sort((a, b) => a - b);
    expect(small).toEqual(Array.from({ length: 57 }, (_, i) => 8 + i));
    const all = [...sizesOf(100, 60_000)];
    expect([Math.min(...all), Math.max(...all)]).toEqual([8, 4096]);
    expect(all.length).toBeGreaterThan(4000);
  });
});

describe.each(MODES)('the book of a tube, %s', (mode) => {
  const packets = new Packets(3, 50);
  const packet = (number: number) => packets.make(number, Buffer.alloc);
  const take = (...taken: readonly Buffer[]) => {
    const book = new Book({ lane: 1, generation: 2 }, packets, mode);
    for (const each of taken) book.take(each);
    return book.received;
  };

  test('takes what comes in order', () => {
    expect(take(packet(0), packet(1), packet(2))).toBe(3);
  });

  test.each([
    ['doubled', [packet(0), packet(0)]],
    ['reordered', [packet(1), packet(0)]],
    ['torn', [Buffer.concat([packet(0).subarray(0, 8), packet(1).subarray(8)])]],
    ['no packet', [Buffer.alloc(3)]],
  ])('refuses what is %s', (_, wrong) => {
    expect(() => take(...wrong)).toThrow(/^tube 2 of lane 1: packet /);
  });

  test(mode === 'drop' ? 'takes it that one is missing' : 'refuses it that one is missing', () => {
    if (mode === 'drop') expect(take(packet(0), packet(2))).toBe(2);
    else expect(() => take(packet(0), packet(2))).toThrow('packet 2 comes where 1 is the next');
  });
});

describe('the books of both sides', () => {
  const name = { lane: 0, generation: 0 };

  test.each(MODES)('%s: balance when all of it has been received', (mode) => {
    const ledger = new Ledger(mode);
    ledger.addReceived(name, 3);
    expect(ledger.isClosed).toBe(false);
    ledger.addSent(name, { made: 3, written: 3, dropped: 0 });
    expect([ledger.isClosed, ledger.tubes, ledger.total]).toEqual([
      true,
      1,
      { made: 3, dropped: 0, received: 3 },
    ]);
  });

  test.each<[Mode, number, number, number, number]>([
    ['lossless', 3, 3, 0, 2],
    ['lossless', 3, 2, 1, 2],
    ['drop', 3, 3, 0, 2],
    ['drop', 3, 2, 0, 2],
    ['drop', 3, 2, 1, 1],
    ['drop', 3, 2, 2, 2],
  ])(
    '%s: do not for %d made, %d written, %d dropped, %d received',
    (mode, made, written, dropped, received) => {
      const ledger = new Ledger(mode);
      ledger.addSent(name, { made, written, dropped });
      expect(() => ledger.addReceived(name, received)).toThrow('tube 0 of lane 0: the books do not balance');
    },
  );

  test('balance with drops that are counted', () => {
    const ledger = new Ledger('drop');
    ledger.addSent(name, { made: 3, written: 2, dropped: 1 });
    ledger.addReceived(name, 2);
    expect(ledger.total).toEqual({ made: 3, dropped: 1, received: 2 });
  });
});

test('growth is that from the second quarter to the last', () => {
  const holder = (rss: number) => ({ rss, pss: 0, descriptors: 0, threads: 0, cpu: 0, switches: 0 });
  const samples = Array.from({ length: 16 }, (_, seconds) => ({
    ...{ seconds, packets: 0, dropped: 0, tubes: 0 },
    holders: [holder(seconds), holder(10), holder(2 * seconds)],
  }));
  expect(growthOf(samples)).toEqual([
    [5.5, 13.5],
    [10, 10],
    [11, 27],
  ]);
  expect(growthOf(samples.slice(1))).toBeUndefined();
});

describe('npm run soak', () => {
  test.each(MODES)(
    '%s: the books balance after some seconds, and there is a report',
    async (mode) => {
      const directory = mkdtempSync(path.join(os.tmpdir(), 'ling-tubes-soak-test-'));
      try {
        const args = ['--mode', mode, '--seconds', '3', '--seed', '7', '--longest', '20000', '--every', '1'];
        const { status, stdout, stderr } = await run(
          process.execPath,
          [SOAK, ...args, '--report', directory],
          { patience: 80_000 },
        );
        expect([status, stderr]).toEqual([0, '']);
        const found =
          /^(lossless|drop), seed 7: ([\d,]+) packets through ([\d,]+) tubes in \d+ s: (.*)$/m.exec(stdout);
        const [, said, packets, tubes, books] = found as RegExpExecArray;
        expect(said).toBe(mode);
        expect(Number(packets!.replaceAll(',', ''))).toBeGreaterThan(1000);
        expect(Number(tubes!.replaceAll(',', ''))).toBeGreaterThan(4);
        expect(books).toContain(
          mode === 'lossless' ? 'none lost, doubled, reordered or torn' : ' dropped = ',
        );
        const charts = ['descriptors', 'packets', 'rss', 'threads'].map((name) => `soak-${name}.svg`);
        expect(readdirSync(directory).sort()).toEqual(['report.md', ...charts]);
        const page = readFileSync(path.join(directory, 'report.md'), 'utf8');
        for (const text of [found![0], ...charts.map((chart) => `](${chart})`)]) expect(page).toContain(text);
        const svg = readFileSync(path.join(directory, 'soak-rss.svg'), 'utf8');
        for (const text of ['lingd', 'RSS']) expect(svg).toContain(`>${text}<`);
      } finally {
        rmSync(directory, { recursive: true });
      }
    },
    90_000,
  );

  test('load: domains, tubes, storms; everything goes on, and what is refused has a reason', async () => {
    const args = ['--domains', '20', '--tubes', '100', '--peers', '40', '--storm', '200', '--together', '10'];
    const { status, stdout, stderr } = await run(process.execPath, [SOAK, 'load', ...args], {
      patience: 80_000,
    });
    // What lingd has to say of it, and nothing else.
    expect(stderr.replace(/^.* lingd\[\d+\] warn: out of descriptors: .*\n/gm, '')).toBe('');
    expect(status).toBe(0);
    for (const found of [
      /^100 tubes: 100 ok /m,
      /^40 tubes to as many domains, opened by one at once: 40 ok /m,
      /^connections to socket, more than lingd has descriptors: a tube: 1 closed /m,
      /^connections to domain, more than lingd has descriptors: a tube: 1 closed /m,
    ])
      expect(stdout).toMatch(found);
    const steps = stdout.split('\n').filter((line) => line.startsWith('tubes, '));
    expect(steps.length).toBeGreaterThan(5);
    for (const step of steps) expect(step).toContain(': 100 go on ');
  }, 90_000);
});
