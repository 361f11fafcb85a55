/** A user who may not have more processes and threads: what open_port says has failed has not been run. */
import fs from 'node:fs';
import path from 'node:path';
import { run } from '../support/run';

const dist = (name: string) => JSON.stringify(path.resolve('dist', `${name}.js`));

/** Opens ports as long as it can, and some more, whose programs say that they run; prints how many it has opened. */
const PROGRAM = `
  const { PortRuntime } = require(${dist('ports/port-runtime')});
  const runtime = new PortRuntime();
  runtime.addDriver(require(${dist('ports/drivers/spawn')}).spawnDriver);
  runtime.spawn((self) => {
    const seen = { opened: 0, eagain: 0 };
    while (seen.eagain < 3) {
      try {
        self.open_port(['spawn', 'sh -c "echo running >&2; exec cat"'], []);
        seen.opened++;
      } catch ({ reason }) {
        seen[reason]++;
      }
    }
    console.log(seen.opened);
    setTimeout(() => process.exit(), 500);
  });
`;

/** Nobody is limited who is root. */
const isRoot = process.getuid?.() === 0;
const UNPRIVILEGED = isRoot
  ? ['setpriv', '--reuid=65534', '--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search']
  : [];

/** How many threads that user has already: those count. */
function threadsOf(uid: number): number {
  const counts = fs.readdirSync('/proc').map((pid) => {
    try {
      return fs.statSync(`/proc/${pid}`).uid === uid ? fs.readdirSync(`/proc/${pid}/task`).length : 0;
    } catch {
      return 0; // Gone meanwhile, or no process.
    }
  });
  return counts.reduce((sum, count) => sum + count, 0);
}

// A program takes two, so that one time the first is refused, the other time the second.
test.each([60, 61])('%i of them', async (more) => {
  const limit = threadsOf(isRoot ? 65_534 : (process.getuid?.() as number)) + more;
  const [file, ...args] = [...UNPRIVILEGED, 'bash', '-c', `ulimit -u ${limit}; exec "$0" -e "$1"`];
  // Nothing but what the program says.
  const env = { BASH_ENV: '', NODE_V8_COVERAGE: '' };
  const { stdout, stderr } = await run(file as string, [...args, process.execPath, PROGRAM], { env });
  const opened = Number(stdout);
  expect(opened).toBeGreaterThan(5);
  expect(stderr).toBe('running\n'.repeat(opened));
});
