import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { askBench, describeQuestion, whoIsAskedFor } from '../support/ask-bench';
import { run } from '../support/run';

/** Whether the machine allows what a veth pair takes; the benchmark has to find that out by itself. */
const VETH =
  spawnSync('unshare', process.getuid?.() === 0 ? ['--net', 'true'] : ['--map-root-user', '--net', 'true'])
    .status === 0
    ? ['veth']
    : [];
const STREAMS = ['tube', 'unix socket', 'tcp'];
const RIVALS = [
  'tube',
  'tube (await)',
  'unix socket',
  'tcp',
  'pipe',
  'MessagePort',
  'child_process',
  'zeromq',
];

describeQuestion('main', 'round-trip', (asked) => {
  test.each([
    ['64 B, at once', RIVALS],
    ['64 B, after 2 ms', RIVALS],
    ['64 B, under load', STREAMS],
  ])('%s: %j', (subject, who) => {
    expect(whoIsAskedFor(asked(), subject)).toEqual(who);
  });

  test('percentiles ascend', () => {
    for (const { samples } of asked().report.questions[0]!.results) {
      const { p50, p99, p999 } = samples[0]!;
      expect(p50).toBeLessThanOrEqual(p99!);
      expect(p99).toBeLessThanOrEqual(p999!);
    }
  });
});
describeQuestion('main', 'footprint', (asked) => {
  test('what a tube adds is less than a domain has', () => {
    const { results } = asked().report.questions[0]!;
    const [domain, tube] = ['100 open tubes', 'of 100'].map(
      (who) => results.find((result) => result.who === who)!.samples[0]!,
    );
    expect(tube!.descriptors).toBeGreaterThan(0);
    for (const key of ['rss', 'pss', 'descriptors']) expect(100 * tube![key]!).toBeLessThan(domain![key]!);
  });
});
describeQuestion('main', 'opening', (asked) => {
  test.each(['one after the other', '32 at once'])('%s: percentiles ascend', (subject) => {
    expect(whoIsAskedFor(asked(), subject)).toEqual(['tube', 'unix socket']);
    for (const { samples } of asked().report.questions[0]!.results) {
      const { rate, p50, p99 } = samples[0]!;
      expect(rate).toBeGreaterThan(0);
      expect(p50).toBeLessThanOrEqual(p99!);
    }
  });
});
describeQuestion('main', 'port-program');
describeQuestion('main', 'ports');
describeQuestion('main', 'restart', (asked) => {
  test('all come back, and nothing is lost', () => {
    for (const { samples } of asked().report.questions[0]!.results)
      expect(samples[0]).toMatchObject({ back: expect.any(Number), lost: 0 });
  });
});
describeQuestion('main', 'aligner', (asked) => {
  test.each(
    ['search', 'echo'].flatMap((work) =>
      ['1 worker', '2 workers', '4 workers'].map((all) => `${work}, ${all}`),
    ),
  )('%s: reads are answered', (subject) => {
    expect(whoIsAskedFor(asked(), subject)).toEqual(['tube', 'unix socket']);
    for (const { samples } of asked().report.questions[0]!.results)
      expect(samples[0]!.reads).toBeGreaterThan(0);
  });
});
describeQuestion('main', 'throughput', (asked) => {
  test('nothing is lost, but by the veth pair', () => {
    const results = asked().report.questions[0]!.results.filter(({ who }) => who !== 'veth');
    for (const { samples } of results) expect(samples[0]!.lost).toBe(0);
  });

  test('all rivals, a veth pair where the machine allows one, and the C limit', () => {
    expect(whoIsAskedFor(asked(), '64 B')).toEqual([...RIVALS, ...VETH, 'C limit']);
    expect(asked().output.includes('veth is missing here')).toBe(VETH.length === 0);
    for (const { samples } of asked().report.questions[0]!.results)
      expect(samples[0]!.packets).toBeGreaterThan(0);
  });

  test('says what each guarantees, what others have published, and which figures are reached', () => {
    for (const who of RIVALS) expect(asked().output).toContain(`\n- ${who}: `);
    expect(asked().output).toMatch(/not measured here.*netmap/);
    expect(asked().output).toMatch(/^\| 64 B: of the C limit +\| +at least 35 % \| +\d+ % \| +(yes|no) \|$/m);
  });
});
describeQuestion('main', 'links', (asked) => {
  test.each([
    ['1 link', STREAMS],
    ['2 links', STREAMS],
    ['8 links', STREAMS],
    ['both directions', STREAMS],
    ['in turn over 1', ['tube']],
    ['in turn over 100', ['tube']],
  ])('64 B, %s: %j, nothing is lost', (subject, who) => {
    expect(whoIsAskedFor(asked(), `64 B, ${subject}`)).toEqual(who);
    for (const { samples } of asked().report.questions[0]!.results) expect(samples[0]!.lost).toBe(0);
  });
});
describeQuestion('main', 'offered', (asked) => {
  test.each(['64 B, 0.5 Mpps', '64 B, 0.5 Mpps, blocked'])(
    '%s: who is asked; what was dropped is what was offered and not delivered',
    (subject) => {
      expect(whoIsAskedFor(asked(), subject)).toEqual([
        'tube',
        'tube of 1 MiB',
        ...STREAMS.slice(1),
        ...VETH,
      ]);
      for (const { samples } of asked().report.questions[0]!.results) {
        const { delivered, dropped, share } = samples[0]!;
        expect(delivered).toBeGreaterThan(0);
        expect(share! > 0).toBe(dropped! > 0);
        expect(share).toBeLessThan(1000);
      }
    },
  );
});

