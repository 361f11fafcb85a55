/** What OTP's supervisor was seen to do (see fixtures/supervisor/record.js), again with ours. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Runtime } from '#actors/runtime';
import { play, type Scenario } from '../fixtures/supervisor/play';
import { runProcess } from '../support/run-process';

interface Recorded {
  readonly scenario: Scenario;
  readonly result: unknown[];
}

const recorded = readFileSync(path.join(__dirname, '../fixtures/supervisor/otp25.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line): Recorded => JSON.parse(line));

/** One test each for those of a strategy and kinds of steps: there are thousands of them. */
const groups = new Map<string, Recorded[]>();
for (const each of recorded) {
  const [flags, , steps] = each.scenario;
  const { strategy = 'one_for_one' } = flags as { strategy?: string };
  const name = [strategy, ...new Set(steps.map(([verb]) => verb))].join(' ');
  groups.set(name, [...(groups.get(name) ?? []), each]);
}

test('there are scenarios of each strategy', () => {
  const strategies = new Set([...groups.keys()].map((name) => name.split(' ')[0]));
  expect(strategies).toEqual(
    new Set(['one_for_one', 'one_for_all', 'rest_for_one', 'simple_one_for_one', 'all_for_one']),
  );
  expect(recorded.length).toBeGreaterThan(3000);
});

test.each([...groups])('%s', async (_name, scenarios) => {
  for (const { scenario, result } of scenarios) {
    const runtime = new Runtime({ onCrash: () => {} });
    const seen = await runProcess(runtime, (self) => {
      self.process_flag('trap_exit', true);
      return play(self, scenario);
    });
    runtime.stop();
    expect({ scenario, seen }).toEqual({ scenario, seen: result });
  }
});
