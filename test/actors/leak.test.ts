import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

interface Measured {
  count: number;
  report: Record<string, number>;
  growth: number;
}

const program = join(__dirname, '../fixtures/leaks.js');
const output = execFileSync(process.execPath, ['--expose-gc', program], { encoding: 'utf8' });
const { count, report, growth }: Measured = JSON.parse(output);

/** What the runtime remembers of the last receive, whoever's it was. */
const FEW = 3;

const { 'a promise that somebody has': foreign = 0, ...others } = report;

test.each(Object.entries(others))('nothing is left of who is killed in %s', (_, remaining) => {
  expect(remaining).toBeLessThanOrEqual(FEW);
});

test('a foreign promise that somebody has keeps the program that waits for it, but not the mailbox', () => {
  expect(foreign).toBeLessThanOrEqual(2 * count + FEW);
});

test('the heap does not grow with processes that have lived', () => {
  // One of them takes kilobytes.
  expect(growth).toBeLessThan(200);
});
