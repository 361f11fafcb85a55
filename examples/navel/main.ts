/** Two OS processes that call each other by name: this one is ping, and starts the other one, pong. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { boot, ok, type Self } from '../../lib/index.js';
import * as navel from './navel.js';

const CALLS = 5000;

const [role, domid = '', ...others] = process.argv.slice(2);
if (role !== undefined && !(role === 'pong' && /^\d+$/.test(domid) && others.length === 0)) {
  console.error(`navel: expected no argument, or pong and a domid, not '${process.argv.slice(2).join(' ')}'`);
  process.exit(2);
}
(role === 'pong' ? pong(Number(domid)) : ping()).catch((error: Error) => {
  console.error(`navel: ${error.message}`);
  process.exit(1);
});

async function ping(): Promise<void> {
  const domain = await boot({ name: 'ping' });
  const child = spawn(process.execPath, [__filename, 'pong', String(domain.domid)], {
    env: { ...process.env, XENSTORED_RUNDIR: domain.rundir },
    stdio: 'inherit',
  });
  const ended = once(child, 'exit');
  await domain.run((self) => play(self, child));
  await domain.stop();
  await ended;
}

async function play(self: Self, child: ChildProcess): Promise<void> {
  ok(await navel.start(self, 'ping', { clock: { now: () => Date.now() } }));
  await navel.subscribe(self);
  console.log('ping: waits for', await self.receive());
  console.log('ping: pong:hello() is', String(await navel.call(self, 'pong', 'pong', 'hello')));
  console.log('ping: pong:nonsense() is', await navel.call(self, 'pong', 'pong', 'nonsense'));
  const start = performance.now();
  for (let i = 0; i < CALLS; i++) await navel.call(self, 'pong', 'pong', 'echo', [i]);
  const each = ((performance.now() - start) / CALLS) * 1000;
  console.log(`ping: ${CALLS} calls, ${each.toFixed(0)} microseconds each`);
  console.log('ping:', await navel.traffic(self));
  child.kill('SIGKILL');
  console.log('ping: kills pong:', await navel.call(self, 'pong', 'pong', 'sleep'));
  console.log('ping:', await self.receive());
}

async function pong(peer: number): Promise<void> {
  const domain = await boot({ name: 'pong' });
  await domain.run(async (self) => {
    ok(
      await navel.start(self, 'pong', {
        pong: {
          // One node may call the other back while it is being called.
          hello: async (process) =>
            Buffer.from(`hello, your clock says ${await navel.call(process, 'ping', 'clock', 'now')}`),
          echo: (_process, value) => value,
          sleep: (process) => process.receive(),
        },
      }),
    );
    await navel.subscribe(self);
    console.log('pong: connects to', ok(await navel.connect(self, peer)));
    await self.receive((message): message is unknown => (message as unknown[])[0] === 'nodedown');
  });
  await domain.stop();
}
