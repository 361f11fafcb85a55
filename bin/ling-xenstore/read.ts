import type { Command } from 'commander';
import type { XenstoreClient } from '../../xen/xenstore/client.js';
import { trying } from '../cli/failure.js';
import { jsonLine, jsonValue } from '../cli/json.js';
import { print } from '../cli/output.js';
import { does, JSON_OPTION, xenCommand } from './command.js';
import { escapeValue } from './escapes.js';

interface Options {
  prefix?: boolean;
  raw?: boolean;
  json?: boolean;
}

export function readCommand(): Command {
  const command = xenCommand('read', 'print values, of one moment if they are several')
    .argument('<path...>')
    .option('-p, --prefix', 'print each path in front')
    .option('-R, --raw', 'print the bytes as they are, with nothing between them')
    .option(...JSON_OPTION);
  return does(command, read);
}

async function read(store: XenstoreClient, options: Options, paths: readonly string[]): Promise<number> {
  let values: Buffer[] = [];
  const readAll = async (tx?: number): Promise<void> => {
    values = [];
    for (const path of paths) values.push(await trying(`cannot read ${path}`, store.read(path, tx)));
  };
  try {
    await (paths.length === 1 ? readAll() : store.transaction(readAll));
  } catch (error) {
    // What could be read before that is printed, as Xen's does.
    if (!options.json) printValues(paths, values, options);
    throw error;
  }
  printValues(paths, values, options);
  return 0;
}

function printValues(
  paths: readonly string[],
  values: readonly Buffer[],
  { prefix, raw, json }: Options,
): void {
  if (json) return print(jsonLine(values.map((value, i) => ({ path: paths[i], ...jsonValue(value) }))));
  for (const [i, value] of values.entries()) {
    if (prefix) print(`${paths[i]}: `);
    print(raw ? value : `${escapeValue(value)}\n`);
  }
}
