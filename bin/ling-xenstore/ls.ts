import { type Command, Option } from 'commander';
import type { XenstoreClient } from '../../xen/xenstore/client.js';
import { Failure, failureOf, unlessMissing } from '../cli/failure.js';
import { jsonLine, jsonValue } from '../cli/json.js';
import { print } from '../cli/output.js';
import { does, JSON_OPTION, xenCommand } from './command.js';
import { follow } from './follow.js';
import { type LsFormat, lsLine } from './ls-line.js';
import { nodesBelow, type StoreNode } from './tree.js';

interface Options {
  flat?: boolean;
  permissions?: boolean;
  prefix?: boolean;
  json?: boolean;
  follow?: boolean;
}

export function lsCommand(): Command {
  const command = xenCommand('ls', 'print all nodes below a path')
    .argument('[path...]', 'where to begin', ['/'])
    .option('-f, --flat', 'print whole paths')
    .option('-p, --permissions', 'print permissions too')
    // What Xen calls -p.
    .addOption(new Option('--prefix').hideHelp())
    .option(...JSON_OPTION)
    .option('--follow', 'print all of it again when something has changed');
  return does(command, ls);
}

async function ls(store: XenstoreClient, options: Options, paths: readonly string[]): Promise<number> {
  if (!options.follow) return list(store, options, paths, print);
  await follow({ store, paths, json: options.json }, async () => {
    let drawn = '';
    await list(store, options, paths, (text) => (drawn += text));
    return drawn;
  });
  return 0;
}

async function list(
  store: XenstoreClient,
  options: Options,
  paths: readonly string[],
  write: (text: string) => void,
): Promise<number> {
  if (options.json) {
    const nodes: unknown[] = [];
    for await (const node of nodesOf(store, options, paths)) nodes.push(jsonNode(node));
    write(jsonLine(nodes));
    return 0;
  }
  const format = formatOf(options);
  for await (const node of nodesOf(store, options, paths)) write(`${lineOf(node, format, write)}\n`);
  return 0;
}

async function* nodesOf(
  store: XenstoreClient,
  options: Options,
  paths: readonly string[],
): AsyncGenerator<StoreNode> {
  for (const path of paths) {
    try {
      yield* nodesBelow(store, path);
    } catch (error) {
      // What is not there yet may still come.
      if (options.follow) unlessMissing(error);
      else throw failureOf(`cannot list ${path}`, error);
    }
  }
}

function formatOf({ flat = false, permissions, prefix }: Options): LsFormat {
  const { isTTY, columns } = process.stdout;
  return {
    full: flat,
    permissions: permissions ?? prefix ?? false,
    columns: isTTY ? columns || Number.POSITIVE_INFINITY : undefined,
  };
}

/** Like Xen's, it says where it may not read, and goes no further. */
function lineOf(node: StoreNode, format: LsFormat, write: (text: string) => void): string {
  const { content, path, name, depth } = node;
  if (!(content instanceof Error)) return lsLine({ ...node, ...content }, format);
  write(`${format.full ? path : ' '.repeat(depth) + name}:\n\n`);
  throw new Failure(`cannot read ${path}: ${content.message}`, { cause: content });
}

/** Here there is room to say which nodes may not be read. */
function jsonNode({ path, content }: StoreNode): unknown {
  if (content instanceof Error) return { path, error: content.code };
  return { path, ...jsonValue(content.value), permissions: content.permissions };
}
