import {
  readGrefs,
  type SharedPages,
  type Side,
  TUBE_PAGES,
  TubeEnd,
  writeGrefs,
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

  /** The accepting side: makes the ring. What the peer has to know of it: its reference, channel tx, channel rx. */
  async open(peer: Domid): Promise<[end: TubeEnd, told: [ringRef: number, tx: number, rx: number]]> {
    const grant = await this.#hypervisor.grant(peer, TUBE_PAGES);
    this.#held.push(() => {
      grant.end();
      // Without effect once the tube has taken them over.
      grant.pages.close();
    });
    const [ringRef, ...bufferRefs] = grant.refs;
    writeGrefs(grant.pages, bufferRefs);
    const [tx, rx] = await this.#channels(
      this.#hypervisor.allocateChannel(peer),
      this.#hypervisor.allocateChannel(peer),
    );
    return [this.#join('acceptor', grant.pages, rx, tx), [ringRef as number, tx.port, rx.port]];
  }

  /** The opening side: maps it. */
  async attach(peer: Domid, ringRef: number, txPort: number, rxPort: number): Promise<TubeEnd> {
    const ringPage = await this.#hypervisor.map(peer, [ringRef]);
    const bufferRefs = readGrefs(ringPage);
    ringPage.close();
    const pages = await this.#hypervisor.map(peer, [ringRef, ...bufferRefs]);
    this.#held.push(() => pages.close());
    const [tx, rx] = await this.#channels(
      this.#hypervisor.bindChannel(peer, txPort),
      this.#hypervisor.bindChannel(peer, rxPort),
    );
    return this.#join('opener', pages, tx, rx);
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

  #join(side: Side, pages: SharedPages, sending: EventChannel, receiving: EventChannel): TubeEnd {
    const { reactor } = this.#hypervisor.watcher;
    return new TubeEnd(reactor, side, pages, [sending.kick, sending.wait, receiving.kick, receiving.wait]);
  }
}
