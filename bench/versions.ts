import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { version as libzmq } from 'zeromq';

/** What the rivals are, beside Node.js. */
export function versions(): readonly string[] {
  const { error, stdout } = spawnSync('c++', ['--version'], { encoding: 'utf8' });
  const compiler = error === undefined ? stdout.split('\n')[0] : 'c++ is missing: no C limit';
  return [`zeromq.js ${zeromqVersion()} with libzmq ${libzmq}; ${compiler}`];
}

/** zeromq.js does not export that. */
function zeromqVersion(): string {
  const file = path.join(path.dirname(require.resolve('zeromq')), '../package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
