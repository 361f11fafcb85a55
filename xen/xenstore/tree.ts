import type { Domain } from './domains.js';
import { baseName, childPath, parentPath } from './path.js';
import type { Permissions } from './permissions.js';

/** One node. Its value and its permission list are only ever replaced, never changed in place. */
export class Node {
  /**
   * A transaction has this very object as what it read, so it must stay as it is: a change goes to a copy. That
   * makes "has it changed since" a comparison of two references.
   */
  lent = false;
  /** Differs after every change of the node itself, which adding or removing a child is too. */
  generation = 0;
  /** Undefined as long as it has none, as most nodes: even an empty Set is a good part of a node's memory. */
  #children: Set<string> | undefined;
  #nameBytes = 0;

  constructor(
    public value: Buffer,
    public permissions: Permissions,
  ) {}

  /** In order of creation. */
  get children(): ReadonlySet<string> {
    return this.#children ?? NONE;
  }

  get owner(): Domain | undefined {
    return this.permissions[0].domain;
  }

  /** In bytes, counted as xenstored does, so that a quota means the same here as there. */
  get size(): number {
    return sizeOf(this.value.length, this.permissions.length, this.#nameBytes);
  }

  addChild(name: string): void {
    this.#children ??= new Set();
    this.#children.add(name);
    this.#nameBytes += nameSize(name);
  }

  removeChild(name: string): void {
    this.#children?.delete(name);
    this.#nameBytes -= nameSize(name);
  }

  copy(): Node {
    const copy = new Node(this.value, this.permissions);
    copy.generation = this.generation;
    copy.#children = this.#children && new Set(this.#children);
    copy.#nameBytes = this.#nameBytes;
    return copy;
  }
}

const NONE: ReadonlySet<string> = new Set();

/** What a node with these contents takes, in bytes; `names` is the sum of {@link nameSize} of its children. */
export function sizeOf(value: number, permissions: number, names = 0): number {
  return 24 + 8 * permissions + value + names;
}

export function nameSize(name: string): number {
  return name.length + 1;
}

/**
 * The nodes as somebody sees them: everybody the {@link Tree}, a transaction what it makes of the tree. Keeps
 * account of what each owner uses. Whether a change is allowed has been decided before it comes here.
 */
export abstract class TreeView {
  abstract get(path: string): Node | undefined;
  /** As `get`, but it does not count as having looked. */
  abstract peek(path: string): Node | undefined;
  /** Whether the domain may have so many more nodes. */
  abstract hasRoom(domain: Domain, nodes: number, quota: number): boolean;
  /** Bytes that the domain uses. */
  abstract memoryOf(domain: Domain): number;
  /** A change was begun and refused: what came before it in a transaction is not to be had without it. */
  abstract spoil(): void;
  /** A node at `path` that may be changed in place; there has to be one. */
  protected abstract own(path: string): Node;
  protected abstract set(path: string, node: Node | undefined): void;
  protected abstract nextGeneration(): number;
  /** What a domain owns: one node more (1), one less (-1), or the same one (0); and so many bytes more or less. */
  protected abstract charge(owner: Domain, path: string, nodes: 1 | 0 | -1, memory: number): void;

  /** Adds a node, whose parent has to exist. */
  create(path: string, permissions: Permissions, value: Buffer): void {
    const node = new Node(value, permissions);
    node.generation = this.nextGeneration();
    this.set(path, node);
    this.account(path, node, 1);
    this.amend(parentPath(path)!, (parent) => parent.addChild(baseName(path)));
  }

  /** Gives a node another value or other permissions. */
  edit(path: string, change: (node: Node) => void): void {
    this.amend(path, change);
  }

  protected amend(path: string, change: (node: Node) => void): void {
    const node = this.own(path);
    const { owner, size } = node;
    change(node);
    node.generation = this.nextGeneration();
    if (node.owner === owner) {
      if (owner !== undefined) this.charge(owner, path, 0, node.size - size);
      return;
    }
    if (owner !== undefined) this.charge(owner, path, -1, -(path.length + size));
    this.account(path, node, 1);
  }

