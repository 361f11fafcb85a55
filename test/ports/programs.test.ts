/** Each script was run on Erlang/OTP 25 by programs.escript; ours have to observe the same at every step. */
import { parseObserved } from '../support/erlang-world';
import { changesSince, eventually, holdings } from '../support/residue';
import { play, scripts } from './program-scripts';

jest.setTimeout(60_000);

const before = holdings();
afterAll(() => eventually(() => changesSince(before), []));

/** What a program is that ends by signals which Erlang's are born to ignore. */
const NOT_IGNORED: Record<string, number> = { 'end: signal 8': 128 + 8, 'end: signal 13': 128 + 13 };

// Several at once, as they wait most of the time.
for (const script of scripts) {
  const { id, observed } = script;
  if (id.startsWith('late: ')) continue;
  test.concurrent(id, async () => {
    const status = NOT_IGNORED[id];
    const expected = parseObserved(observed) as unknown[];
    if (status !== undefined) expected[1] = ['<Port>', ['exit_status', status]];
    expect(await play(script, expected)).toStrictEqual(expected);
  });
}
