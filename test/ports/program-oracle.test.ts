/** Each case was run on Erlang/OTP 25 with real programs; our ports of the same programs have to give the same answer. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseObserved } from '../support/erlang-world';
import { changesSince, eventually, holdings } from '../support/residue';
import { portCases } from './port-cases';
import { programCases } from './program-cases';
import { ProgramWorld } from './program-world';

interface Line {
  id: string;
  description: string;
  scope: string;
  observed_term: unknown;
}

const lines = ['otp25-programs', 'otp25-ports']
  .flatMap((name) =>
    readFileSync(join(__dirname, `../fixtures/erlang/${name}.jsonl`), 'utf8')
      .trimEnd()
      .split('\n'),
  )
  .map((line): Line => JSON.parse(line))
  .filter(({ scope }) => scope !== 'driver');

const cases = { ...portCases, ...programCases };

/** Cases that do not apply, and why. */
const DIFFERENT: Record<string, string> = {
  cmd_021: 'there is no logger to tell of bad data',
  cmd_022: 'there are no bit strings',
};

const before = holdings();
afterAll(() => eventually(() => changesSince(before), []));

test('every case is played on a program or has a reason not to be', () => {
  expect([...Object.keys(cases), ...Object.keys(DIFFERENT)].sort()).toEqual(lines.map(({ id }) => id).sort());
});

// Several at once, as they wait most of the time.
for (const { id, description, observed_term } of lines) {
  const play = cases[id];
  if (play === undefined) continue;
  test.concurrent(`${id}: ${description}`, async () => {
    expect(await ProgramWorld.observe(play as never)).toStrictEqual(parseObserved(observed_term));
  });
}
