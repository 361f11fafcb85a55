import { readFileSync } from 'node:fs';
import path from 'node:path';
import { version as libzmq } from 'zeromq';
import { compilerVersion } from './compiler.js';

/** What the rivals are, beside Node.js. */
export function versions(): readonly string[] {
  const compiler = compilerVersion() ?? 'c++ is missing: no C limit, no veth';
  return [`zeromq.js ${zeromqVersion()} with libzmq ${libzmq}; ${compiler}`];
}

/** zeromq.js does not export that. */
function zeromqVersion(): string {
  const file = path.join(path.dirname(require.resolve('zeromq')), '../package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
