/** Each case was run on Erlang/OTP 25 by neighbours.escript; our processes have to give the same answer. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { echoDriver } from '#ports/drivers/echo';
import { PortRuntime } from '#ports/port-runtime';
import { observe, parseObserved } from '../support/erlang-world';
import { functionCases } from './neighbour-functions';
import { relationCases } from './neighbour-relations';
import { NeighbourWorld } from './neighbour-world';

const cases = { ...relationCases, ...functionCases };

const lines: { id: string; observed_term: unknown }[] = readFileSync(
  join(__dirname, '../fixtures/erlang/neighbours.jsonl'),
  'utf8',
)
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line));

test('every case is played', () => {
  expect(Object.keys(cases).sort()).toEqual(lines.map(({ id }) => id).sort());
});

for (const { id, observed_term } of lines) {
  const play = cases[id];
  if (play === undefined) continue;
  test(id, async () => {
    const runtime = new PortRuntime({ onCrash: () => {} });
    runtime.addDriver(echoDriver);
    expect(await observe(runtime, NeighbourWorld, play)).toStrictEqual(parseObserved(observed_term));
  });
}
