import type { Domain } from './domains.js';
import { XenstoreError } from './errors.js';
import type { Change } from './operations.js';
import type { Quota } from './quota.js';
import { type Node, type Tree, TreeView, type Usage } from './tree.js';

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
  /** What to tell watches of, in order of the first change; the value is `Change.exact`. */
  readonly #events = new Map<string, boolean>();
  /** What is used more than in the tree. */
  readonly #usage = new Map<Domain, Usage>();
  #overflown = false;

  /** `quota` is undefined for a domain that is bound by none. */
  constructor(tree: Tree, quota: Quota | undefined) {
    super();
    this.#tree = tree;
    this.#quota = quota;
  }

  override get(path: string): Node | undefined {
    return this.#changed.has(path) ? this.#changed.get(path) : this.#base(path);
  }

  override usage(domain: Domain): Usage {
    const { nodes, memory } = this.#usage.get(domain) ?? { nodes: 0, memory: 0 };
    return { nodes: domain.nodes + nodes, memory: domain.memory + memory };
  }

  /** Remembers changes for the watches, which hear of them when the transaction is committed. */
  record(changes: readonly Change[]): void {
    for (const { path, exact } of changes) this.#events.set(path, exact);
  }

  /**
   * Brings the changes into the tree and returns them, each node once. Throws, and then has done nothing:
   * `EAGAIN` when somebody else has changed a node touched, or an owner named here has ended, `ENOMEM` when there were too many of them, `ENOSPC`
   * when the nodes made are by now too many.
   */
  commit(): Change[] {
    if (this.#overflown) throw new XenstoreError('ENOMEM');
    for (const [path, base] of this.#bases) {
      if (this.#tree.get(path) !== base) throw new XenstoreError('EAGAIN');
    }
    for (const node of this.#changed.values()) {
      // Given to a domain that has ended since: all it owned has been removed, and this would stay for ever.
      if (node?.owner?.ended) throw new XenstoreError('EAGAIN');
    }
    if (this.#quota !== undefined) this.#checkQuota(this.#quota);
    for (const [path, node] of this.#changed) this.#tree.replace(path, node);
    return this.#outcome();
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
      this.#overflown = true;
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

  #outcome(): Change[] {
    const changes: Change[] = [];
    for (const [path, exact] of this.#events) {
      const before = this.#bases.get(path)?.permissions;
      const after = this.#changed.get(path)?.permissions;
      if (before !== undefined || after !== undefined) changes.push({ path, exact, before, after });
    }
    return changes;
  }
}