  /** Removes a node with all that is below it; returns what went, each node after its children. */
  remove(path: string): [path: string, node: Node][] {
    const removed = [...this.#subtree(path)];
    for (const [at, node] of removed) {
      this.account(at, node, -1);
      this.set(at, undefined);
    }
    this.amend(parentPath(path)!, (parent) => parent.removeChild(baseName(path)));
    return removed;
  }

  protected account(path: string, node: Node, sign: 1 | -1): void {
    if (node.owner === undefined) return;
    this.charge(node.owner, path, sign, sign * (path.length + node.size));
  }

  *#subtree(path: string): Generator<[string, Node]> {
    const node = this.get(path);
    if (node === undefined) return;
    for (const name of node.children) yield* this.#subtree(childPath(path, name));
    yield [path, node];
  }
}

/** Told of a node that was made or has another value or other permissions; undefined: removed, with all below. */
export type OnChange = (path: string, node: Node | undefined) => void;

/**
 * The store itself. A flat table by path, so that reading or writing a node costs the same however deep it lies and
 * however many there are.
 */
export class Tree extends TreeView {
  readonly #nodes = new Map<string, Node>();
  readonly #onChange: OnChange;
  #generation = 0;

  /** With nothing but `/`. */
  constructor(rootPermissions: Permissions, onChange: OnChange = () => {}) {
    super();
    this.#onChange = onChange;
    const root = new Node(Buffer.alloc(0), rootPermissions);
    this.#nodes.set('/', root);
    this.account('/', root, 1);
  }

  override get(path: string): Node | undefined {
    return this.#nodes.get(path);
  }

  override peek(path: string): Node | undefined {
    return this.get(path);
  }

  override hasRoom(domain: Domain, nodes: number, quota: number): boolean {
    return domain.nodes + nodes <= quota;
  }

  override memoryOf({ memory }: Domain): number {
    return memory;
  }

  /** Here nothing is begun that is not done. */
  override spoil(): void {}

  override create(path: string, permissions: Permissions, value: Buffer): void {
    super.create(path, permissions, value);
    this.#onChange(path, this.get(path));
  }

  override edit(path: string, change: (node: Node) => void): void {
    super.edit(path, change);
    this.#onChange(path, this.get(path));
  }

  override remove(path: string): [path: string, node: Node][] {
    const removed = super.remove(path);
    this.#onChange(path, undefined);
    return removed;
  }

  /** Puts a node that a transaction has made or changed into its place, or with undefined takes it away, and tells nobody. */
  replace(path: string, node: Node | undefined): void {
    const before = this.#nodes.get(path);
    this.set(path, node);
    if (before?.owner !== undefined && before.owner === node?.owner) {
      // A path that is taken out of a large Set and put back again and again becomes slow to find there.
      this.charge(before.owner, path, 0, node.size - before.size);
    } else {
      if (before !== undefined) this.account(path, before, -1);
      if (node !== undefined) this.account(path, node, 1);
    }
  }

  /** Tells of a node that was replaced, if it differs from that one before. */
  tell(path: string, before: Node | undefined): void {
    const node = this.get(path);
    // With other children only, it is the same to whoever is told of those.
    const isSame = before?.value === node?.value && before?.permissions === node?.permissions;
    if (!isSame) this.#onChange(path, node);
  }

  /** All nodes, each before its children, and these in their order. */
  *all(path = '/'): Generator<[path: string, node: Node]> {
    const node = this.get(path);
    if (node === undefined) return;
    yield [path, node];
    for (const name of node.children) yield* this.all(childPath(path, name));
  }

  /** Generations of before are not met again: for a tree that takes the place of another one. */
  skipGenerations(to: number): void {
    this.#generation = Math.max(this.#generation, to);
  }

  override nextGeneration(): number {
    this.#generation += 1;
    return this.#generation;
  }

  protected override own(path: string): Node {
    const node = this.#nodes.get(path)!;
    if (!node.lent) return node;
    const copy = node.copy();
    this.#nodes.set(path, copy);
    return copy;
  }

  protected override set(path: string, node: Node | undefined): void {
    if (node === undefined) this.#nodes.delete(path);
    else this.#nodes.set(path, node);
  }

  protected override charge(owner: Domain, path: string, nodes: 1 | 0 | -1, memory: number): void {
    if (nodes === 1) owner.owned.add(path);
    if (nodes === -1) owner.owned.delete(path);
    owner.memory += memory;
  }
}
