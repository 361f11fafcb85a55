import path from 'node:path';
import { describeQuestion } from '../support/ask-bench';
import { run } from '../support/run';

describeQuestion('main', 'round-trip');
describeQuestion('main', 'footprint');
describeQuestion('main', 'port-program');
describeQuestion('main', 'ports');
describeQuestion('main', 'restart', (asked) => {
  test('all come back, and nothing is lost', () => {
    for (const { samples } of asked().report.questions[0]!.results)
      expect(samples[0]).toMatchObject({ back: expect.any(Number), lost: 0 });
  });
});
describeQuestion('main', 'throughput', (asked) => {
  test('nothing is lost', () => {
    for (const { samples } of asked().report.questions[0]!.results) expect(samples[0]!.lost).toBe(0);
  });
});

test.each([
  ['main', ['--only', 'nonsense'], 'throughput, round-trip, footprint, port-program, ports, restart'],
  ['main', ['--rounds', '0'], 'positive integer'],
  ['actors', ['--only', 'ring', 'nonsense'], 'ping-pong, flood, spawn, ring, select, call, idle, million'],
  ['xenstore', ['--only', 'nonsense'], 'requests, watches, transactions, nodes, listing, commands'],
])('%s: %j is refused', async (main, args, reason) => {
  const { status, stderr } = await run(process.execPath, [path.resolve(`dist/bench/${main}.js`), ...args]);
  expect(status).toBe(1);
  expect(stderr).toContain(reason);
});
