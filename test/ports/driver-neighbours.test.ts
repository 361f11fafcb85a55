/**
 * What Erlang/OTP 25 answers beside the recorded cases, asked with the same driver: what a driver can do to its port.
 */
import path from 'node:path';
import { isList, isTuple, list, toList } from '#actors/term';
import type { Driver, DriverInstance, DriverPort } from '#ports/driver';
import { PortRuntime } from '#ports/port-runtime';
import type { PortOption, Self } from '#ports/self';
import { runProcess } from '../support/run-process';

const JOBS = path.join(__dirname, '../fixtures/async-job.cjs');

let runtime: PortRuntime;
let port: DriverPort;
beforeEach(() => {
  runtime = new PortRuntime({ onCrash: () => {} });
});
afterEach(() => runtime.stop());

const run = <T>(body: (self: Self) => T) => runProcess(runtime, body);

function open(
  self: Self,
  instance: DriverInstance = {},
  options: PortOption[] = ['binary'],
  more: Partial<Driver> = {},
) {
  runtime.addDriver({
    name: 'test',
    ...more,
    start: (given) => {
      port = given;
      return instance;
    },
  });
  return self.open_port('test', options);
}

async function inbox(self: Self, after = 0): Promise<unknown[]> {
  const messages: unknown[] = [];
  for (;;) {
    const message = await self.receive(undefined, { after });
    if (message === undefined) return messages;
    messages.push(message);
  }
}

/** What has been told as data. */
async function told(self: Self): Promise<unknown[]> {
  return (await inbox(self)).map((message) => {
    const [, what] = message as [unknown, unknown];
    return isTuple(what) ? what[1] : what;
  });
}

const bytes = (text: string) => Buffer.from(text, 'latin1');
function improper(tail: unknown, ...items: unknown[]) {
  const made = list(...items);
  made.tail = tail;
  return made;
}

describe('output', () => {
  test('of pieces: the last binary is the tail', async () => {
    await run(async (self) => {
      open(self);
      const pieces = [bytes('abc'), bytes('de')];
      port.outputv(bytes('HD'), pieces);
      port.outputv(bytes('HD'), pieces, 1);
      port.outputv(bytes(''), pieces);
      port.outputv(bytes(''), pieces, 5);
      port.output2(bytes('HD'), bytes('x'));
      const heard = await told(self);
      expect(heard).toEqual([
        improper(bytes('de'), 72, 68, bytes('abc')),
        improper(bytes('de'), 72, 68, bytes('bc')),
        improper(bytes('de'), bytes('abc')),
        list(),
        improper(bytes('x'), 72, 68),
      ]);
      expect(heard.slice(0, 3).map((term) => isList(term) && term.tail)).toEqual(Array(3).fill(bytes('de')));
    });
  });

  test('by lines, with what is left at the end of the input', async () => {
    await run(async (self) => {
      const id = open(self, {}, ['binary', ['line', 5], 'eof']);
      for (const text of ['ab\ncd\n', 'longerthanfive\n', 'abc']) port.output(bytes(text));
      port.failure_eof();
      expect(await told(self)).toEqual([
        ['eol', bytes('ab')],
        ['eol', bytes('cd')],
        ['noeol', bytes('longe')],
        ['noeol', bytes('rthan')],
        ['eol', bytes('five')],
        ['noeol', bytes('abc')],
        'eof',
      ]);
      port.failure_eof();
      expect(await told(self)).toEqual(['eof']);
      expect(self.port_info(id, 'id')).not.toBe('undefined');
    });
  });
});

describe('the queue', () => {
  test('gives no more than it has', async () => {
    await run((self) => {
      open(self);
      port.enq(bytes('abc'));
      expect([port.deq(1), port.deq(5), port.deq(1)]).toEqual([2, -1, 1]);
    });
  });

  test('is in order, whatever is put in front or skipped', async () => {
    await run((self) => {
      open(self);
      port.enqv([bytes('abc'), bytes('def')], 4);
      port.pushqv([bytes('12'), bytes('34')], 1);
      port.pushq(bytes('x'));
      expect(Buffer.concat(port.peekq())).toEqual(bytes('x234ef'));
      expect(port.deq(3)).toBe(3);
      expect(Buffer.concat(port.peekq())).toEqual(bytes('4ef'));
    });
  });

  test.each(['control', 'elsewhere'])('emptied in %s, a closed port ends', async (where) => {
    const stop = jest.fn();
    const control = () => {
      port.deq(port.sizeq());
      return bytes('');
    };
    await run((self) => {
      const id = open(self, { control, stop, output: (data) => port.enq(Buffer.from(data)) });
      self.port_command(id, 'abc');
      self.port_close(id);
      expect(self.ports()).toEqual(list(id));
      expect(stop).not.toHaveBeenCalled();
      if (where === 'control') self.port_control(id, 0, '');
      else port.deq(3);
      expect(stop).toHaveBeenCalledTimes(1);
      expect(self.ports()).toEqual(list());
    });
  });

  test('keeps a closed port without flush callback, until the runtime stops', async () => {
    const stop = jest.fn();
    await run((self) => {
      const id = open(self, { stop, output: (data) => port.enq(Buffer.from(data)) });
      self.port_command(id, 'abc');
      self.port_close(id);
      self.exit(id, 'kill');
      expect(self.ports()).toEqual(list(id));
    });
    runtime.stop();
    expect(stop).toHaveBeenCalledTimes(1);
    expect(runtime.openPorts.size).toBe(0);
  });
});

