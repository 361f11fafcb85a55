/**
 * What can be done with nodes, and who may: every operation checks rights and quotas first, so it happens whole or
 * throws a {@link XenstoreError} having changed nothing. (One that makes a transaction touch too many nodes may stop
 * half-way, but then that transaction can no longer be committed.)
 */
import type { Caller, Domain } from './domains.js';
import { XenstoreError } from './errors.js';
import { baseName, parentPath, selfAndAncestors } from './path.js';
import { inheritPermissions, OWNER, type Permissions, READ, rightsOf, WRITE } from './permissions.js';
import type { Quota } from './quota.js';
import { type Node, nameSize, sizeOf, type TreeView } from './tree.js';

/** What a watch is told of. */
export interface Change {
  readonly path: string;
  /**
   * Whoever may read by any of these lists may hear of it: they are the node's, before and after, and its parent's.
   * Undefined is for a node that was or is not there.
   */
  readonly visibleBy: readonly (Permissions | undefined)[];
  /** It went along with a node above it: only watches on this very path are told. */
  readonly exact: boolean;
}

/** On whose behalf, on what, and within which bounds. */
export interface Scope {
  readonly view: TreeView;
  readonly caller: Caller;
  readonly quota: Quota;
}

const EMPTY = Buffer.alloc(0);

/** The node, for reading: `EACCES` without the right to, `ENOENT` when there is none. */
export function readNode(scope: Scope, path: string): Node {
  return lookUp(scope, path, READ);
}

/** Sets a node's value; makes it, and its parents, where missing. */
export function writeNode(scope: Scope, path: string, value: Buffer): Change[] {
  const node = scope.view.get(path);
  if (node === undefined) return createNode(scope, path, value);
  demand(scope, path, node, WRITE);
  demandRoom(scope, node, value.length - node.value.length);
  scope.view.edit(path, (edited) => {
    edited.value = value;
  });
  return [changeOf(scope, path, node.permissions)];
}

/** Makes a node, and its parents, where missing; one that is there stays as it is, which nobody is told of. */
export function makeNode(scope: Scope, path: string): Change[] {
  const node = scope.view.get(path);
  if (node === undefined) return createNode(scope, path, EMPTY);
  demand(scope, path, node, WRITE);
  return [];
}

/**
 * Removes a node with all that is below it, for which the right to write the node itself is enough. One that is
 * not there is no error as long as its parent is.
 */
export function removeNode(scope: Scope, path: string): Change[] {
  const node = scope.view.get(path);
  if (node === undefined) {
    const refusal = missing(scope, path, WRITE);
    if (refusal.code !== 'ENOENT' || scope.view.get(parentPath(path)!) === undefined) throw refusal;
    return [];
  }
  demand(scope, path, node, WRITE);
  if (path === '/') throw new XenstoreError('EINVAL');
  // Only so in a transaction that touched the node before others removed it with its parent: it cannot succeed.
  const parent = scope.view.get(parentPath(path)!);
  if (parent === undefined) throw new XenstoreError('EINVAL');
  const removed = scope.view.remove(path);
  const lists = new Map(
    [...removed, [parentPath(path)!, parent] as const].map(([at, n]) => [at, n.permissions]),
  );
  return removed.map(([at, { permissions }]) => ({
    path: at,
    visibleBy: [permissions, lists.get(parentPath(at)!)],
    exact: at !== path,
  }));
}

/** Replaces a node's permission list; only domain 0 may make somebody else the owner (`EPERM`). */
export function setNodePermissions(scope: Scope, path: string, permissions: Permissions): Change[] {
  const node = lookUp(scope, path, WRITE | OWNER);
  const before = node.permissions;
  if (!scope.caller.privileged && permissions[0].domid !== before[0].domid) throw new XenstoreError('EPERM');
  demandRoom(scope, node, sizeOf(0, permissions.length) - sizeOf(0, before.length));
  scope.view.edit(path, (edited) => {
    edited.permissions = permissions;
  });
  return [changeOf(scope, path, before, permissions)];
}

