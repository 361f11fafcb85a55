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
  /** Answers on their way to it. With so many its requests are not read until it has read some of them. */
  readonly outstanding: number;
  /** Nodes one transaction may read or write. More: `ENOSPC`, and the transaction cannot be committed. */
  readonly transactionNodes: number;
  /**
   * Bytes of nodes it owns, with their paths, and of its watches. More: `ENOMEM`. What is on its way to it counts for
   * events only: one that would make it more is lost.
   */
  readonly memory: number;
  /** What the size of a node (see `Node.size`) must stay below, in bytes, or `ENOSPC`. */
  readonly nodeSize: number;
  /** Entries in a permission list. More: `ENOSPC`. */
  readonly permissions: number;
}

export const DEFAULT_QUOTA: Quota = {
  nodes: 1000,
  watches: 128,
  transactions: 10,
  outstanding: 20,
  transactionNodes: 1024,
  memory: 2.5 * 1024 * 1024,
  nodeSize: 2048,
  permissions: 5,
};

/** What xenstored's administrators call each of them, in the order in which they are listed, and what it is. */
export const QUOTA_NAMES: ReadonlyMap<string, { readonly key: keyof Quota; readonly meaning: string }> =
  new Map([
    ['nodes', { key: 'nodes', meaning: 'Nodes per domain' }],
    ['watches', { key: 'watches', meaning: 'Watches per domain' }],
    ['transactions', { key: 'transactions', meaning: 'Transactions per domain' }],
    ['outstanding', { key: 'outstanding', meaning: 'Outstanding requests per domain' }],
    [
      'transaction-nodes',
      { key: 'transactionNodes', meaning: 'Max. number of accessed nodes per transaction' },
    ],
    ['memory', { key: 'memory', meaning: 'Total Xenstore memory per domain (error level)' }],
    ['node-size', { key: 'nodeSize', meaning: 'Max. size of a node' }],
    ['permissions', { key: 'permissions', meaning: 'Max. number of permissions per node' }],
  ]);

/** A setting such as `nodes=1000`; throws an Error that says what is wrong with it. */
export function parseQuota(setting: string): Partial<Quota> {
  const [name = '', value = ''] = setting.split(/=(.*)/s);
  const named = QUOTA_NAMES.get(name);
  if (named === undefined)
    throw new Error(`expected <what>=<number>, with one of ${[...QUOTA_NAMES.keys()].join(', ')}`);
  const number = wholeNumber(value);
  if (number === undefined) throw new Error(`expected a whole number from 1 to ${MOST} after ${name}=`);
  return { [named.key]: number };
}

const MOST = 0x7fff_ffff;

/** A number a quota can have. */
export function wholeNumber(text: string): number | undefined {
  const number = /^\d+$/.test(text) ? Number(text) : 0;
  return number >= 1 && number <= MOST ? number : undefined;
}
