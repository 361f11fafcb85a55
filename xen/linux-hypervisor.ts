/** The hypervisor of a Linux box: a domain's side of its connection to lingd. */
import { allocatePages, closeFd, LOST_FD, mapPages, type SharedPages } from '../native/index.js';
import { Watcher } from '../native/watcher.js';
import {
  decodeNumbers,
  encodeNumbers,
  HYPERCALL_ALLOC_CHANNEL,
  HYPERCALL_BIND_CHANNEL,
  HYPERCALL_CLOSE_CHANNEL,
  HYPERCALL_END_ACCESS,
  HYPERCALL_GRANT,
  HYPERCALL_HELLO,
  HYPERCALL_MAP,
} from './hypercall.js';
import type { Domid, EventChannel, Grant, Hypervisor } from './hypervisor.js';
import { connectToLingd } from './start-lingd.js';
import { UnixChannel } from './unix-channel.js';
import { XenstoreClient } from './xenstore/client.js';
import { XenstoreError } from './xenstore/errors.js';

export class LinuxHypervisor implements Hypervisor {
  readonly xenstore: XenstoreClient;
  readonly closed: Promise<Error | undefined>;

  private constructor(
    readonly watcher: Watcher,
    channel: UnixChannel,
    public domid: Domid = 0,
  ) {
    this.xenstore = new XenstoreClient(channel, { onStrayFds: (fds) => fds.forEach(closeFd) });
    this.closed = this.xenstore.closed;
    channel.start();
  }

  /** Becomes a domain of that name under the lingd of that run directory, which is started if need be. */
  static async connect(options: { name: string; directory: string }): Promise<LinuxHypervisor> {
    for (let tries = 1; ; tries++) {
      const fd = await connectToLingd(options.directory);
      const watcher = Watcher.onThread();
      const hypervisor = new LinuxHypervisor(watcher, new UnixChannel(watcher, fd));
      try {
        const [domid] = await hypervisor.#call(HYPERCALL_HELLO, Buffer.from(options.name));
        hypervisor.domid = domid as Domid;
        return hypervisor;
      } catch (error) {
        await hypervisor.close();
        // A lingd that was just leaving took the connection with it; the next one is ours.
        const { code } = error as XenstoreError;
        if ((code !== 'ECONNRESET' && code !== 'ENOTCONN') || tries === 5) throw error;
      }
    }
  }

  async grant(peer: Domid, count: number): Promise<Grant> {
    const [pages, fd] = allocatePages(count);
    try {
      const [first] = await this.#call(HYPERCALL_GRANT, encodeNumbers(peer, count), [fd]);
      const refs = Array.from({ length: count }, (_, i) => (first as number) + i);
      return { refs, pages, end: () => this.#forget(HYPERCALL_END_ACCESS, refs) };
    } catch (error) {
      pages.close();
      throw error;
    }
  }

  async map(granter: Domid, refs: readonly number[]): Promise<SharedPages> {
    const { payload, fds } = await this.xenstore.request(HYPERCALL_MAP, encodeNumbers(granter, ...refs));
    try {
      if (fds.includes(LOST_FD)) throw outOfDescriptors();
      const places = numbersOf(payload);
      const pages = places.map((number, i) => (i % 2 === 0 ? descriptor(fds, number) : number));
      return mapPages(pages);
    } finally {
      fds.forEach(closeFd);
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
  }

  async #channel(type: number, request: Buffer): Promise<EventChannel> {
    const { payload, fds } = await this.xenstore.request(type, request);
    const [port] = numbersOf(payload);
    if (port !== undefined && fds.includes(LOST_FD)) {
      fds.forEach(closeFd);
      this.#forget(HYPERCALL_CLOSE_CHANNEL, [port]);
      throw outOfDescriptors();
    }
    const [kick, wait] = fds;
    if (port === undefined || kick === undefined || wait === undefined) {
      fds.forEach(closeFd);
      throw new XenstoreError('EIO', 'EIO: lingd answered with an incomplete event channel');
    }
    const discard = (): void => {
      closeFd(kick);
      closeFd(wait);
    };
    return { port, kick, wait, discard, close: () => this.#forget(HYPERCALL_CLOSE_CHANNEL, [port]) };
  }

  async #call(type: number, request: Buffer, fds: readonly number[] = []): Promise<number[]> {
    const answer = await this.xenstore.request(type, request, { fds });
    answer.fds.forEach(closeFd);
    return numbersOf(answer.payload);
  }

  /** Gives something back. If lingd is gone, it has been taken back already. */
  #forget(type: number, numbers: readonly number[]): void {
    this.xenstore.request(type, encodeNumbers(...numbers)).catch((error: XenstoreError) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'ENOTCONN') throw error;
    });
  }
}

function numbersOf(payload: Buffer): number[] {
  const numbers = decodeNumbers(payload);
  if (!numbers)
    throw new XenstoreError('EIO', 'EIO: lingd answered with something that is no list of numbers');
  return numbers;
}

function outOfDescriptors(): XenstoreError {
  return new XenstoreError('EMFILE', 'EMFILE: there is no number left for a descriptor that lingd has sent');
}

function descriptor(fds: readonly number[], index: number): number {
  const fd = fds[index];
  if (fd === undefined) throw new XenstoreError('EIO', 'EIO: lingd named a descriptor that it did not send');
  return fd;
}
