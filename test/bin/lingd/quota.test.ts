/** `lingd quota`: what each domain may use up, asked and set while lingd runs. */
import { XS_CONTROL } from '#xen/xenstore/wire';
import { Box, LINGD } from '../../support/box';
import { type Ended, run } from '../../support/run';

let box: Box;

beforeEach(() => {
  box = new Box();
});
afterEach(() => box.close());

function quota(...settings: string[]): Promise<Ended> {
  return run(process.execPath, [LINGD, 'quota', ...settings, '--rundir', box.rundir]);
}

async function asXenSaysIt(): Promise<string> {
  const { payload } = await box.client('socket').request(XS_CONTROL, Buffer.from('quota\0'));
  return payload.toString().replace(/\0$/, '');
}

test('is printed as xenstore-control prints it, and set one by one or together', async () => {
  await box.lingd();
  for (const settings of [[], ['nodes=1000'], ['watches=128', 'node-size=2048', 'nodes=7']]) {
    const set = settings.length === 0 ? undefined : await quota(...settings);
    if (set) expect([set.status, set.stdout, set.stderr]).toEqual([0, '', '']);
    const { status, stdout } = await quota();
    expect([status, stdout]).toEqual([0, await asXenSaysIt()]);
    for (const [name, value] of settings.map((setting) => setting.split('=')))
      expect(stdout).toMatch(new RegExp(`^${name} *: +${value} `, 'm'));
  }
});

test.each(['nodes', 'nodes=', 'nodes=0', 'nodes=x', 'nodes=2147483648', 'stars=1', ''])(
  'nonsense like %p is refused, with what goes before it',
  async (nonsense) => {
    await box.lingd();
    const before = await asXenSaysIt();
    const { status, stdout, stderr } = await quota('watches=1', nonsense);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^lingd: .*\n$/);
    expect(await asXenSaysIt()).toBe(before);
  },
);

test('nowhere: 3', async () => {
  expect(await quota()).toMatchObject({
    status: 3,
    stdout: '',
    stderr: `lingd: none serves ${box.rundir}\n`,
  });
});
