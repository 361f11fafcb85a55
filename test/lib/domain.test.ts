import { boot, type Domain, OptionError, ProcessExit } from 'ling-tubes';
import { Box } from '../support/box';

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
