import { type Command, InvalidArgumentError } from 'commander';
import type { XenstoreClient } from '../../xen/xenstore/client.js';
import { childPath } from '../../xen/xenstore/path.js';
import { trying } from '../cli/failure.js';
import { ancestorsIn } from './ancestors.js';
import { does, xenCommand } from './command.js';

interface Options {
  recurse?: boolean;
  upto?: boolean;
}

export function chmodCommand(): Command {
  const command = xenCommand('chmod', 'set permissions, of all of the nodes or of none')
    .argument('<path>')
    .argument(
      '<permission...>',
      'n none, r read, w write, b both, and a domid: the owner and what everybody may, then what others may',
      permission,
    )
    .option('-r, --recurse', 'also of all nodes below')
    .option('-u, --upto', 'also of the nodes above, but for /');
  return does(command, chmod);
}

function permission(text: string, earlier: readonly string[] = []): string[] {
  if (!/^[nrwb]\d+$/.test(text)) throw new InvalidArgumentError('expected one of n, r, w, b and a domid.');
  return [...earlier, text];
}

async function chmod(
  store: XenstoreClient,
  { recurse, upto }: Options,
  path: string,
  permissions: readonly string[],
): Promise<number> {
  await store.transaction(async (tx) => {
    const set = (each: string) =>
      trying(`cannot set the permissions of ${each}`, store.setPerms(each, permissions, tx));
    await set(path);
    if (upto) for (const parent of ancestorsIn(path)) await set(parent);
    if (recurse) for await (const below of pathsBelow(store, path, tx)) await set(below);
  });
  return 0;
}

async function* pathsBelow(store: XenstoreClient, path: string, tx: number): AsyncGenerator<string> {
  for (const name of await trying(`cannot list ${path}`, store.directory(path, tx))) {
    const child = childPath(path, name);
    yield child;
    yield* pathsBelow(store, child, tx);
  }
}