function changeOf({ view }: Scope, path: string, ...visibleBy: Permissions[]): Change {
  const parent = view.peek(parentPath(path) ?? '/');
  return { path, visibleBy: [...visibleBy, parent?.permissions], exact: false };
}

function createNode(scope: Scope, path: string, value: Buffer): Change[] {
  const { view, caller } = scope;
  const [parent, ...paths] = pathsToMake(view, path);
  const above = view.get(parent)!;
  demand(scope, path, above, WRITE);
  const permissions = inheritPermissions(caller, above.permissions);
  demandRoomForNew(scope, above, permissions, paths, value);
  for (const at of paths) view.create(at, permissions, at === path ? value : EMPTY);
  return [changeOf(scope, path, permissions)];
}

/** The nearest node that exists, then all that are missing below it down to `path`. */
function pathsToMake(view: TreeView, path: string): [existing: string, ...missing: string[]] {
  const paths: string[] = [];
  for (const at of selfAndAncestors(path)) {
    if (view.get(at) !== undefined) return [at, ...paths.reverse()];
    paths.push(at);
  }
  throw new Error('the root of the tree is gone');
}

function lookUp(scope: Scope, path: string, rights: number): Node {
  const node = scope.view.get(path);
  if (node === undefined) throw missing(scope, path, rights);
  demand(scope, path, node, rights);
  return node;
}

function demand({ view, caller }: Scope, path: string, node: Node, rights: number): void {
  if ((rightsOf(caller, node.permissions) & rights) === rights) return;
  // xenstored looks there too, which makes a transaction one that has.
  view.get(parentPath(path) ?? '/');
  throw new XenstoreError('EACCES');
}

/**
 * That a node does not exist is only for those to know who could see it above; others are just refused. A
 * transaction has looked at all above it then, whoever asks.
 */
function missing({ view, caller }: Scope, path: string, rights: number): XenstoreError {
  const [existing] = pathsToMake(view, path);
  const seen = rightsOf(caller, view.get(existing)!.permissions) & rights;
  return new XenstoreError(seen ? 'ENOENT' : 'EACCES');
}

function demandRoom(scope: Scope, node: Node, growth: number): void {
  if (scope.caller.privileged) return;
  demandSize(scope, node.size + growth);
  demandMemory(scope, node.owner, growth);
}

function demandRoomForNew(
  scope: Scope,
  above: Node,
  permissions: Permissions,
  paths: readonly string[],
  value: Buffer,
): void {
  const { view, caller, quota } = scope;
  if (caller.privileged) return;
  if (!view.hasRoom(caller.domain, paths.length, quota.nodes)) throw new XenstoreError('ENOSPC');
  const names = paths.map((path) => nameSize(baseName(path)));
  const growthAbove = names[0]!;
  demandSize(scope, above.size + growthAbove);
  let memory = above.owner === caller.domain ? growthAbove : 0;
  for (const [index, path] of paths.entries()) {
    const isLast = index === paths.length - 1;
    const size = sizeOf(isLast ? value.length : 0, permissions.length, names[index + 1] ?? 0);
    demandSize(scope, size);
    memory += path.length + size;
  }
  demandMemory(scope, above.owner, growthAbove);
  demandMemory(scope, caller.domain, memory);
}

function demandSize({ view, quota }: Scope, size: number): void {
  if (size < quota.nodeSize) return;
  view.spoil();
  throw new XenstoreError('ENOSPC');
}

/** Only growth can be too much: a domain over its quota must be able to make its nodes smaller. */
function demandMemory({ view, quota }: Scope, payer: Domain | undefined, growth: number): void {
  if (payer === undefined || payer.domid === 0 || growth <= 0) return;
  if (view.memoryOf(payer) + growth <= quota.memory) return;
  view.spoil();
  throw new XenstoreError('ENOMEM');
}
