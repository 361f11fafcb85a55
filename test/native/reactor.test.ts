import fs from 'node:fs';
import path from 'node:path';
import { closeFd, createDoorbell, Reactor } from '#native';
import { type Watch, Watcher } from '#native/watcher';
import { changesSince, eventually, holdings } from '../support/residue';
import { run } from '../support/run';

let before: ReturnType<typeof holdings>;
beforeEach(() => {
  before = holdings();
});
afterEach(() => eventually(() => changesSince(before), []));

function ring(doorbell: number): void {
  fs.writeSync(doorbell, 'x');
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));

describe.each(['onThread', 'onLoop'] as const)('a watcher %s', (kind) => {
  let watcher: Watcher;
  let fd: number;
  let button: number;
  let watch: Watch;
  let called: number;

  beforeEach(() => {
    watcher = Watcher[kind]();
    [fd, button] = createDoorbell();
    called = 0;
    watch = watcher.watch(fd, () => {
      called++;
    });
  });
  afterEach(async () => {
    await watcher.close();
    closeFd(fd);
    closeFd(button);
  });

  test('calls back once for every time it was armed, however often it is rung', async () => {
    ring(button);
    await turn();
    expect(called).toBe(0);
    for (let round = 1; round <= 3; round++) {
      watch.arm();
      ring(button);
      ring(button);
      await eventually(() => called, round);
      ring(button);
      await turn();
      expect(called).toBe(round);
    }
  });

  test('does not call for what is closed, nor after its own end', async () => {
    watch.arm();
    watch.close();
    ring(button);
    await turn();
    const other = watcher.watch(fd, () => {
      called++;
    });
    other.arm();
    await watcher.close();
    ring(button);
    await turn();
    expect(called).toBe(0);
    other.arm();
    other.close();
  });

  test('watches many at a time, each for itself', async () => {
    const doorbells = Array.from({ length: 200 }, createDoorbell);
    const rung: number[] = [];
    for (const [i, [each]] of doorbells.entries()) watcher.watch(each, () => rung.push(i)).arm();
    for (const [, each] of doorbells.filter((_, i) => i % 2 === 0)) ring(each);
    await eventually(
      () => rung.toSorted((a, b) => a - b),
      doorbells.flatMap((_, i) => (i % 2 === 0 ? [i] : [])),
    );
    doorbells.flat().forEach(closeFd);
  });

  test('can be closed from its own callback', async () => {
    const closed = new Promise<void>((resolve) => {
      watch.close();
      watcher.watch(fd, () => void watcher.close().then(resolve)).arm();
    });
    ring(button);
    await closed;
  });

  test('refuses what cannot be watched', () => {
    expect(() => watcher.watch(-1, () => {})).toThrow(
      expect.objectContaining({ code: 'EBADF', syscall: 'epoll_ctl' }),
    );
  });
});

test('a reactor that is stopped takes nothing more, and can be told so twice', () => {
  const reactor = new Reactor(() => {});
  const [fd, button] = createDoorbell();
  const token = reactor.add(fd);
  reactor.stop();
  reactor.stop();
  reactor.arm(token);
  reactor.remove(token);
  expect(() => reactor.add(fd)).toThrow('stopped');
  expect(() => reactor.attach()).toThrow('stopped');
  closeFd(fd);
  closeFd(button);
});

describe('an OS process with a watcher', () => {
  const HEAD = `
    const { Watcher } = require('./dist/native/watcher.js');
    const { createDoorbell } = require('./dist/native/index.js');
    const { Worker, isMainThread, parentPort } = require('node:worker_threads');
    const fs = require('node:fs');
    const [fd, button] = createDoorbell();
    const ring = (doorbell) => fs.writeSync(doorbell, 'x');`;

  async function runNode(program: string): Promise<{ status: number | null; printed: string }> {
    const cwd = path.join(__dirname, '../..');
    const { status, stdout, stderr } = await run(process.execPath, ['-e', HEAD + program], { cwd });
    return { status, printed: stdout + stderr };
  }

  test.each(['onThread', 'onLoop'])(
    '%s ends at once by process.exit, in a callback and outside',
    async (kind) => {
      for (const program of [
        `const w = Watcher.${kind}(); w.watch(fd, () => process.exit(7)).arm(); ring(button);`,
        `Watcher.${kind}(); setTimeout(() => process.exit(7), 50);`,
        `Watcher.${kind}(); process.exit(7);`,
      ]) {
        expect(await runNode(program)).toMatchObject({ status: 7, printed: '' });
      }
    },
  );

  // As under jest, where the code that is tested hears nothing of the end of the OS process.
  test.each(['onThread', 'onLoop'])('%s ends by process.exit, whoever hears of it', async (kind) => {
    for (const turn of ['setImmediate', 'setTimeout']) {
      const program = `Watcher.${kind}(); process.removeAllListeners('exit'); ${turn}(() => process.exit(7), 50);`;
      expect(await runNode(program)).toMatchObject({ status: 7, printed: '' });
    }
  });

  test.each(['onThread', 'onLoop'])('%s ends by itself once the watcher is closed', async (kind) => {
    expect(await runNode(`Watcher.${kind}().close();`)).toMatchObject({ status: 0, printed: '' });
  });

  test.each(['onThread', 'onLoop'])('%s reports what a callback throws as uncaught', async (kind) => {
    const { status, printed } = await runNode(
      `const w = Watcher.${kind}(); w.watch(fd, () => { throw new Error('mine'); }).arm(); ring(button);`,
    );
    expect(status).toBe(1);
    expect(printed).toContain('Error: mine');
  });

  test.each(['onThread', 'onLoop'])(
    '%s in a worker thread: the worker can be terminated and can exit',
    async (kind) => {
      const worker = (last: string): string => `${HEAD}
      const w = Watcher.${kind}();
      w.watch(fd, () => ${last}).arm();
      ring(button);`;
      for (const last of ["parentPort.postMessage('up')", 'process.exit()', 'w.close()']) {
        const { status, printed } = await runNode(`
        const worker = new Worker(${JSON.stringify(worker(last))}, { eval: true });
        worker.on('message', () => worker.terminate()).on('exit', () => console.log('over'));`);
        expect([status, printed]).toEqual([0, 'over\n']);
      }
    },
  );

  test('twenty watchers are nothing to be warned of', async () => {
    expect(
      await runNode(
        'const all = Array.from({ length: 20 }, () => Watcher.onLoop()); for (const w of all) w.close();',
      ),
    ).toMatchObject({ status: 0, printed: '' });
  });
});
