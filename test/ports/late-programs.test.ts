/**
 * The owner computes while its program ends, or closes its input, and then sends: Erlang has heard of it all, and tells what
 * came before first. One at a time, as nothing else runs meanwhile.
 */
import { parseObserved } from '../support/erlang-world';
import { changesSince, eventually, holdings } from '../support/residue';
import { play, scripts } from './program-scripts';

jest.setTimeout(60_000);

const before = holdings();
afterAll(() => eventually(() => changesSince(before), []));

const late = scripts.filter(({ id }) => id.startsWith('late: '));

test.each(late.map((script) => [script.id, script] as const))('%s', async (_, script) => {
  const expected = parseObserved(script.observed) as unknown[];
  expect(await play(script, expected)).toStrictEqual(expected);
});

test('there are some', () => expect(late.length).toBeGreaterThan(30));
