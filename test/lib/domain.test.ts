import { boot, type Domain, OptionError, type Port, ProcessExit } from 'ling-tubes';
import { Box } from '../support/box';
import { eventually } from '../support/residue';

describe('options of boot', () => {
  test.each([
    [{ nmae: 'x' }, 'nmae is no option of boot'],
    [{ name: '' }, 'name'],
    [{ name: 'x'.repeat(65) }, 'name'],
    [{ name: 'a\nb' }, 'name'],
    [{ rundir: '' }, 'rundir'],
    [{ rundir: 7 }, 'rundir'],
    [{ tubeTimeout: 0 }, 'tubeTimeout'],
    [{ tubeTimeout: Number.NaN }, 'tubeTimeout'],
    [{ tubeTimeout: '5' }, 'tubeTimeout'],
  ])('%j is refused by name', async (options, named) => {
    const booting = boot(options as object);
    await expect(booting).rejects.toThrow(named);
    await expect(booting).rejects.toBeInstanceOf(OptionError);
    await expect(booting).rejects.toMatchObject({ code: 'ERR_OPTION' });
  });
});

test.each([1, 2])(
  'boot where Xenstore has room for %i nodes fails, says why, and leaves nothing',
  async (nodes) => {
    const said = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    const box = new Box();
    try {
      await box.lingd('--quota', `nodes=${nodes}`);
      const error = await box.boot().then(
        () => undefined,
        ({ reason }) => JSON.stringify(reason),
      );
      expect(error).toContain('["failed_to_start_child","tube_server",');
      expect(String(said.mock.calls)).toContain('enospc');
      await eventually(() => box.client('socket').directory('/local/domain'), []);
    } finally {
      said.mockRestore();
      await box.close();
    }
  },
);

describe('run', () => {
  let box: Box;
  let domain: Domain;

  beforeEach(async () => {
    box = new Box();
    domain = await box.boot();
  });
  afterEach(() => box.close());

  test('answers what the process returns, or throws', async () => {
    expect(await domain.run(() => 7)).toBe(7);
    await expect(domain.run(() => Promise.reject(new TypeError('mine')))).rejects.toThrow('mine');
  });

  test.each<[string, (self: { receive(): unknown }) => unknown]>([
    ['in a receive', (self) => self.receive()],
    ['in a promise that nobody settles', () => new Promise(() => {})],
  ])('is rejected when the domain stops while it waits %s', async (_where, body) => {
    const running = domain.run(body as () => unknown);
    await domain.run(() => undefined);
    const rejected = expect(running).rejects.toBeInstanceOf(ProcessExit);
    await domain.stop();
    await rejected;
  });

  test('is rejected when the domain stops before it has begun', async () => {
    const rejected = expect(domain.run(() => 7)).rejects.toBeInstanceOf(ProcessExit);
    await domain.stop();
    await rejected;
  });
});

test('drivers are registered, found by their names, removed, and finish when the domain stops', async () => {
  const box = new Box();
  const domain = await box.boot();
  const finished: string[] = [];
  for (const name of ['kept', 'removed']) {
    domain.addDriver({
      name,
      start: (_, command) => ({ call: (_, term) => [name, command, term] }),
      finish: () => finished.push(name),
    });
  }
  await domain.run(async (self) => {
    self.process_flag('trap_exit', true);
    const [kept, removed] = [self.open_port('kept'), self.open_port(['spawn', 'removed a b'])];
    expect(self.port_call(removed, 0, 'x')).toEqual(['removed', 'a b', 'x']);
    expect(domain.removeDriver('removed', { killPorts: true })).toBe(true);
    expect(domain.removeDriver('removed')).toBe(false);
    expect(await self.receive()).toEqual(['EXIT', removed, 'driver_unloaded']);
    expect(finished).toEqual(['removed']);
    expect(() => self.open_port('removed')).toThrow('badarg');
    expect(self.port_call(kept, 0, 'x')).toEqual(['kept', '', 'x']);
  });
  await domain.stop();
  expect(finished).toEqual(['removed', 'kept']);
  await box.close();
});

describe('the drivers of this package', () => {
  const NAMES = ['tube', 'echo', 'spawn', 'fd', 'tcp_inet', 'udp_inet'];

  test.each(NAMES)('%s can be neither removed nor replaced', async (name) => {
    const box = new Box();
    const domain = await box.boot();
    const init = jest.fn();
    const refusal = new RangeError(
      `driver ${name} is part of ling-tubes: it can be neither replaced nor removed`,
    );
    expect(() => domain.removeDriver(name)).toThrow(refusal);
    expect(() => domain.removeDriver(name, { killPorts: true })).toThrow(refusal);
    expect(() => domain.addDriver({ name, init, start: () => ({}) })).toThrow(refusal);
    expect(init).not.toHaveBeenCalled();
    expect(domain.runtime.drivers.get(name)).toBeDefined();
    await box.close();
  });

  test.each(['tube', 'echo'])('%s hides no program: a command is one', async (name) => {
    const box = new Box();
    const domain = await box.boot();
    await domain.run(async (self) => {
      expect(self.port_info(self.open_port(name), 'os_pid')).toEqual(['os_pid', 'undefined']);
      expect(self.port_info(self.open_port(['spawn_driver', name]), 'os_pid')).toEqual([
        'os_pid',
        'undefined',
      ]);
      const port = self.open_port(['spawn', `${name} hello`], ['exit_status', 'binary', 'stderr_to_stdout']);
      expect(self.port_info(port, 'os_pid')).toEqual(['os_pid', expect.any(Number)]);
      const [, [, said]] = (await self.receive()) as [Port, ['data', Buffer]];
      expect(said.toString()).toMatch(name === 'echo' ? /^hello\n$/ : /not found/);
    });
    await box.close();
  });

  test.each(['tcp_inet', 'udp_inet'])('%s is found by a command, as in Erlang', async (name) => {
    const box = new Box();
    const domain = await box.boot();
    await domain.run((self) => {
      expect(self.port_info(self.open_port(['spawn', name]), 'os_pid')).toEqual(['os_pid', 'undefined']);
    });
    await box.close();
  });
});

test('stopping can be asked for again and again, and ends the events', async () => {
  const box = new Box();
  const domain = await box.boot();
  const stopped = jest.fn();
  domain.on('stopped', stopped);
  await Promise.all([domain.stop(), domain.stop()]);
  await domain.stop();
  expect(stopped).toHaveBeenCalledTimes(1);
  expect(domain.status).toBe('stopped');
  await box.close();
});
