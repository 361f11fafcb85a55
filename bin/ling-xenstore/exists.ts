import type { Command } from 'commander';
import type { XenstoreClient } from '../../xen/xenstore/client.js';
import { XenstoreError } from '../../xen/xenstore/errors.js';
import { jsonLine } from '../cli/json.js';
import { print } from '../cli/output.js';
import { does, JSON_OPTION, xenCommand } from './command.js';

export function existsCommand(): Command {
  const command = xenCommand(
    'exists',
    'exit with 0 if all of the nodes are there and may be read, else with 1',
  )
    .argument('<path...>')
    .option(...JSON_OPTION);
  return does(command, exists);
}

async function exists(
  store: XenstoreClient,
  { json }: { json?: boolean },
  paths: readonly string[],
): Promise<number> {
  const found = await store.transaction((tx) => Promise.all(paths.map((path) => isThere(store, path, tx))));
  if (json) print(jsonLine(paths.map((path, i) => ({ path, exists: found[i] }))));
  return found.every(Boolean) ? 0 : 1;
}

async function isThere(store: XenstoreClient, path: string, tx: number): Promise<boolean> {
  try {
    await store.read(path, tx);
    return true;
  } catch (error) {
    if (error instanceof XenstoreError && ABSENT.has(error.code)) return false;
    throw error;
  }
}

/** No such node, none that this side may know of, or none that could be. */
const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'EACCES', 'EINVAL']);
