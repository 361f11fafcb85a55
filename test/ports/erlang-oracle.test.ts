/** Each case was run on Erlang/OTP 25; our ports have to give the same answer. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseObserved } from '../support/erlang-world';
import { driverCases } from './driver-cases';
import { portCases } from './port-cases';
import { PortWorld } from './port-world';

interface Line {
  id: string;
  description: string;
  scope: 'any_port' | 'driver';
  observed_term: unknown;
}

const lines: Line[] = readFileSync(join(__dirname, '../fixtures/erlang/otp25-ports.jsonl'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line));

/** Cases that do not apply (yet), and why. */
const DIFFERENT: Record<string, string> = {
  bang_017:
    'an external program takes its time to answer, and a closing discards that; echo has answered by then',
  cmd_004: 'zero bytes do not come through a pipe; a driver is handed them, see drv_007',
  cmd_021: 'there is no logger to tell of bad data',
  cmd_022: 'there are no bit strings',
  drv_015: 'there are no bit strings',
  ctl_005: 'there are no bit strings; atoms are text, which is iodata',
  drv_021: 'a message is a value: none is malformed',
  info_002: 'only external programs have an os_pid; with a driver it is undefined, see drv_008',
};

const cases = { ...portCases, ...driverCases };

test('every case is played or has a reason not to be', () => {
  const ids = lines.map(({ id }) => id);
  expect([...Object.keys(portCases), ...Object.keys(driverCases), ...Object.keys(DIFFERENT)].sort()).toEqual(
    [...ids].sort(),
  );
});

for (const { id, description, observed_term } of lines) {
  const play = cases[id];
  if (play === undefined) continue;
  test(`${id}: ${description}`, async () => {
    expect(await PortWorld.observe(play)).toStrictEqual(parseObserved(observed_term));
  });
}
