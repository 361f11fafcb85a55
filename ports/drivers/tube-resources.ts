import {
  GREFS_IN_CONTROL_PAGE,
  GREFS_IN_TABLE_PAGE,
  LEAST_RING,
  MOST_RING,
  PAGE_SIZE,
  readGrefs,
  readPackedGrefs,
  type SharedPages,
  type Side,
  TUBE_PAGES,
  TubeEnd,
  writeGrefs,
  writePackedGrefs,
} from '../../native/index.js';
import type { Domid, EventChannel, Hypervisor } from '../../xen/hypervisor.js';

/** What one side of a tube holds of the hypervisor's: pages, grants and event channels. */
export class TubeResources {
  readonly #hypervisor: Hypervisor;
  /** What has to be given back. */
  readonly #held: (() => void)[] = [];

  constructor(hypervisor: Hypervisor) {
    this.#hypervisor = hypervisor;
  }

  /**
   * The accepting side: makes the rings, of so many bytes each, or 0 for LING's. What the peer has to know of them: their
   * reference, channel tx, channel rx.
   */
  async open(
    peer: Domid,
    ringSize: number,
  ): Promise<[end: TubeEnd, told: [ringRef: number, tx: number, rx: number]]> {
    const grant = await this.#hypervisor.grant(peer, tubePages(ringSize));
    this.#held.push(() => {
      grant.end();
      // Without effect once the tube has taken them over.
      grant.pages.close();
    });
    const [ringRef, ...refs] = grant.refs;
    if (ringSize === 0) writeGrefs(grant.pages, refs);
    else writePackedGrefs(grant.pages, ringSize, refs);
    const [tx, rx] = await this.#channels(
      this.#hypervisor.allocateChannel(peer),
      this.#hypervisor.allocateChannel(peer),
    );
    return [this.#join('acceptor', grant.pages, tx, rx, ringSize), [ringRef as number, tx.port, rx.port]];
  }

  /** The opening side: maps them. */
  async attach(
    peer: Domid,
    ringRef: number,
    txPort: number,
    rxPort: number,
    ringSize: number,
  ): Promise<TubeEnd> {
    const refs = await this.#read(peer, [ringRef], (page) =>
      ringSize === 0 ? readGrefs(page) : readPackedGrefs(page, controlPageGrefs(ringSize), false),
    );
    const listed =
      tablePages(ringSize) === 0
        ? refs
        : await this.#read(peer, refs, (tables) => readPackedGrefs(tables, recordPages(ringSize), true));
    const pages = await this.#hypervisor.map(peer, [ringRef, ...listed]);
    this.#held.push(() => pages.close());
    const [tx, rx] = await this.#channels(
      this.#hypervisor.bindChannel(peer, txPort),
      this.#hypervisor.bindChannel(peer, rxPort),
    );
    return this.#join('opener', pages, tx, rx, ringSize);
  }

  /** Something that is written in pages of the peer's. */
  async #read<T>(peer: Domid, refs: readonly number[], read: (pages: SharedPages) => T): Promise<T> {
    const pages = await this.#hypervisor.map(peer, refs);
    try {
      return read(pages);
    } finally {
      pages.close();
    }
  }

  /** Gives all of it back. */
  release(): void {
    for (const giveBack of this.#held.splice(0)) giveBack();
  }

  /** Both or an error; what one got while the other failed is not lost either. */
  async #channels(
    ...asked: [Promise<EventChannel>, Promise<EventChannel>]
  ): Promise<[EventChannel, EventChannel]> {
    const got = await Promise.allSettled(asked);
    const channels: EventChannel[] = [];
    for (const result of got) {
      if (result.status === 'rejected') continue;
      channels.push(result.value);
      this.#held.push(() => result.value.close());
    }
    const failed = got.find((result) => result.status === 'rejected');
    if (failed) {
      for (const channel of channels) channel.discard();
      throw failed.reason;
    }
    return channels as [EventChannel, EventChannel];
  }

  /** LING's layout has a channel for the ring that a side writes, and one for the other; ours for each of its threads. */
  #join(side: Side, pages: SharedPages, tx: EventChannel, rx: EventChannel, ringSize: number): TubeEnd {
    const { watcher } = this.#hypervisor;
    const [first, second] = ringSize > 0 || side === 'opener' ? [tx, rx] : [rx, tx];
    return new TubeEnd(watcher.reactor, side, pages, [first.doorbell, second.doorbell], ringSize);
  }
}

/** Whether packed rings can be of that size. */
export function isRingSize(size: unknown): size is number {
  if (!Number.isInteger(size)) return false;
  const bytes = size as number;
  return bytes >= LEAST_RING && bytes <= MOST_RING && (bytes & (bytes - 1)) === 0;
}

function recordPages(ringSize: number): number {
  return (2 * ringSize) / PAGE_SIZE;
}

/** Those that list the others, where the control page has no room for that. */
function tablePages(ringSize: number): number {
  const pages = recordPages(ringSize);
  return pages <= GREFS_IN_CONTROL_PAGE ? 0 : Math.ceil(pages / GREFS_IN_TABLE_PAGE);
}

function controlPageGrefs(ringSize: number): number {
  return tablePages(ringSize) || recordPages(ringSize);
}

function tubePages(ringSize: number): number {
  return ringSize === 0 ? TUBE_PAGES : 1 + recordPages(ringSize) + tablePages(ringSize);
}
