/** An OS process that ends with ports open: their drivers can still do what can be done at once. */
import path from 'node:path';
import { run } from '../support/run';

/** Ports of a driver that writes down what it is asked, in the order of their names. */
const PROGRAM = `
  const { writeSync } = require('node:fs');
  const { PortRuntime } = require(${JSON.stringify(path.resolve('dist/ports/port-runtime.js'))});
  const runtime = new PortRuntime();
  const start = (_, command) => ({
    emergency_close() {
      writeSync(1, 'emergency_close ' + command + '\\n');
      if (command === 'failing') throw new Error('broken');
    },
    stop: () => writeSync(1, 'stop ' + command + '\\n'),
  });
  runtime.addDriver({ name: 'open', start });
  runtime.addDriver({ name: 'indifferent', start: () => ({}) });
  runtime.spawn(async (self) => {
    const closed = self.open_port(['spawn', 'open closed']);
    self.open_port('indifferent');
    self.open_port(['spawn', 'open failing']);
    self.open_port(['spawn', 'open last']);
    self.port_close(closed);
    await (END);
  });
`;
const CLOSED = ['emergency_close failing', 'emergency_close last'];

test.each<[how: string, end: string, status: number | null, lines: string[]]>([
  ['process.exit', 'process.exit(3)', 3, CLOSED],
  ['an uncaught exception', 'process.nextTick(() => { throw 1; }), self.receive()', 1, CLOSED],
  ['nothing left to do', 'self.receive()', 0, CLOSED],
  ['a signal that nobody handles', `process.kill(process.pid, 'SIGTERM'), self.receive()`, null, []],
  ['the end of the runtime before', 'runtime.stop()', 0, ['stop failing', 'stop last']],
])('%s', async (_, end, status, lines) => {
  const ended = await run(process.execPath, ['-e', PROGRAM.replace('END', end)]);
  expect(ended.stdout.trim().split('\n')).toEqual(['stop closed', ...lines]);
  expect(ended.status).toBe(status);
});
