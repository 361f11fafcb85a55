import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from '../support/run';

const MAIN = path.resolve('dist/bench/main.js');
const directory = mkdtempSync(path.join(os.tmpdir(), 'ling-tubes-bench-test-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Report {
  machine: Record<string, unknown>;
  questions: {
    name: string;
    measures: { key: string }[];
    results: {
      subject: string;
      who: string;
      samples: Record<string, number>[];
      spreads: Record<string, { median: number; min: number; max: number }>;
      ratios: Record<string, { median: number }>;
    }[];
  }[];
}

// One run of each; speed is nobody's business here.
describe.each(['throughput', 'round-trip', 'footprint'])('bench --quick --only %s', (name) => {
  const json = path.join(directory, `${name}.json`);
  let output: string;
  let report: Report;

  beforeAll(async () => {
    const args = [MAIN, '--quick', '--only', name, '--json', json];
    const { status, stdout, stderr } = await run(process.execPath, args, { patience: 80_000 });
    expect([status, stderr]).toEqual([0, '']);
    output = stdout;
    report = JSON.parse(readFileSync(json, 'utf8'));
  }, 90_000);

  test('says on what machine it ran', () => {
    expect(Object.keys(report.machine).sort()).toEqual(
      ['commit', 'cores', 'cpu', 'date', 'kernel', 'load', 'node'].sort(),
    );
    expect(output).toContain(process.version);
  });

  test('has a finite figure for every measure of every case, within its spread', () => {
    const [question, ...others] = report.questions;
    expect(question?.name).toBe(name);
    expect(others).toEqual([]);
    for (const { samples, spreads } of question!.results) {
      expect(samples).toHaveLength(1);
      for (const { key } of question!.measures) {
        const { median, min, max } = spreads[key]!;
        expect(median).toBe(samples[0]![key]);
        expect([min, max]).toEqual([median, median]);
        expect(median).toBeGreaterThanOrEqual(0);
        expect(Number.isFinite(median)).toBe(true);
      }
    }
  });

  test('prints a Markdown table with a row for every case', () => {
    const rows = output.split('\n').filter((line) => line.startsWith('|'));
    expect(rows).toHaveLength(2 + report.questions[0]!.results.length);
    expect(new Set(rows.map((row) => row.split('|').length)).size).toBe(1);
    expect(rows[1]).toMatch(/^[|-]+$/);
  });

  if (name !== 'throughput') return;
  test('nothing is lost', () => {
    for (const { samples } of report.questions[0]!.results) expect(samples[0]!.lost).toBe(0);
  });
});

test.each([
  [['--only', 'nonsense'], 'throughput, round-trip, footprint'],
  [['--rounds', '0'], 'positive integer'],
])('%j is refused', async (args, reason) => {
  const { status, stderr } = await run(process.execPath, [MAIN, ...args]);
  expect(status).toBe(1);
  expect(stderr).toContain(reason);
});
