import type { Domain } from './domains.js';
import { XenstoreError } from './errors.js';
import type { Change } from './operations.js';
import { parentPath } from './path.js';
import type { Quota } from './quota.js';
import { type Node, type Tree, TreeView } from './tree.js';

/**
 * What a transaction makes of the tree. There is no snapshot: each node is taken as it is when first touched and
 * stays so for the transaction. It can be committed as long as nobody else has changed any node it has touched,
 * and to look at a node, or in vain for one, is to touch it.
 */
export class Transaction extends TreeView {
  readonly #tree: Tree;
  readonly #quota: Quota | undefined;
  /** Every node touched, as it was in the tree at that time. */
  readonly #bases = new Map<string, Node | undefined>();
  /** Those changed here; undefined is removed. */
  readonly #changed = new Map<string, Node | undefined>();
  /** What to tell watches of; the value is `Change.exact`. */
  readonly #events = new Map<string, boolean>();
  /** What is used more than in the tree. */
  readonly #usage = new Map<Domain, { readonly nodes: number; readonly memory: number }>();
  /** It can no longer be committed. */
  #spoilt = false;

  /** `quota` is undefined for a domain that is bound by none. */
  constructor(tree: Tree, quota: Quota | undefined) {
    super();
    this.#tree = tree;
    this.#quota = quota;
  }

  override get(path: string): Node | undefined {
    return this.#changed.has(path) ? this.#changed.get(path) : this.#base(path);
  }

  override peek(path: string): Node | undefined {
    return this.#bases.has(path) ? this.get(path) : this.#tree.get(path);
  }

  /** As in xenstored any number, as long as there is room for one: they are counted when it is committed. */
  override hasRoom(domain: Domain, _nodes: number, quota: number): boolean {
    return domain.nodes < quota;
  }

  override memoryOf(domain: Domain): number {
    return domain.memory + (this.#usage.get(domain)?.memory ?? 0);
  }

  /** Remembers changes for the watches, which hear of them when the transaction is committed. */
  record(changes: readonly Change[]): void {
    for (const { path, exact } of changes) this.#events.set(path, exact);
  }

  /**
   * Brings the changes into the tree and returns them, each node once, in order of when they were first touched.
   * Throws, and then has done nothing: `EAGAIN` when somebody else has changed a node touched, or an owner named
   * here has ended; `ENOMEM` when it touched too many nodes or something did not fit; `ENOSPC` when the nodes made
   * are by now too many.
   */
  commit(): Change[] {
    if (this.#spoilt) throw new XenstoreError('ENOMEM');
    if (this.#quota !== undefined) this.#checkQuota(this.#quota);
    for (const [path, base] of this.#bases) {
      if (this.#tree.get(path) !== base) throw new XenstoreError('EAGAIN');
    }
    for (const node of this.#changed.values()) {
      // Given to a domain that has ended since: all it owned has been removed, and this would stay for ever.
      if (node?.owner?.ended) throw new XenstoreError('EAGAIN');
    }
    const changes = [...this.#bases.keys()].flatMap((path) =>
      this.#changed.has(path) ? this.#commit(path) : [],
    );
    // In the order of the changes, in which what was made comes after what it is in.
    for (const path of this.#changed.keys()) this.#tree.tell(path, this.#bases.get(path));
    return changes;
  }

  override spoil(): void {
    this.#spoilt = true;
  }

  protected override own(path: string): Node {
    const changed = this.#changed.get(path);
    if (changed !== undefined) return changed;
    const copy = this.#base(path)!.copy();
    this.#changed.set(path, copy);
    return copy;
  }

  protected override set(path: string, node: Node | undefined): void {
    // So that a node made without having been looked for is guarded too.
    this.#base(path);
    this.#changed.set(path, node);
  }

  protected override nextGeneration(): number {
    return this.#tree.nextGeneration();
  }

  protected override charge(owner: Domain, _path: string, nodes: 1 | 0 | -1, memory: number): void {
    const before = this.#usage.get(owner) ?? { nodes: 0, memory: 0 };
    this.#usage.set(owner, { nodes: before.nodes + nodes, memory: before.memory + memory });
  }

  #base(path: string): Node | undefined {
    if (this.#bases.has(path)) return this.#bases.get(path);
    if (this.#quota !== undefined && this.#bases.size >= this.#quota.transactionNodes) {
      this.spoil();
      throw new XenstoreError('ENOSPC');
    }
    const node = this.#tree.get(path);
    if (node !== undefined) node.lent = true;
    this.#bases.set(path, node);
    return node;
  }

  /** Other transactions may have used up in the meantime what was free when this one asked. */
  #checkQuota(quota: Quota): void {
    for (const [domain, { nodes }] of this.#usage) {
      if (domain.domid !== 0 && nodes > 0 && domain.nodes + nodes > quota.nodes) {
        throw new XenstoreError('ENOSPC');
      }
    }
  }

  /** Who may hear of a node is decided as soon as it is in place, when others may not be yet: xenstored's way. */
  #commit(path: string): Change[] {
    const node = this.#changed.get(path);
    this.#tree.replace(path, node);
    const exact = this.#events.get(path);
    if (exact === undefined) return [];
    const before = this.#bases.get(path)?.permissions;
    const now = node && [node.permissions, this.#tree.get(parentPath(path) ?? '/')?.permissions];
    return [{ path, exact, visibleBy: [before, ...(now ?? [])] }];
  }
}
