/** Ports of a worker thread that ends before they are closed: nothing of them stays in the OS process, nor outside it. */
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { closeFd, createPipe, setNonBlocking } from '#native';
import { changesSince, eventually, holdings } from '../support/residue';

const dist = (name: string) => JSON.stringify(path.resolve('dist', `${name}.js`));

/** Opens ports, says the process ids of their programs, and then ends in the way it is told. */
const PROGRAM = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { PortRuntime } = require(${dist('ports/port-runtime')});
  const runtime = new PortRuntime();
  runtime.addDriver(require(${dist('ports/drivers/spawn')}).spawnDriver);
  runtime.addDriver(require(${dist('ports/drivers/fd')}).fdDriver);
  const [input, output] = workerData.pipe;
  runtime.spawn(async (self) => {
    const ports = ['cat', 'cat', 'true', 'sleep 0.2'].map((each) => self.open_port(['spawn', each], []));
    self.port_command(ports[0], Buffer.alloc(1_000_000), ['nosuspend']);
    self.open_port(['fd', input, output], []);
    parentPort.postMessage(ports.map((port) => self.port_info(port, 'os_pid')[1]));
    END;
    await self.receive(() => false);
  });
`;

test.each([
  ['is terminated', '0'],
  ['exits', 'process.exit()'],
  ['fails', 'process.nextTick(() => { throw new Error("broken"); })'],
])('that %s', async (_, end) => {
  const pipe = createPipe();
  const before = holdings();
  const worker = new Worker(PROGRAM.replace('END', end), { eval: true, workerData: { pipe } });
  const over = once(worker, 'exit').catch((error: Error) => expect(error.message).toBe('broken'));
  const [pids] = (await once(worker, 'message')) as [number[]];
  if (end === '0') await worker.terminate();
  await over;
  await eventually(() => pids.filter((pid) => fs.existsSync(`/proc/${pid}`)), []);
  await eventually(() => changesSince(before), []);
  // Somebody else's descriptors are open, and as they were.
  expect(fs.writeSync(pipe[1], 'x')).toBe(1);
  expect(pipe.map((fd) => setNonBlocking(fd, false))).toEqual([false, false]);
  pipe.forEach(closeFd);
});
