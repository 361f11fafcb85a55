/** The tests that every question of a benchmark has to pass; speed is nobody's business here. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from './run';

export interface Asked {
  /** What it printed. */
  readonly output: string;
  readonly report: Report;
}

interface Report {
  machine: Record<string, unknown>;
  questions: {
    name: string;
    measures: { key: string }[];
    results: {
      subject: string;
      who: string;
      samples: Record<string, number>[];
      spreads: Record<string, Spread>;
      ratios: Record<string, Spread>;
    }[];
  }[];
}

interface Spread {
  median: number;
  min: number;
  max: number;
}

/** Runs dist/bench/`main`.js with `--quick`, and more options. */
export async function askBench(
  main: string,
  names: readonly string[],
  env: Readonly<Record<string, string>> = {},
  more: readonly string[] = [],
): Promise<Asked> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'ling-tubes-bench-test-'));
  try {
    const json = path.join(directory, 'report.json');
    const args = [
      path.resolve(`dist/bench/${main}.js`),
      '--quick',
      '--json',
      json,
      '--only',
      ...names,
      ...more,
    ];
    const { status, stdout, stderr } = await run(process.execPath, args, { env, patience: 80_000 });
    expect([status, stderr]).toEqual([0, '']);
    return { output: stdout, report: JSON.parse(readFileSync(json, 'utf8')) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** In the order of the table. */
export function whoIsAskedFor({ report }: Asked, subject: string): string[] {
  const results = report.questions.flatMap(({ results }) => results);
  return results.filter((result) => result.subject === subject).map(({ who }) => who);
}

/** `more` tests can look at what was answered once they run. */
export function describeQuestion(main: string, name: string, more: (asked: () => Asked) => void = () => {}) {
  describe(`${main} --quick --only ${name}`, () => {
    let asked: Asked;
    beforeAll(async () => {
      asked = await askBench(main, [name]);
    }, 90_000);

    test('says on what machine it ran', () => {
      expect(Object.keys(asked.report.machine).sort()).toEqual(
        ['commit', 'cores', 'cpu', 'date', 'kernel', 'load', 'node'].sort(),
      );
      expect(asked.output).toContain(process.version);
    });

    test('says that it is not to be quoted, and of one round no medians', () => {
      expect(asked.output).toContain('quick: to see that it works, not to quote');
      expect(asked.output).not.toContain('Median');
    });

    test('has a finite figure for every measure of every case, within its spread', () => {
      const [question, ...others] = asked.report.questions;
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

    test('has the ratios of the first case of a subject to the others', () => {
      const { results } = asked.report.questions[0]!;
      for (const result of results) {
        const first = results.find(({ subject }) => subject === result.subject)!;
        for (const [key, { median }] of Object.entries(result.ratios))
          expect(median).toBe(first.spreads[key]!.median / result.spreads[key]!.median);
        if (result === first) expect(result.ratios).toEqual({});
      }
    });

    test('prints a Markdown table with a row for every case', () => {
      const [, section] = asked.output.split(/^## /m);
      const rows = section!.split('\n').filter((line) => line.startsWith('|'));
      expect(rows).toHaveLength(2 + asked.report.questions[0]!.results.length);
      expect(new Set(rows.map((row) => row.split('|').length)).size).toBe(1);
      expect(rows[1]).toMatch(/^[|-]+$/);
    });

    more(() => asked);
  });
}