describe('a busy port', () => {
  test('delivers in order what waits, and goes on when it is busy again', async () => {
    const heard: string[] = [];
    const output = (data: Uint8Array) => {
      heard.push(String(Buffer.from(data)));
      if (heard.length === 2) port.set_busy(true);
    };
    await run(async (self) => {
      const id = open(self, { output });
      port.set_busy(true);
      port.set_busy(true);
      const answers = [1, 2, 3, 4].map((i) =>
        i % 2 === 0 ? self.port_command(id, `${i}`) : self.send(id, [self.pid, ['command', `${i}`]]),
      );
      port.set_busy(false);
      await answers[0];
      await answers[1];
      expect(heard).toEqual(['1', '2']);
      port.set_busy(false);
      expect(await answers[3]).toBe(true);
      expect(heard).toEqual(['1', '2', '3', '4']);
    });
  });

  test.each([
    [['force'], 'notsup'],
    [['force', 'nosuspend'], 'notsup'],
    [['nosuspend', 'nosuspend'], false],
    [['foo'], 'badarg'],
  ])('port_command with %j', async (options, expected) => {
    await run((self) => {
      const id = open(self);
      port.set_busy(true);
      const call = () => self.port_command(id, list(256) as never, options as never);
      if (typeof expected === 'string') expect(call).toThrow(expected);
      else expect(call()).toBe(expected);
    });
  });

  test('raises badarg for bad data only when they are delivered', async () => {
    await run(async (self) => {
      const id = open(self);
      port.set_busy(true);
      const answer = self.port_command(id, list(256) as never);
      port.set_busy(false);
      await expect(answer).rejects.toThrow('badarg');
    });
  });
});

describe('the end', () => {
  test.each<[string, () => void, unknown[]]>([
    ['an unknown error', () => port.failure_posix(9999), ['unknown']],
    ['a number', () => port.failure_posix(32), ['epipe']],
    ['exit of an unknown error: the owner is not told', () => port.exit(9999), []],
  ])('%s', async (_, end, reasons) => {
    await run(async (self) => {
      self.process_flag('trap_exit', true);
      const id = open(self);
      end();
      expect(await inbox(self)).toEqual(reasons.map((reason) => ['EXIT', id, reason]));
      expect([port.output(bytes('x')), port.output_term('x'), port.send_term(self.pid, 'x')]).toEqual([
        -1, -1, -1,
      ]);
    });
  });

  test.each<[string, () => void]>([
    ['failure', () => port.failure('late')],
    ['failure_atom', () => port.failure_atom('late')],
    ['failure_posix', () => port.failure_posix('epipe')],
    ['failure_eof', () => port.failure_eof()],
    ['exit', () => port.exit(0)],
    ['an error', () => {}],
  ])(
    'by %s, of a port that is closed while a callback runs, is at once, for the reason of that',
    async (how, end) => {
      const log: unknown[] = [];
      await run(async (self) => {
        self.process_flag('trap_exit', true);
        const id = open(self, {
          output() {
            port.enq(bytes('queued'));
            self.exit(id, 'first');
            log.push('closing');
            if (how === 'an error') throw new RangeError('late');
            end();
            log.push('ended', port.output(bytes('x')), port.sizeq());
            port.enq(bytes('more'));
            end();
          },
          flush: () => log.push('flush') as never,
          stop: () => log.push('stop') as never,
        });
        self.port_command(id, 'x');
        expect(self.ports()).toEqual(list());
        expect(await inbox(self)).toEqual(how === 'exit' ? [] : [['EXIT', id, 'first']]);
      });
      expect(log).toEqual(how === 'an error' ? ['closing', 'stop'] : ['closing', 'stop', 'ended', -1, 0]);
    },
  );

  test('in a callback: what is said before is heard, and what is said after is lost, and says so', async () => {
    await run(async (self) => {
      const answers: unknown[] = [];
      const id = open(self, {
        output() {
          port.output(bytes('before'));
          port.send_term(self.pid, 'before');
          port.exit(0);
          answers.push(
            port.output(bytes('after')),
            port.output_term('after'),
            port.send_term(self.pid, 'after'),
          );
        },
      });
      self.port_command(id, 'x');
      expect(answers).toEqual([-1, -1, -1]);
      expect(await inbox(self)).toEqual([[id, ['data', bytes('before')]], 'before']);
    });
  });
});

