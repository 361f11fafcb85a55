import { type Command, InvalidArgumentError } from 'commander';
import type { XenstoreClient } from '../../xen/xenstore/client.js';
import { trying } from '../cli/failure.js';
import { jsonLine } from '../cli/json.js';
import { print } from '../cli/output.js';
import { does, JSON_OPTION, xenCommand } from './command.js';

interface Options {
  number?: number;
  json?: boolean;
}

export function watchCommand(): Command {
  const command = xenCommand(
    'watch',
    'print the path of each change at a path or below, and each path at once',
  )
    .argument('<path...>', 'also @introduceDomain and @releaseDomain')
    .option('-n, --number <number>', 'end after so many', count)
    .option(...JSON_OPTION);
  return does(command, watch);
}

/** A number below zero stands for no end. */
function count(text: string): number {
  if (!/^-?\d+$/.test(text)) throw new InvalidArgumentError('expected a number.');
  return Number(text) < 0 ? Number.POSITIVE_INFINITY : Number(text);
}

async function watch(
  store: XenstoreClient,
  { number = Number.POSITIVE_INFINITY, json }: Options,
  paths: readonly string[],
): Promise<number> {
  const changes: string[] = [];
  let wake = (): void => {};
  const onChange = (path: string): void => {
    changes.push(path);
    wake();
  };
  for (const path of paths) await trying(`cannot watch ${path}`, store.watch(path, onChange));
  for (let left = number; left > 0; left -= 1) {
    if (changes.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const path = changes.shift() as string;
    print(json ? jsonLine({ path }) : `${path}\n`);
  }
  return 0;
}
