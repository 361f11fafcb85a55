/** A driver that throws ends its port, with the error as the reason, and nobody else; whichever callback it is. */
import { writeSync } from 'node:fs';
import path from 'node:path';
import { ErlangError } from '#actors/errors';
import type { Port } from '#actors/identifiers';
import { list } from '#actors/term';
import { closeFd, createPipe } from '#native';
import {
  type Driver,
  type DriverInstance,
  type DriverPort,
  ERL_DRV_READ,
  ERL_DRV_USE,
  ERL_DRV_WRITE,
} from '#ports/driver';
import { PortRuntime } from '#ports/port-runtime';
import type { Self } from '#ports/self';
import { eventually } from '../support/residue';
import { runProcess } from '../support/run-process';

const JOBS = path.join(__dirname, '../fixtures/async-job.cjs');

const crashes: unknown[] = [];
let runtime: PortRuntime;
let port: DriverPort;
/** Read end and write end. */
let pipe: [number, number];
let warning: jest.SpyInstance;

beforeEach(() => {
  runtime = new PortRuntime({ onCrash: (crash) => crashes.push(crash) });
  pipe = createPipe();
  warning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
});
afterEach(() => {
  runtime.stop();
  for (const fd of pipe) closeFd(fd);
  expect(crashes).toEqual([]);
  warning.mockRestore();
});

/** Runs `body` beside a port of another driver, which still has to answer in the end. */
function run(body: (self: Self) => unknown): Promise<unknown> {
  return runProcess(runtime, async (self) => {
    self.process_flag('trap_exit', true);
    runtime.addDriver({ name: 'neighbour', start: () => ({ call: (_, term) => term }) });
    const neighbour = self.open_port('neighbour');
    await body(self);
    expect(self.port_call(neighbour, 0, 'still there')).toBe('still there');
    expect(self.ports()).toEqual(list(neighbour));
  });
}

function driver(instance: DriverInstance, more: Partial<Driver> = {}): Driver {
  return {
    name: 'failing',
    start: (given) => {
      port = given;
      return instance;
    },
    ...more,
  };
}

function open(self: Self, instance: DriverInstance): Port {
  runtime.addDriver(driver(instance));
  return self.open_port('failing', ['binary']);
}

/** How each callback is brought about that the owner hears the end of. */
const CALLBACKS: Partial<Record<keyof DriverInstance, (self: Self, id: Port) => unknown>> = {
  output: (self, id) => self.port_command(id, 'x'),
  outputv: (self, id) => self.port_command(id, 'x'),
  control: (self, id) => ignore(() => self.port_control(id, 0, '')),
  call: (self, id) => ignore(() => self.port_call(id, 0, 'x')),
  info: (self, id) => ignore(() => self.port_info(id, 'of the driver')),
  timeout: () => port.set_timer(0),
  ready_input: () => {
    writeSync(pipe[1], 'x');
    port.select(pipe[0], ERL_DRV_READ + ERL_DRV_USE, true);
  },
  ready_output: () => port.select(pipe[1], ERL_DRV_WRITE + ERL_DRV_USE, true),
  stop_select: () => {
    port.select(pipe[0], ERL_DRV_READ + ERL_DRV_USE, true);
    port.select(pipe[0], ERL_DRV_READ + ERL_DRV_USE, false);
  },
  ready_async: () => port.async(undefined, { filename: JOBS, name: 'prefix', argument: 1 }),
  process_exit: (self) => port.monitor_process(self.spawn(() => {})),
};

/** They have no answer; what they raise then, or are rejected with, is of no interest here. */
async function ignore(job: () => unknown): Promise<void> {
  try {
    await job();
  } catch (error) {
    expect(error).toMatchObject({ reason: 'badarg' });
  }
}

const ERRORS: Record<string, [error: unknown, reason: unknown]> = {
  'an Error': [new RangeError('broken'), ['RangeError', Buffer.from('broken')]],
  'an ErlangError': [new ErlangError('broken'), 'broken'],
  'what is no Error': ['broken', ['nocatch', 'broken']],
};
/** Where badarg does not mean that the driver refuses. */
const NOBODY_ASKS = [
  'timeout',
  'ready_input',
  'ready_output',
  'stop_select',
  'ready_async',
  'process_exit',
] as const;

