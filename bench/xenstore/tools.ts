/** Programs for Xenstore on the command line: ours and Debian's. */
import { execFile, spawnSync } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

/** As `Program` has patience: far more than any measurement takes. */
const PATIENCE = 120_000;

export interface Tools {
  readonly name: string;
  /** The program and arguments for one of the commands that both have. */
  command(name: 'read' | 'write' | 'ls' | 'watch', ...args: readonly string[]): Command;
}

export type Command = readonly [file: string, ...args: string[]];

const ours: Tools = {
  name: 'ling-xenstore',
  command: (...words) => [process.execPath, path.join(__dirname, '../../bin/ling-xenstore.js'), ...words],
};

const debians: Tools = {
  name: 'xenstore-utils',
  command: (name, ...args) => [`xenstore-${name}`, ...args],
};

/** Of Debian's; undefined where they are missing. */
export const toolsVersion: string | undefined = versionOfDebians();

/** Ours first. */
export const TOOLS: readonly [Tools, ...Tools[]] = toolsVersion === undefined ? [ours] : [ours, debians];

/** Runs a command to its end; resolves with what it has printed. @throws Error when it fails */
export async function runTool(socket: string, [file, ...args]: Command): Promise<string> {
  const options = { env: toolEnvironment(socket), timeout: PATIENCE, maxBuffer: Number.POSITIVE_INFINITY };
  return (await promisify(execFile)(file, args, options)).stdout;
}

/** Where both look. */
export function toolEnvironment(socket: string): NodeJS.ProcessEnv {
  return { ...process.env, XENSTORED_PATH: socket };
}

function versionOfDebians(): string | undefined {
  if (spawnSync('xenstore-read', ['-h']).error !== undefined) return undefined;
  const query = ['--show', '--showformat', `\${Version}`, 'xenstore-utils'];
  return spawnSync('dpkg-query', query, { encoding: 'utf8' }).stdout || 'of unknown version';
}
