/** Whatever is wrong with an argument about a port is badarg, and says which it is and why. */
import { ErlangError } from '#actors/errors';
import type { Port } from '#actors/identifiers';
import { spawnDriver } from '#ports/drivers/spawn';
import { PortRuntime } from '#ports/port-runtime';
import type { Self } from '#ports/self';
import { runProcess } from '../support/run-process';

let runtime: PortRuntime;
beforeEach(() => {
  runtime = new PortRuntime();
  runtime.addDriver(spawnDriver);
  runtime.addDriver({ name: 'plain', options: ['busy_limits_port'], start: () => ({ output() {} }) });
});
afterEach(() => runtime.stop());

const OPTIONS: [option: unknown, message: string][] = [
  [['packet', 3], 'the option packet has to be 1, 2 or 4, not 3'],
  [['line', 0], 'the option line has to be a positive number of bytes, not 0'],
  [['cd', 3], 'the option cd has to be text or bytes, not 3'],
  [['arg0', 3], 'the option arg0 has to be text or bytes, not 3'],
  [['args', ['a', 1]], "the option args has to be a list of text or bytes, not [ 'a', 1 ]"],
  [['env', 'A=b'], "false, and no = in a name, not 'A=b'"],
  [['env', [['A', 'b'], 'C=d']], "false, and no = in a name, not 'C=d'"],
  [['env', [['A=', 'b']]], "false, and no = in a name, not [ 'A=', 'b' ]"],
  [['parallelism', 1], 'the option parallelism has to be a boolean, not 1'],
  [['binary', 1], 'the option binary has to be given alone, not 1'],
  [
    ['busy_limits_port', 'x'],
    "the option busy_limits_port has to be 'disabled', or [low, high] in bytes, not 'x'",
  ],
  [
    ['busy_limits_port', [0, 1]],
    "busy_limits_port has to be 'disabled', or [low, high] in bytes, not [ 0, 1 ]",
  ],
  [['busy_limits_msgq', [1]], "busy_limits_msgq has to be 'disabled', or [low, high] in bytes, not [ 1 ]"],
  ['binari', 'plain has no option binari'],
];
test.each(OPTIONS)('the option %j: %s', async (option, message) => {
  await run((self) => expectBadarg(() => self.open_port('plain', [option as string]), message));
});

test.each<[name: unknown, message: string]>([
  [7, '7 is no name of a port'],
  [['spawn'], "[ 'spawn' ] is no name of a port"],
  ['spawn', "'spawn' is no name of a port"],
  [['spawn_driver', 'fd 1'], "[ 'spawn_driver', 'fd 1' ] is no name of a port"],
])('the name %j: %s', async (name, message) => {
  await run((self) => expectBadarg(() => self.open_port(name as string), message));
});

const CALLS: [why: string, call: (self: Self, port: Port) => unknown, message: string][] = [
  [
    'data',
    (self, port) => self.port_command(port, 7 as never),
    'data are bytes, text, or lists of these and of bytes as numbers, not 7',
  ],
  ['a part of data', (self, port) => self.port_command(port, ['a', [256]]), 'as numbers, not 256'],
  [
    'an item',
    (self, port) => self.port_info(port, 'colour'),
    "port_info has no item 'colour' of driver plain",
  ],
  ['a port', (self) => self.port_info(7 as never), '7 is no port'],
  ['control', (self, port) => self.port_control(port, 1, ''), 'driver plain has no callback control'],
  ['call', (self, port) => self.port_call(port, 1, ''), 'driver plain has no callback call'],
];
test.each(CALLS)('%s', async (_why, call, message) => {
  await run((self) => {
    const port = self.open_port('plain');
    expectBadarg(() => call(self, port), message);
    expect(self.port_command(port, 'unharmed')).toBe(true);
  });
});

function run(body: (self: Self) => unknown): Promise<unknown> {
  return runProcess(runtime, body);
}

function expectBadarg(call: () => unknown, message: string): void {
  let raised: unknown;
  try {
    call();
  } catch (error) {
    raised = error;
  }
  expect(raised).toBeInstanceOf(ErlangError);
  expect(raised).toMatchObject({ reason: 'badarg', message: expect.stringContaining(message) });
}
