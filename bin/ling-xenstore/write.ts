import type { Command } from 'commander';
import type { XenstoreClient } from '../../xen/xenstore/client.js';
import { trying } from '../cli/failure.js';
import { does, xenCommand } from './command.js';
import { unescapeValue } from './escapes.js';

interface Options {
  raw?: boolean;
}

export function writeCommand(): Command {
  const command = xenCommand('write', 'set values, all of them or none')
    .argument('<path>')
    .argument('<value>', 'with \\n, \\t, \\r, \\\\, \\101 and \\x41 for single bytes')
    .argument('[path value...]', 'further ones')
    .option('-R, --raw', 'take backslashes for themselves');
  return does(command, (store, options: Options, path: string, value: string, others: string[]) => {
    const words = [path, value, ...others];
    if (words.length % 2 !== 0) command.error(`error: no value for ${words.at(-1)}`);
    return write(store, options, words);
  });
}

async function write(store: XenstoreClient, { raw }: Options, words: readonly string[]): Promise<number> {
  const writeAll = async (tx?: number): Promise<void> => {
    for (let i = 0; i < words.length; i += 2) {
      const [path, text] = words.slice(i, i + 2) as [string, string];
      const value = raw ? Buffer.from(text) : unescapeValue(text);
      await trying(`cannot write ${path}`, store.write(path, value, tx));
    }
  };
  await (words.length === 2 ? writeAll() : store.transaction(writeAll));
  return 0;
}
