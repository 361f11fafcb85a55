/** All nodes below one. */
import type { XenstoreClient } from '../../xen/xenstore/client.js';
import { XenstoreError } from '../../xen/xenstore/errors.js';
import { childPath } from '../../xen/xenstore/path.js';

export interface StoreNode {
  readonly path: string;
  readonly name: string;
  /** 0 right below the top. */
  readonly depth: number;
  readonly content: Content | XenstoreError;
}

interface Content {
  readonly value: Buffer;
  readonly permissions: readonly string[];
  /** Of the nodes right below. */
  readonly names: readonly string[];
}

/** So many nodes are asked for before the first answer has come. */
const AT_ONCE = 64;

/**
 * Every node below `top`, depth first, in the order in which the server has them; one that has gone meanwhile is left
 * out, and one that may not be read has an error as its content. Throws what listing `top` itself does.
 */
export async function* nodesBelow(store: XenstoreClient, top: string): AsyncGenerator<StoreNode> {
  yield* nodesNamed(store, top, await store.directory(top), 0);
}

async function* nodesNamed(
  store: XenstoreClient,
  parent: string,
  names: readonly string[],
  depth: number,
): AsyncGenerator<StoreNode> {
  for (let at = 0; at < names.length; at += AT_ONCE) {
    const nodes = await Promise.all(
      names.slice(at, at + AT_ONCE).map((name) => look(store, childPath(parent, name), name, depth)),
    );
    for (const node of nodes) {
      if (!node) continue;
      yield node;
      if ('names' in node.content) yield* nodesNamed(store, node.path, node.content.names, depth + 1);
    }
  }
}

async function look(
  store: XenstoreClient,
  path: string,
  name: string,
  depth: number,
): Promise<StoreNode | undefined> {
  try {
    const [value, permissions, names] = await Promise.all([
      store.read(path),
      store.getPerms(path),
      store.directory(path),
    ]);
    return { path, name, depth, content: { value, permissions, names } };
  } catch (error) {
    if (!(error instanceof XenstoreError)) throw error;
    return error.code === 'ENOENT' ? undefined : { path, name, depth, content: error };
  }
}
