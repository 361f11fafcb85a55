import { readSync, writeSync } from 'node:fs';
import { closeFd, createPipe, setNonBlocking } from '#native';
import {
  type Driver,
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
