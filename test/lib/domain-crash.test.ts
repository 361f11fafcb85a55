import type { Crash, Domain } from 'ling-tubes';
import { Box } from '../support/box';
import { run } from '../support/run';

const box = new Box();
afterAll(() => box.close());

test("a crash is the domain's event: typed, once, with pid, name, reason and place", async () => {
  const domain: Domain = await box.boot();
  const crashes: Crash[] = [];
  domain.on('crash', (crash) => crashes.push(crash));
  const pid = domain.spawn((self) => {
    self.register('worker', self.pid);
    self.error('oops');
  });
  await domain.run((self) => self.receive(() => false, { after: 5 }));
  expect(crashes).toHaveLength(1);
  expect(crashes[0]).toMatchObject({ pid, name: 'worker', reason: ['oops', expect.any(Array)] });
  expect(crashes[0]?.position).toMatch(/domain-crash\.test\.ts:\d+:\d+$/);
  await domain.stop();
});

test('without a listener it is on stderr, once, and the others go on', async () => {
  const program = `
    const { boot } = require(process.argv[1]);
    boot({ rundir: process.argv[2] }).then(async (domain) => {
      domain.spawn(function worker(self) { self.register('worker', self.pid); self.error(['oops', 1]); });
      domain.spawn((self) => self.exit('boom'));
      console.log(await domain.run(async (self) => { await self.receive(() => false, { after: 5 }); return 'alive'; }));
      await domain.stop();
    });`;
  const args = ['-e', program, require.resolve('ling-tubes'), box.rundir];
  const { status, stdout, stderr } = await run(process.execPath, args);
  expect([status, stdout]).toEqual([0, 'alive\n']);
  expect(stderr.match(/Error in process/g)).toHaveLength(1);
  expect(stderr).toMatch(/^Error in process <0\.\d+\.0> \(worker\).*: ErlangError: \[ 'oops', 1 \]\n {4}at /);
  expect(stderr).toContain('at worker (');
});
