/** Xenstore packets, with descriptors, over a Unix stream socket: one end of a connection to lingd. */
import { closeFd, receiveWithFds, sendWithFds } from '../native/index.js';
import type { Watch, Watcher } from '../native/watcher.js';
import type { PacketChannel } from './xenstore/channel.js';
import { encodePacket, type Packet, PacketDecoder, XenstoreProtocolError } from './xenstore/wire.js';

interface Outgoing {
  bytes: Buffer;
  fds: readonly number[];
}

/** How much may wait for a peer that does not read before the connection is ended. */
const MOST_UNSENT = 16 * 1024 * 1024;
/** With so much on its way to a peer, nothing more is read from it. */
const MUCH_UNSENT = 1024 * 1024;
const READS_AT_ONCE = 8;
const MOST_UNCLAIMED_FDS = 64;

// Every chunk is decoded before the next is read, so one buffer serves all connections of this thread.
const incoming = Buffer.allocUnsafe(64 * 1024);

export class UnixChannel implements PacketChannel {
  onPacket: (packet: Packet, fds: number[]) => void = (_, fds) => fds.forEach(closeFd);
  onClose: (error: Error | undefined) => void = () => {};

  readonly #fd: number;
  readonly #watch: Watch;
  readonly #decoder = new PacketDecoder();
  #fds: number[] = [];
  #outgoing: Outgoing[] = [];
  #unsent = 0;
  #flushing = false;
  #wantsRoom = false;
  /** Nothing is read until the peer has read more of what it was sent. */
  #heldBack = false;
  #closed = false;

  /** Takes over a connected, non-blocking socket. Set the callbacks, then start(). */
  constructor(watcher: Watcher, fd: number) {
    this.#fd = fd;
    this.#watch = watcher.watch(fd, () => this.#onReady());
  }

  start(): void {
    this.#onReady();
  }

  /**
   * Sends a packet; what is sent in one turn goes out together and in order. The descriptors are taken over.
   * Nothing is sent on a closed channel. A peer that leaves 16 MiB unread is cut off.
   */
  send(packet: Packet, fds: readonly number[] = []): void {
    if (this.#closed) return fds.forEach(closeFd);
    const bytes = encodeOrClose(packet, fds);
    this.#outgoing.push({ bytes, fds });
    this.#unsent += bytes.length;
    if (this.#unsent > MOST_UNSENT) return this.#end(new Error('the peer does not read what it is sent'));
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => this.#flush());
  }

  /** Sends what still can be sent at once, then closes; onClose is not called. */
  close(): void {
    this.#flush();
    this.onClose = () => {};
    this.#end(undefined);
  }

  #onReady(): void {
    if (this.#closed) return;
    // Armed before the last look, which is the read that finds nothing.
    this.#watch.arm();
    try {
      this.#receiveSome();
    } catch (error) {
      this.#end(error as Error);
    }
    if (this.#wantsRoom) this.#flush();
  }

  /** What is there; a peer that sends without end gets its turn again after the others, and after its answers are sent. */
  #receiveSome(): void {
    for (let reads = 0; reads < READS_AT_ONCE && this.#unsent < MUCH_UNSENT; reads++) {
      if (!this.#receive()) return;
    }
    this.#receiveLater();
  }

  #receiveLater(): void {
    if (this.#unsent >= MUCH_UNSENT) {
      this.#heldBack = true;
      return;
    }
    setImmediate(() => this.#onReady());
  }

  #receive(): boolean {
    if (this.#closed) return false;
    const { bytes, closed, fds } = receiveWithFds(this.#fd, incoming);
    const earlier = this.#fds.length;
    this.#fds.push(...fds);
    if (closed) {
      this.#end(undefined);
      return false;
    }
    if (bytes === 0) return false;
    const packets = this.#decode(incoming.subarray(0, bytes));
    if (this.#fds.length > MOST_UNCLAIMED_FDS)
      throw new Error('more descriptors than packets that could use them');
    // The kernel ends a read behind the message that carried descriptors, so they are the last packet's, or the
    // one's that has only begun: then the first packet of a later read is theirs.
    const last = this.#decoder.partial ? undefined : packets.at(-1);
    for (const packet of packets) {
      if (this.#closed) break;
      const count = packet === last ? this.#fds.length : packet === packets[0] ? earlier : 0;
      this.onPacket(packet, this.#fds.splice(0, count));
    }
    return true;
  }

  #decode(chunk: Buffer): readonly Packet[] {
    try {
      return this.#decoder.push(chunk);
    } catch (error) {
      // What came before the nonsense was meant.
      if (error instanceof XenstoreProtocolError)
        for (const packet of error.packets) this.onPacket(packet, []);
      throw error;
    }
  }

  #flush(): void {
    this.#flushing = false;
    try {
      for (;;) {
        const next = this.#nextOutgoing();
        if (this.#closed || !next) break;
        const sent = sendWithFds(this.#fd, next.bytes, next.fds);
        if (sent === 0) break;
        next.fds.forEach(closeFd);
        next.fds = [];
        next.bytes = next.bytes.subarray(sent);
        this.#unsent -= sent;
        if (next.bytes.length === 0) this.#outgoing.shift();
      }
      this.#setWantsRoom(!this.#closed && this.#outgoing.length > 0);
      if (!this.#heldBack || this.#unsent >= MUCH_UNSENT) return;
      this.#heldBack = false;
      this.#receiveLater();
    } catch (error) {
      // The peer has closed, maybe after a last word, which is read first.
      if ((error as NodeJS.ErrnoException).code === 'EPIPE') this.#onReady();
      this.#end(error as Error);
    }
  }

  /** The head of the queue, joined with what follows as long as no descriptors come with it. */
  #nextOutgoing(): Outgoing | undefined {
    const head = this.#outgoing[0];
    if (!head || head.fds.length > 0) return head;
    const rest = this.#outgoing.findIndex(({ fds }) => fds.length > 0);
    const joined = this.#outgoing.splice(0, rest === -1 ? this.#outgoing.length : rest);
    const next =
      joined.length === 1 ? head : { bytes: Buffer.concat(joined.map(({ bytes }) => bytes)), fds: [] };
    this.#outgoing.unshift(next);
    return next;
  }

  #setWantsRoom(want: boolean): void {
    if (want === this.#wantsRoom) return;
    this.#wantsRoom = want;
    this.#watch.wantRoom(want);
  }

  #end(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.close();
    closeFd(this.#fd);
    this.#fds.splice(0).forEach(closeFd);
    for (const { fds } of this.#outgoing) fds.forEach(closeFd);
    this.#outgoing = [];
    this.onClose(error);
  }
}

function encodeOrClose(packet: Packet, fds: readonly number[]): Buffer {
  try {
    return encodePacket(packet);
  } catch (error) {
    fds.forEach(closeFd);
    throw error;
  }
}
