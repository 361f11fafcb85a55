/** An OS process that may not have more descriptors: open_port says so, and nothing is left behind. */
import path from 'node:path';
import { run } from '../support/run';

const dist = (name: string) => JSON.stringify(path.resolve('dist', `${name}.js`));

/** Opens a port with 0, 1, 2 ... descriptors left, and prints what came of each, then ends by itself. */
const PROGRAM = `
  const fs = require('node:fs');
  const { PortRuntime } = require(${dist('ports/port-runtime')});
  const { spawnDriver } = require(${dist('ports/drivers/spawn')});
  const { fdDriver } = require(${dist('ports/drivers/fd')});
  const { createPipe } = require(${dist('native/index')});
  const descriptors = () => fs.readdirSync('/proc/self/fd').length;
  const runtime = new PortRuntime();
  for (const driver of [spawnDriver, fdDriver]) runtime.addDriver(driver);
  const pipe = createPipe();
  runtime.spawn(async (self) => {
    self.process_flag('trap_exit', true);
    for (let left = 0; left < 20; left++) {
      const before = descriptors();
      const held = [];
      for (;;) try { held.push(fs.openSync('/dev/null')); } catch { break; }
      for (const fd of held.splice(0, left)) fs.closeSync(fd);
      let port, raised;
      try { port = self.open_port(NAME, OPTIONS); } catch (error) { raised = error.reason; }
      for (const fd of held) fs.closeSync(fd);
      if (port && NAME[0] === 'fd') self.port_close(port);
      const messages = [];
      while (port) {
        const [tag, what, reason] = await self.receive();
        if (tag === 'EXIT') { messages.push(reason); break; }
        messages.push(what);
      }
      while (descriptors() !== before) await new Promise((resolve) => setTimeout(resolve, 5));
      console.log(JSON.stringify(raised ?? messages), self.ports().length);
    }
  });
`;

test.each<[what: string, name: string, options: string, ended: string]>([
  ['a command', '["spawn", "true"]', '["exit_status"]', '[["exit_status",0],"normal"] 0'],
  ['a file', '["spawn_executable", "/bin/true"]', '["exit_status"]', '[["exit_status",0],"normal"] 0'],
  [
    'a directory that is not there',
    '["spawn", "true"]',
    '["exit_status", ["cd", "/no/such"]]',
    '[["exit_status",2],"normal"] 0',
  ],
  ['output alone', '["spawn", "true"]', '["in"]', '["normal"] 0'],
  ['descriptors', '["fd", pipe[0], pipe[0]]', '["in"]', '["normal"] 0'],
])('%s', async (_, name, options, ended) => {
  const program = PROGRAM.replaceAll('NAME', name).replaceAll('OPTIONS', options);
  const { status, stdout, stderr } = await run('sh', [
    '-c',
    'ulimit -n 60; exec "$0" -e "$1"',
    process.execPath,
    program,
  ]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const lines = stdout.trim().split('\n');
  const enough = lines.indexOf(ended);
  expect(enough).toBeGreaterThan(1);
  expect(lines).toEqual(lines.map((_line, left) => (left < enough ? '"emfile" 0' : ended)));
});
