/** Errors of the operating system, and what is none, by each way in which a driver can say one. */
import { isDown } from '#actors/messages';
import type { DriverInstance, DriverPort } from '#ports/driver';
import { PortRuntime } from '#ports/port-runtime';
import type { Self } from '#ports/self';
import { runProcess } from '../support/run-process';

let runtime: PortRuntime;
beforeEach(() => {
  runtime = new PortRuntime();
});
afterEach(() => runtime.stop());

const error = (properties: object): Error => Object.assign(new Error('why'), properties);

/** What it is called; undefined for what is none of the operating system's. */
const ERRORS: [what: string, error: Error, name: string | undefined][] = [
  ['as Node raises it', error({ code: 'ENOENT', errno: -2 }), 'enoent'],
  ['with its name alone', error({ code: 'ENOENT' }), 'enoent'],
  ['of those that Node has no constant for', error({ code: 'EHOSTDOWN' }), 'ehostdown'],
  ['of the resolver', error({ code: 'EAI_AGAIN', errno: -3001 }), 'eai_again'],
  ['of Node', error({ code: 'ERR_INVALID_ARG_TYPE' }), undefined],
  ['that looks like one', error({ code: 'EWHAT' }), undefined],
  ['without any', error({}), undefined],
];

/** By each: what who opens the port is raised, or the reason of its end. */
const WAYS: Record<string, (port: DriverPort, error: Error) => DriverInstance> = {
  start(_port, error) {
    throw error;
  },
  init_ack(port, error) {
    setImmediate(() => port.init_ack(error));
    return {};
  },
};

describe.each(ERRORS)('an error %s', (_what, error, name) => {
  test.each(Object.keys(WAYS))('by %s is raised by its name, or as it is', async (way) => {
    const useInitAck = way === 'init_ack';
    runtime.addDriver({ name: 'failing', useInitAck, start: (port) => WAYS[way]!(port, error) });
    await run(async (self) => {
      const opening = self.openPortAsync('failing');
      if (name === undefined) await expect(opening).rejects.toBe(error);
      else await expect(opening).rejects.toMatchObject({ name: 'ErlangError', reason: name, message: 'why' });
    });
  });

  test('by failure_posix and exit is the reason, or unknown', async () => {
    for (const way of ['failure_posix', 'exit'] as const) {
      expect(await reasonOf((port) => port[way](error))).toBe(name ?? 'unknown');
    }
  });
});

test.each([
  [2, 'enoent'],
  [-2, 'enoent'],
  ['ENOENT', 'enoent'],
  ['enoent', 'enoent'],
  ['EHOSTDOWN', 'ehostdown'],
  [123_456, 'unknown'],
  [0, 'unknown'],
])('failure_posix(%j): %s', async (given, reason) => {
  expect(await reasonOf((port) => port.failure_posix(given))).toBe(reason);
});

test.each(['EWHAT', 'what', '', { code: 'EWHAT' }])('failure_posix(%j) is refused', async (given) => {
  expect(await reasonOf((port) => port.failure_posix(given as string))).toEqual([
    ['TypeError', Buffer.from(message(given))],
    expect.anything(),
  ]);
});

function message(given: unknown): string {
  const shown = typeof given === 'string' ? `'${given}'` : "{ code: 'EWHAT' }";
  return `error has to be the number or the name of an error of the operating system, or an Error, not ${shown}`;
}

/** How a port ends whose driver does that. */
async function reasonOf(end: (port: DriverPort) => void): Promise<unknown> {
  return run(async (self) => {
    self.process_flag('trap_exit', true);
    runtime.addDriver({ name: 'ending', start: (port) => ({ output: () => end(port) }) });
    const port = self.open_port('ending');
    // Its owner is not told by exit.
    self.monitor('port', port);
    self.port_command(port, 'x');
    const [, , , , reason] = (await self.receive(isDown(), { after: 5000 })) ?? [];
    return reason;
  });
}

function run<T>(body: (self: Self) => T): Promise<Awaited<T>> {
  return runProcess(runtime, body) as Promise<Awaited<T>>;
}
