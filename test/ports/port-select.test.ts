import { spawnSync } from 'node:child_process';
import { readSync, writeSync } from 'node:fs';
import path from 'node:path';
import { closeFd, createPipe, setNonBlocking } from '#native';
import {
  type Driver,
  type DriverPort,
  ERL_DRV_READ,
  ERL_DRV_USE,
  ERL_DRV_USE_NO_CALLBACK,
  ERL_DRV_WRITE,
} from '#ports/driver';
import { PortRuntime } from '#ports/port-runtime';
import { runProcess } from '../support/run-process';

test('descriptors are ready as long as they are, and only for what is selected', async () => {
  const closed: number[] = [];
  const pipeDriver: Driver = {
    name: 'pipe',
    start(port) {
      const [input, output] = createPipe();
      for (const fd of [input, output]) setNonBlocking(fd, true);
      port.select(input, ERL_DRV_READ + ERL_DRV_USE, true);
      let writes = 0;
      return {
        output: () => port.select(output, ERL_DRV_WRITE + ERL_DRV_USE_NO_CALLBACK, true),
        ready_output(event) {
          writeSync(event, 'abc');
          if (++writes === 3) port.select(event, ERL_DRV_WRITE, false);
        },
        // A byte at a time: what is left makes it ready again.
        ready_input(event) {
          const byte = Buffer.alloc(1);
          readSync(event, byte);
          port.output(byte);
        },
        stop_select(event) {
          closed.push(event);
          closeFd(event);
        },
        stop() {
          port.select(input, ERL_DRV_READ + ERL_DRV_USE, false);
          port.select(output, ERL_DRV_WRITE + ERL_DRV_USE_NO_CALLBACK, false);
          closeFd(output);
        },
      };
    },
  };
  const runtime = new PortRuntime();
  runtime.addDriver(pipeDriver);
  await runProcess(runtime, async (self) => {
    const port = self.open_port('pipe', ['binary']);
    self.port_command(port, '');
    let text = '';
    while (text.length < 9) {
      const [, [, byte]] = (await self.receive()) as [unknown, [unknown, Buffer]];
      text += byte;
    }
    expect(text).toBe('abcabcabc');
    expect(await self.receive(undefined, { after: 5 })).toBeUndefined();
    self.port_close(port);
  });
  expect(closed).toHaveLength(1);
  runtime.stop();
});

describe('a descriptor that cannot be watched', () => {
  test.each<[string, (fd: number) => number]>([
    ['that is closed', (fd) => fd],
    ['that is none', () => 0x7fff_ffff],
  ])('%s is refused, as often as it is tried, and is not selected', async (_, event) => {
    const runtime = new PortRuntime();
    const stopped: number[] = [];
    let port: DriverPort | undefined;
    runtime.addDriver({
      name: 'select',
      start(given) {
        port = given;
        return { stop_select: (fd) => void stopped.push(fd) };
      },
    });
    await runProcess(runtime, (self) => {
      self.open_port('select');
      const pipe = createPipe();
      // The watcher needs descriptors, too: from now on it has them.
      port?.select(pipe[0], ERL_DRV_READ, true);
      const [input, output] = createPipe();
      for (const fd of [input, output]) closeFd(fd);
      const fd = event(input);
      for (let i = 0; i < 2; i++) {
        expect(() => port?.select(fd, ERL_DRV_READ, true)).toThrow(
          expect.objectContaining({ code: 'EBADF' }),
        );
      }
      // That it is in use needs no watching; and it is in use still after a mode that was refused.
      port?.select(fd, ERL_DRV_USE, true);
      expect(() => port?.select(fd, ERL_DRV_WRITE, true)).toThrow(expect.objectContaining({ code: 'EBADF' }));
      expect(stopped).toEqual([]);
      port?.select(fd, ERL_DRV_READ + ERL_DRV_USE, false);
      expect(stopped).toEqual([fd]);
      port?.select(pipe[0], ERL_DRV_READ, false);
      for (const each of pipe) closeFd(each);
    });
    runtime.stop();
  });

  test.each([0, 1])(
    'because there are %d descriptors left: it can be, later, and keeps no OS process alive',
    (left) => {
      // Few descriptors are enough for Node, and can all be taken.
      const limited = `ulimit -n 64; exec "$0" -e "$1" ${left}`;
      const program = spawnSync('sh', ['-c', limited, process.execPath, EXHAUSTED], {
        cwd: path.join(__dirname, '../..'),
        encoding: 'utf8',
        timeout: 30_000,
      });
      expect(program).toMatchObject({ status: 0, stdout: 'EMFILE\nready\nclosed\n', signal: null });
    },
  );
});

const EXHAUSTED = `
  const fs = require('node:fs');
  const { PortRuntime } = require('#ports/port-runtime');
  const { createPipe } = require('#native');
  const runtime = new PortRuntime();
  const [input, output] = createPipe();
  let port;
  runtime.addDriver({
    name: 'select',
    start: (given) => {
      port = given;
      return { ready_input() { console.log('ready'); port.exit(0); } };
    },
  });
  runtime.spawn(async (self) => {
    const id = self.open_port('select');
    const held = [];
    try {
      for (;;) held.push(fs.openSync('/dev/null'));
    } catch {}
    for (let left = Number(process.argv[1]); left > 0; left--) fs.closeSync(held.pop());
    try {
      port.select(input, 1, true);
    } catch (error) {
      console.log(error.code);
    }
    for (const fd of held) fs.closeSync(fd);
    fs.writeSync(output, 'x');
    port.select(input, 1, true);
    self.monitor('port', id);
    await self.receive();
    console.log('closed');
  });
`;
