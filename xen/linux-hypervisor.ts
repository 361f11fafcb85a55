/** The hypervisor of a Linux box: a domain's side of its connection to lingd. */
import {
  allocatePages,
  closeConnection,
  closeFd,
  LOST_FD,
  mapPages,
  type SharedPages,
} from '../native/index.js';
import { Watcher } from '../native/watcher.js';
import { enterLingd, type Membership, outOfDescriptors, returnToLingd } from './enter-lingd.js';
import {
  decodeNumbers,
  encodeNumbers,
  HYPERCALL_ALLOC_CHANNEL,
  HYPERCALL_BIND_CHANNEL,
  HYPERCALL_CLOSE_CHANNEL,
  HYPERCALL_END_ACCESS,
  HYPERCALL_GRANT,
  HYPERCALL_MAP,
} from './hypercall.js';
import type { Domid, EventChannel, Grant, Hypervisor } from './hypervisor.js';
import { sweepRunDirectory } from './sweep.js';
import { type Answer, XenstoreClient } from './xenstore/client.js';
import { XenstoreError } from './xenstore/errors.js';
import { LastingChannel } from './xenstore/lasting-channel.js';

/** So many pages fit into a request, and into an answer to MAP: those are packets of Xenstore's. */
const MOST_PAGES = 500;

export class LinuxHypervisor implements Hypervisor {
  readonly domid: Domid;
  readonly xenstore: XenstoreClient;
  readonly closed: Promise<Error | undefined>;
  /** The domain is back, so many milliseconds after its connection to lingd was lost. */
  onReturned: (milliseconds: number) => void = () => {};
  readonly #directory: string;
  /** A descriptor; one of a worker thread that is terminated goes with that. */
  #lease: number | undefined;
  #epoch = 0;
  #lostAt = 0;

  private constructor(
    readonly watcher: Watcher,
    directory: string,
    { domid, secret, lease, channel, isForeign }: Membership,
  ) {
    this.#directory = directory;
    this.domid = domid;
    const onStrayFds = (fds: readonly number[]): void => fds.forEach(closeFd);
    const lasting = new LastingChannel(channel, {
      renew: (signal) => returnToLingd({ directory, watcher, domid, secret, signal, isForeign }),
      onLost: () => {
        this.#epoch++;
        this.#lostAt = performance.now();
      },
      onRenewed: () => this.onReturned(performance.now() - this.#lostAt),
      onStrayFds,
    });
    this.xenstore = new XenstoreClient(lasting, { onStrayFds });
    this.closed = this.xenstore.closed;
    this.#lease = lease;
  }

  /** Becomes a domain of that name under the lingd of that run directory, which is started if need be. */
  static async connect({ name, directory }: { name: string; directory: string }): Promise<LinuxHypervisor> {
    const watcher = Watcher.onLoop();
    try {
      // Now, and not with the first tube: there may be no descriptors left for a thread then.
      await watcher.startRelief();
      return new LinuxHypervisor(watcher, directory, await enterLingd({ directory, watcher, name }));
    } catch (error) {
      await watcher.close();
      throw error;
    }
  }

  get epoch(): number {
    return this.#epoch;
  }

  async grant(peer: Domid, count: number): Promise<Grant> {
    const epoch = this.#epoch;
    const [pages, fd] = allocatePages(count);
    try {
      const [first] = await this.#call(HYPERCALL_GRANT, encodeNumbers(peer, count), [fd]);
      const refs = Array.from({ length: count }, (_, i) => (first as number) + i);
      const end = (): void => {
        for (const some of inParts(refs)) this.#giveBack(epoch, HYPERCALL_END_ACCESS, some);
      };
      return { refs, pages, end };
    } catch (error) {
      pages.close();
      throw error;
    }
  }

  async map(granter: Domid, refs: readonly number[]): Promise<SharedPages> {
    const answers: Answer[] = [];
    try {
      for (const some of inParts(refs))
        answers.push(await this.xenstore.request(HYPERCALL_MAP, encodeNumbers(granter, ...some)));
      return mapPages(answers.flatMap(pagesIn));
    } finally {
      for (const { fds } of answers) fds.forEach(closeFd);
    }
  }

  allocateChannel(peer: Domid): Promise<EventChannel> {
    return this.#channel(HYPERCALL_ALLOC_CHANNEL, encodeNumbers(peer));
  }

  bindChannel(remote: Domid, remotePort: number): Promise<EventChannel> {
    return this.#channel(HYPERCALL_BIND_CHANNEL, encodeNumbers(remote, remotePort));
  }

  async close(): Promise<void> {
    this.xenstore.close();
    await this.watcher.close();
    if (this.#lease !== undefined) closeFd(this.#lease);
    this.#lease = undefined;
    // There may be no lingd that would.
    sweepRunDirectory(this.#directory);
  }

  async #channel(type: number, request: Buffer): Promise<EventChannel> {
    const epoch = this.#epoch;
    const { payload, fds } = await this.xenstore.request(type, request);
    const [port] = numbersOf(payload);
    if (port !== undefined && fds.includes(LOST_FD)) {
      fds.forEach(closeFd);
      this.#giveBack(epoch, HYPERCALL_CLOSE_CHANNEL, [port]);
      throw outOfDescriptors();
    }
    const [doorbell] = fds;
    if (port === undefined || doorbell === undefined || fds.length > 1) {
      fds.forEach(closeFd);
      throw new XenstoreError('EIO', 'EIO: lingd answered with an incomplete event channel');
    }
    const discard = (): void => closeConnection(doorbell);
    return { port, doorbell, discard, close: () => this.#giveBack(epoch, HYPERCALL_CLOSE_CHANNEL, [port]) };
  }

  async #call(type: number, request: Buffer, fds: readonly number[] = []): Promise<number[]> {
    const answer = await this.xenstore.request(type, request, { fds });
    answer.fds.forEach(closeFd);
    return numbersOf(answer.payload);
  }

  /**
   * Gives back what was asked for in that epoch. It was answered in that as well, or not at all: if it is over, lingd has
   * gone, and what it had given with it.
   */
  #giveBack(epoch: number, type: number, numbers: readonly number[]): void {
    if (epoch !== this.#epoch) return;
    this.xenstore.request(type, encodeNumbers(...numbers)).catch((error: XenstoreError) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'ENOTCONN') throw error;
    });
  }
}

function inParts(refs: readonly number[]): number[][] {
  const count = Math.ceil(refs.length / MOST_PAGES);
  return Array.from({ length: count }, (_, i) => refs.slice(i * MOST_PAGES, (i + 1) * MOST_PAGES));
}

function numbersOf(payload: Buffer): number[] {
  const numbers = decodeNumbers(payload);
  if (!numbers)
    throw new XenstoreError('EIO', 'EIO: lingd answered with something that is no list of numbers');
  return numbers;
}

/** What an answer to MAP names: [descriptor, page, descriptor, page ...]. */
function pagesIn({ payload, fds }: Answer): number[] {
  if (fds.includes(LOST_FD)) throw outOfDescriptors();
  return numbersOf(payload).map((number, i) => (i % 2 === 0 ? descriptor(fds, number) : number));
}

function descriptor(fds: readonly number[], index: number): number {
  const fd = fds[index];
  if (fd === undefined) throw new XenstoreError('EIO', 'EIO: lingd named a descriptor that it did not send');
  return fd;
}