test('--sizes, --rivals and --rounds choose; --report leaves a report with charts', async () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'ling-tubes-bench-report-'));
  try {
    const more = [
      '--sizes',
      '16,4096',
      '--rivals',
      'tube,unix socket',
      '--rounds',
      '2',
      '--report',
      directory,
    ];
    const { output, report } = await askBench('main', ['throughput', 'footprint'], {}, more);
    expect(report.questions.map(({ name }) => name)).toEqual(['throughput']);
    const { results } = report.questions[0]!;
    expect(results.map(({ subject, who, samples }) => [subject, who, samples.length])).toEqual(
      ['16 B', '4096 B'].flatMap((subject) => ['tube', 'unix socket'].map((who) => [subject, who, 2])),
    );
    const charts = ['throughput-cpu.svg', 'throughput-packets.svg'];
    expect(readdirSync(directory).sort()).toEqual(['report.md', ...charts]);
    const page = readFileSync(path.join(directory, 'report.md'), 'utf8');
    for (const line of output.split('\n')) expect(page).toContain(line);
    for (const chart of charts) {
      expect(page).toContain(`](${chart})`);
      const svg = readFileSync(path.join(directory, chart), 'utf8');
      expect(svg).toMatch(/^<svg .*<\/svg>$/s);
      for (const text of ['16 B', '4096 B', 'tube', 'unix socket']) expect(svg).toContain(`>${text}<`);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}, 90_000);

test('without a C++ compiler it says so, and compares the rest', async () => {
  const nothing = mkdtempSync(path.join(os.tmpdir(), 'ling-tubes-bench-path-'));
  try {
    const more = ['--rivals', 'tube,unix socket'];
    const asked = await askBench('main', ['throughput'], { PATH: nothing }, more);
    expect(asked.output).toContain('c++ is missing');
    expect(whoIsAskedFor(asked, '64 B')).toEqual(['tube', 'unix socket']);
  } finally {
    rmSync(nothing, { recursive: true });
  }
}, 90_000);

test('without network namespaces it says so, and compares the rest', async () => {
  const bench = [process.execPath, path.resolve('dist/bench/main.js'), '--quick', '--only', 'throughput'];
  const none = 'echo 0 > /proc/sys/user/max_net_namespaces; exec "$@"';
  // Where there are no user namespaces either, there are no others.
  const within = `unshare --map-root-user true || exec "$@"; exec unshare --map-root-user sh -c '${none}' sh "$@"`;
  const { stdout } = await run('sh', ['-c', within, 'sh', ...bench, '--rivals', 'tube,C limit'], {
    patience: 80_000,
  });
  expect(stdout).toMatch(/^- veth is missing here: network namespace: /m);
  expect(stdout).toMatch(/^\| 64 B, tube /m);
  expect(stdout).not.toMatch(/^\| 64 B, veth /m);
}, 90_000);

test.each([
  ['main', ['--sizes', '64,4097'], '5 to 4096 bytes'],
  ['main', ['--rivals', 'tube,nobody'], "nobody is called 'nobody', but tube"],
  ['main', ['--full', '--quick'], 'cannot be used with'],
  [
    'main',
    ['--only', 'nonsense'],
    'throughput, links, offered, round-trip, footprint, opening, port-program, ports, restart, aligner',
  ],
  ['main', ['--rounds', '0'], 'positive integer'],
  ['actors', ['--only', 'ring', 'nonsense'], 'ping-pong, flood, spawn, ring, select, call, idle, million'],
  ['xenstore', ['--only', 'nonsense'], 'requests, watches, transactions, nodes, listing, commands'],
])('%s: %j is refused', async (main, args, reason) => {
  const { status, stderr } = await run(process.execPath, [path.resolve(`dist/bench/${main}.js`), ...args]);
  expect(status).toBe(2);
  expect(stderr).toContain(reason);
});
