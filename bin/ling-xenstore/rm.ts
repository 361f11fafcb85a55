import type { Command } from 'commander';
import type { XenstoreClient } from '../../xen/xenstore/client.js';
import { trying } from '../cli/failure.js';
import { ancestorsIn } from './ancestors.js';
import { does, xenCommand } from './command.js';

interface Options {
  tidy?: boolean;
}

export function rmCommand(): Command {
  const command = xenCommand('rm', 'remove nodes and all below them, all or none')
    .argument('<path...>')
    .option('-t, --tidy', 'also the nodes above that are then left with no value and nothing below');
  return does(command, rm);
}

async function rm(store: XenstoreClient, { tidy }: Options, paths: readonly string[]): Promise<number> {
  await store.transaction(async (tx) => {
    for (const path of paths) {
      await trying(`cannot remove ${path}`, store.rm(path, tx));
      if (tidy) await removeEmptyAbove(store, path, tx);
    }
  });
  return 0;
}

async function removeEmptyAbove(store: XenstoreClient, path: string, tx: number): Promise<void> {
  for (const parent of ancestorsIn(path)) {
    const remove = async (): Promise<boolean> => {
      if ((await store.read(parent, tx)).length > 0) return false;
      if ((await store.directory(parent, tx)).length > 0) return false;
      await store.rm(parent, tx);
      return true;
    };
    if (!(await trying(`cannot remove ${parent}`, remove()))) return;
  }
}