const CASES = [
  ...Object.keys(CALLBACKS).flatMap((name) => Object.keys(ERRORS).map((what) => [name, what] as const)),
  ...NOBODY_ASKS.map((name) => [name, 'badarg'] as const),
].flatMap(([name, what]) => [
  [name, what, 'throws'],
  [name, what, 'is rejected with'],
]) as [keyof DriverInstance, string, string][];

test.each(CASES)('%s: %s that it %s ends the port', async (name, what, how) => {
  const [error, reason] = ERRORS[what] ?? [new ErlangError('badarg'), 'badarg'];
  const stop = jest.fn();
  await run(async (self) => {
    const throwing = () => {
      if (how !== 'throws') return Promise.reject(error);
      throw error;
    };
    const id = open(self, { stop, [name]: throwing });
    CALLBACKS[name]?.(self, id);
    const exit = (await self.receive(undefined, { after: 5000 })) as [string, Port, [unknown, unknown]];
    expect(exit).toEqual(['EXIT', id, [reason, expect.anything()]]);
    expect(stop).toHaveBeenCalledTimes(1);
    expect(await self.receive(undefined, { after: 0 })).toBeUndefined();
  });
});

const fail = () => {
  throw new RangeError('broken');
};

test('flush that throws ends a port that everybody has been told the end of, whatever is queued', async () => {
  const stop = jest.fn();
  await run(async (self) => {
    const id = open(self, { stop, flush: fail });
    port.enq(Buffer.from('x'));
    self.port_close(id);
    expect(await self.receive()).toEqual(['EXIT', id, 'normal']);
    expect(stop).toHaveBeenCalledTimes(1);
    expect(await self.receive(undefined, { after: 0 })).toBeUndefined();
  });
});

test('timeout that throws while the port flushes ends it as well', async () => {
  const stop = jest.fn();
  await run(async (self) => {
    const id = open(self, { stop, flush: () => port.set_timer(0), timeout: fail });
    port.enq(Buffer.from('x'));
    self.port_close(id);
    expect(await self.receive()).toEqual(['EXIT', id, 'normal']);
    expect(self.ports()).toContain(id);
    expect(stop).not.toHaveBeenCalled();
    while (self.ports().includes(id)) await self.receive(undefined, { after: 1 });
    expect(stop).toHaveBeenCalledTimes(1);
  });
});

test('start that throws is raised by open_port, and there is no port to stop', async () => {
  const stop = jest.fn();
  await run((self) => {
    runtime.addDriver(driver({ stop }, { start: fail }));
    expect(() => self.open_port('failing')).toThrow(new RangeError('broken'));
    expect(stop).not.toHaveBeenCalled();
  });
});

test('init that throws fails the registration: the driver that was there stays', async () => {
  const finish = jest.fn();
  await run((self) => {
    runtime.addDriver(driver({ call: () => 'the old one' }, { finish }));
    expect(() => runtime.addDriver(driver({}, { init: fail }))).toThrow(new RangeError('broken'));
    expect(finish).not.toHaveBeenCalled();
    const id = self.open_port('failing');
    expect(self.port_call(id, 0, 'who')).toBe('the old one');
    self.port_close(id);
  });
});

test.each(
  (['stop', 'finish', 'free'] as const).flatMap((name) => [
    [name, 'throws', fail] as const,
    [name, 'is rejected', async () => fail()] as const,
  ]),
)('%s that %s is printed, as nobody is left to end', async (name, _, failing) => {
  await run(async (self) => {
    const id = open(self, name === 'stop' ? { stop: failing } : {});
    if (name === 'finish') runtime.addDriver(driver({}, { finish: failing }));
    if (name === 'free') port.async(undefined, { filename: JOBS, name: 'prefix', free: failing });
    self.port_close(id);
    expect(await self.receive()).toEqual(['EXIT', id, 'normal']);
    runtime.removeDriver('failing');
    await eventually(() => warning.mock.calls.length, 1);
  });
  expect(warning).toHaveBeenCalledWith(
    expect.stringMatching(`^driver failing failed to ${name}: RangeError: broken`),
    'PortWarning',
  );
});

test('stop_select that throws in stop is printed as an error of stop', async () => {
  await run(async (self) => {
    const stop = () => port.select(pipe[0], ERL_DRV_READ + ERL_DRV_USE, false);
    const id = open(self, { stop, stop_select: fail });
    port.select(pipe[0], ERL_DRV_READ + ERL_DRV_USE, true);
    self.port_close(id);
    expect(await self.receive()).toEqual(['EXIT', id, 'normal']);
  });
  expect(warning).toHaveBeenCalledTimes(1);
});
