import type { Command } from 'commander';
import type { XenstoreClient } from '../../xen/xenstore/client.js';
import { trying } from '../cli/failure.js';
import { jsonLine } from '../cli/json.js';
import { print } from '../cli/output.js';
import { does, JSON_OPTION, xenCommand } from './command.js';

interface Options {
  prefix?: boolean;
  json?: boolean;
}

interface Listing {
  readonly path: string;
  readonly names: readonly string[];
}

export function listCommand(): Command {
  const command = xenCommand('list', 'print the names of the nodes right below')
    .argument('<path...>')
    .option('-p, --prefix', 'print whole paths')
    .option(...JSON_OPTION);
  return does(command, list);
}

async function list(store: XenstoreClient, options: Options, paths: readonly string[]): Promise<number> {
  let listings: Listing[] = [];
  try {
    await store.transaction(async (tx) => {
      listings = [];
      for (const path of paths)
        listings.push({ path, names: await trying(`cannot list ${path}`, store.directory(path, tx)) });
    });
  } catch (error) {
    if (!options.json) printNames(listings, options);
    throw error;
  }
  if (options.json) print(jsonLine(listings));
  else printNames(listings, options);
  return 0;
}

function printNames(listings: readonly Listing[], { prefix }: Options): void {
  for (const { path, names } of listings) {
    print(names.map((name) => `${prefix ? `${path}/` : ''}${name}\n`).join(''));
  }
}
