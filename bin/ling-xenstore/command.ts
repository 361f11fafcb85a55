/** What the commands have in common. */
import { Command, Option } from 'commander';
import type { XenstoreClient } from '../../xen/xenstore/client.js';
import { type StoreOptions, withStore } from '../cli/store.js';

/** A command that Xen's tools have too: `-s`, which has lost its meaning, is taken there as well. */
export function xenCommand(name: string, description: string): Command {
  return new Command(name).description(description).addOption(new Option('-s').hideHelp());
}

/** `--json`, of the commands that have it. */
export const JSON_OPTION = ['--json', 'print JSON, one document on one line'] as const;

/**
 * Makes `run` what the command does, with the Xenstore, the arguments and the options. Its exit status is what that
 * answers.
 */
export function does<A extends readonly unknown[], O>(
  command: Command,
  run: (store: XenstoreClient, options: O, ...args: A) => Promise<number>,
): Command {
  return command.action(async () => {
    const options = command.optsWithGlobals<O & StoreOptions>();
    const args = command.processedArgs as unknown as A;
    process.exitCode = await withStore(options, (store) => run(store, options, ...args));
  });
}
