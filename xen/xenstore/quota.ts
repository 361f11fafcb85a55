/**
 * What an unprivileged domain may use up; domain 0 is bound by none of it. The defaults are those of Xen's C
 * xenstored 4.17.
 */
export interface Quota {
  /** Nodes it owns, wherever they are and whoever made them. More: `ENOSPC`. */
  readonly nodes: number;
  /** Watches it has; as in xenstored, one more gets in before the answer is `E2BIG`. */
  readonly watches: number;
  /** Open transactions; as in xenstored, one more gets in before the answer is `ENOSPC`. */
  readonly transactions: number;
  /** Nodes one transaction may read or write. More: `ENOSPC`, and the transaction cannot be committed. */
  readonly transactionNodes: number;
  /** Entries in a permission list. More: `ENOSPC`. */
  readonly permissions: number;
  /** What the size of a node (see `Node.size`) must stay below, in bytes, or `ENOSPC`. */
  readonly nodeSize: number;
  /** Bytes of nodes it owns, with their paths, and of its watches. More: `ENOMEM`. */
  readonly memory: number;
}

export const DEFAULT_QUOTA: Quota = {
  nodes: 1000,
  watches: 128,
  transactions: 10,
  transactionNodes: 1024,
  permissions: 5,
  nodeSize: 2048,
  memory: 2.5 * 1024 * 1024,
};