describe('drivers', () => {
  test('are refused by a runtime that is stopped, and not initialised', () => {
    const init = jest.fn();
    const stopped = new PortRuntime();
    stopped.stop();
    const driver: Driver = { name: 'late', init, start: () => ({}) };
    expect(() => stopped.addDriver(driver)).toThrow(expect.objectContaining({ code: 'ERR_RUNTIME_STOPPED' }));
    expect(init).not.toHaveBeenCalled();
  });

  test.each<[unknown, string]>([
    [undefined, 'driver has to be an object, not undefined'],
    [{ start() {} }, 'driver.name has to be a string, not undefined'],
    [{ name: 'x' }, 'driver.start has to be a function, not undefined'],
  ])('that are none are refused: %p', (none, why) => {
    expect(() => runtime.addDriver(none as Driver)).toThrow(new TypeError(why));
  });

  test('have a name', () => {
    expect(() => runtime.addDriver({ name: '', start: () => ({}) })).toThrow(
      new RangeError('driver.name has to be at least a character'),
    );
  });

  test('that hide no program are opened by name, and by spawn_driver', async () => {
    await run((self) => {
      open(self, {}, [], { hidesNoProgram: true } as never);
      expect(self.port_info(self.open_port(['spawn_driver', 'test x']), 'name')).toEqual(['name', 'test x']);
      expect(() => self.open_port(['spawn', 'test x'])).toThrow('there is no driver spawn');
    });
  });

  test('init once, finish after the last port of one that is removed', async () => {
    const log: string[] = [];
    const more = { init: () => log.push('init'), finish: () => log.push('finish') };
    await run((self) => {
      const id = open(self, { stop: () => log.push('stop') }, [], more as never);
      expect(runtime.removeDriver('test')).toBe(true);
      expect(runtime.removeDriver('test')).toBe(false);
      expect(() => self.open_port('test')).toThrow('badarg');
      self.port_close(id);
    });
    expect(log).toEqual(['init', 'stop', 'finish']);
  });

  test('that are removed with their ports say so', async () => {
    await run(async (self) => {
      self.process_flag('trap_exit', true);
      const id = open(self);
      runtime.removeDriver('test', { killPorts: true });
      expect(await inbox(self)).toEqual([['EXIT', id, 'driver_unloaded']]);
    });
  });
});

test('a job whose result cannot be copied says so', async () => {
  await run(async (self) => {
    self.process_flag('trap_exit', true);
    const id = open(self, { ready_async() {} });
    port.async('key', { filename: JOBS, name: 'uncloneable' });
    const why = `what uncloneable of ${JOBS} has answered cannot be copied to this thread`;
    expect(await self.receive()).toEqual(['EXIT', id, [['TypeError', Buffer.from(why)], expect.anything()]]);
  });
});

test.each(['jobs.cjs', './jobs.cjs', ''])('a job of a module at %j is refused', async (filename) => {
  await run((self) => {
    open(self);
    const why = `job.filename has to be an absolute path, not '${filename}'`;
    expect(() => port.async('key', { filename })).toThrow(new RangeError(why));
  });
});

test('jobs of one key come back in order; one that fails ends the port', async () => {
  const results: unknown[] = [];
  await run(async (self) => {
    self.process_flag('trap_exit', true);
    const id = open(self, { ready_async: (result) => void results.push(result) });
    for (let i = 0; i < 5; i++) {
      port.async(port.async_port_key(), { filename: JOBS, name: 'prefix', argument: i });
    }
    port.async(port.async_port_key(), { filename: JOBS, name: 'fail' });
    const [exit, from, reason] = (await self.receive()) as [string, unknown, [[string, Buffer]]];
    expect([exit, from, reason[0][0]]).toEqual(['EXIT', id, 'RangeError']);
    expect(toList(results)).toEqual(toList([0, 1, 2, 3, 4].map((i) => `async:${i}`)));
  });
});
