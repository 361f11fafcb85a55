/** Xenstore packets, with descriptors, over a Unix stream socket: one end of a connection to lingd. */
import { closeConnection, closeFd, LOST_FD, receiveWithFds, sendWithFds } from '../native/index.js';
import type { Watch, Watcher } from '../native/watcher.js';
import { watchProcess } from './watch-process.js';
import type { PacketChannel } from './xenstore/channel.js';
import type { Backlog } from './xenstore/connection.js';
import {
  encodePacket,
  type Packet,
  PacketDecoder,
  XenstoreProtocolError,
  XS_WATCH_EVENT,
} from './xenstore/wire.js';

interface Outgoing {
  bytes: Buffer;
  fds: readonly number[];
  /** Packets in it that answer something. */
  answers: number;
  /** Payloads of events in it. */
  events: readonly string[];
}

/** How much may be on its way to a peer that asks. */
export interface Limits {
  /** With so many bytes, or so many answers, or 64 descriptors, nothing more is taken from it. */
  readonly bytes: number;
  readonly answers: () => number;
  /** With so many bytes, which events come to without its asking, the connection is ended. */
  readonly most: number;
  /** How fast packets are taken from it; as fast as they come without. */
  readonly pace?: Pace;
  /**
   * Which descriptors are taken from it, if not all; others are closed at once: one may be its own end of this very connection,
   * which then would never be seen to end.
   */
  readonly takes?: (fd: number) => boolean;
  /**
   * The peer's process, with which it ends; 0 for one that cannot be seen from here. That its socket is closed does not always
   * tell: it may be in flight, in what nobody reads.
   */
  readonly pid?: number;
}

/** How fast packets are taken, maybe from several peers together. */
export interface Pace {
  /** Whether one may be taken now. */
  take(): boolean;
  /** Calls back, once, when there may be one to take. */
  wait(resume: () => void): void;
}

/** With how much on its way to a peer that answers the connection is ended. */
const MOST_UNSENT = 16 * 1024 * 1024;
/** With so many descriptors on their way to a peer that asks, nothing more is taken from it. */
const MANY_FDS = 64;
/** How much is put together for one system call. */
const MUCH_AT_ONCE = 64 * 1024;
const READS_AT_ONCE = 8;
/** How long requests of one peer are handled before others get their turn, in milliseconds. */
const TURN = 5;
const MOST_UNCLAIMED_FDS = 64;

// Every chunk is decoded before the next is read, so one buffer serves all connections of this thread.
const incoming = Buffer.allocUnsafe(64 * 1024);

export class UnixChannel implements PacketChannel, Backlog {
  onPacket: (packet: Packet, fds: number[]) => void = (_, fds) => fds.forEach(closeFd);
  onClose: (error: Error | undefined) => void = () => {};
  /** What comes first when something is about to be sent. */
  beforeSending: () => void = () => {};

  readonly #fd: number;
  readonly #watch: Watch;
  /** The peer's process. */
  readonly #stopWatching: () => void;
  readonly #decoder = new PacketDecoder();
  readonly #limits: Limits | undefined;
  #fds: number[] = [];
  /** What was received and not handed out yet. */
  #incoming: [packet: Packet, fds: number[]][] = [];
  #broken: Error | undefined = undefined;
  #outgoing: Outgoing[] = [];
  #unsent = 0;
  #unsentAnswers = 0;
  #unsentFds = 0;
  /** Events in the queue, for which there is no need while the peer takes everything. */
  readonly #unsentEvents = new Set<string>();
  #flushing = false;
  #wantsRoom = false;
  /** Nothing is read until the peer has read more of what it was sent. */
  #heldBack = false;
  /** Nothing is read until its pace allows it. */
  #isWaiting = false;
  /** Its turn is over, and the next one is to come. */
  #isResting = false;
  #turnEnds = 0;
  #isHungUp = false;
  #closed = false;

  /**
   * Takes over a connected, non-blocking socket. Set the callbacks, then start(). Two sides that both held each other
   * back would wait for each other for ever, so that is only for one of them.
   */
  constructor(watcher: Watcher, fd: number, limits?: Limits) {
    this.#fd = fd;
    this.#limits = limits;
    this.#watch = watcher.watch(fd, () => this.#onReady());
    try {
      this.#stopWatching = watchProcess(watcher, limits?.pid ?? 0, () => this.#hangUp());
    } catch (error) {
      this.#watch.close();
      throw error;
    }
  }

  /** Receives what is there; also at any later time, for whom it is too long until the watcher says so. */
  start(): void {
    this.#isResting = false;
    this.#onReady();
  }

  get bytes(): number {
    return this.#unsent;
  }

  get answers(): number {
    return this.#unsentAnswers;
  }

  holdsEvent(payload: Buffer): boolean {
    return this.#unsentEvents.size > 0 && this.#unsentEvents.has(payload.toString('latin1'));
  }

  /**
   * Sends a packet; what is sent in one turn goes out together and in order. The descriptors are taken over.
   * Nothing is sent on a closed channel. A peer that leaves too much unread (16 MiB without limits) is cut off.
   */
  send(packet: Packet, fds: readonly number[] = []): void {
    if (this.#closed) return fds.forEach(closeFd);
    const bytes = encodeOrClose(packet, fds);
    const isEvent = packet.type === XS_WATCH_EVENT;
    // Only to a peer that lags behind; the others get every event.
    const events = isEvent && this.#wantsRoom ? [packet.payload.toString('latin1')] : [];
    for (const event of events) this.#unsentEvents.add(event);
    const answers = isEvent ? 0 : 1;
    this.#outgoing.push({ bytes, fds, answers, events });
    this.#unsent += bytes.length;
    this.#unsentAnswers += answers;
    this.#unsentFds += fds.length;
    if (this.#unsent > (this.#limits?.most ?? MOST_UNSENT))
      return this.#end(new Error('the peer does not read what it is sent'));
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

  /** What has come is handed out, then this is the end. */
  #hangUp(): void {
    this.#isHungUp = true;
    this.start();
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

  /** What is there; a peer that sends without end gets its turn again after the others. */
  #receiveSome(): void {
    if (this.#isResting) return;
    this.#turnEnds = performance.now() + TURN;
    for (let reads = 0; reads < READS_AT_ONCE; reads++) {
      if (!this.#handOut() || !this.#receive()) return;
    }
    this.#rest();
  }

  #rest(): void {
    if (this.#isResting) return;
    this.#isResting = true;
    setImmediate(() => {
      this.#isResting = false;
      this.#onReady();
    });
  }

  /** Hands out what was received; false when the peer has to read first, or there is none any more. */
  #handOut(): boolean {
    while (this.#incoming.length > 0 && this.#mayGoOn() && this.#mayTake()) {
      const [packet, fds] = this.#incoming.shift()!;
      this.onPacket(packet, fds);
      if (this.#limits && this.#incoming.length > 0 && performance.now() > this.#turnEnds) {
        this.#rest();
        return false;
      }
    }
    if (this.#closed) return false;
    this.#heldBack = !this.#mayGoOn();
    if (this.#heldBack && this.#isHungUp)
      this.#end(new Error('its process has ended, and nobody reads what it is sent'));
    if (this.#heldBack || this.#isWaiting) return false;
    if (this.#broken) throw this.#broken;
    return true;
  }

  #mayTake(): boolean {
    const pace = this.#limits?.pace;
    if (!pace) return true;
    if (this.#isWaiting) return false;
    if (pace.take()) return true;
    this.#isWaiting = true;
    pace.wait(() => {
      this.#isWaiting = false;
      this.#onReady();
    });
    return false;
  }

  #mayGoOn(): boolean {
    if (!this.#limits || !this.#tooMuchUnsent(this.#limits)) return !this.#closed;
    this.#flush();
    return !this.#closed && !this.#tooMuchUnsent(this.#limits);
  }

  #tooMuchUnsent({ bytes, answers }: Limits): boolean {
    return this.#unsent >= bytes || this.#unsentAnswers >= answers() || this.#unsentFds >= MANY_FDS;
  }

  /** One read; false when there was nothing. What it brought is handed out by {@link #handOut}. */
  #receive(): boolean {
    if (this.#closed) return false;
    const { bytes, closed, fds } = receiveWithFds(this.#fd, incoming);
    const earlier = this.#fds.length;
    this.#fds.push(...fds.filter((fd) => this.#takes(fd)));
    if (closed) {
      this.#end(undefined);
      return false;
    }
    if (bytes === 0) {
      if (this.#isHungUp) this.#end(undefined);
      return false;
    }
    const packets = this.#decode(incoming.subarray(0, bytes));
    if (this.#fds.length > MOST_UNCLAIMED_FDS)
      throw new Error('more descriptors than packets that could use them');
    // The kernel ends a read behind the message that carried descriptors, so they are the last packet's, or the
    // one's that has only begun: then the first packet of a later read is theirs.
    const last = this.#decoder.partial ? undefined : packets.at(-1);
    for (const packet of packets) {
      const count = packet === last ? this.#fds.length : packet === packets[0] ? earlier : 0;
      this.#incoming.push([packet, this.#fds.splice(0, count)]);
    }
    return this.#handOut();
  }

  /** Otherwise it is closed. */
  #takes(fd: number): boolean {
    const takes = fd === LOST_FD || (this.#limits?.takes?.(fd) ?? true);
    if (!takes) closeFd(fd);
    return takes;
  }

  #decode(chunk: Buffer): readonly Packet[] {
    try {
      return this.#decoder.push(chunk);
    } catch (error) {
      // What came before the nonsense was meant.
      if (!(error instanceof XenstoreProtocolError)) throw error;
      this.#broken = error;
      return error.packets;
    }
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#outgoing.length > 0) this.beforeSending();
    try {
      for (;;) {
        const next = this.#nextOutgoing();
        if (this.#closed || !next) break;
        const sent = sendWithFds(this.#fd, next.bytes, next.fds);
        if (sent === 0) break;
        next.fds.forEach(closeFd);
        this.#unsentFds -= next.fds.length;
        next.fds = [];
        next.bytes = next.bytes.subarray(sent);
        this.#unsent -= sent;
        if (next.bytes.length === 0) this.#forget(this.#outgoing.shift()!);
      }
      this.#setWantsRoom(!this.#closed && this.#outgoing.length > 0);
      if (!this.#heldBack || !this.#limits || this.#tooMuchUnsent(this.#limits)) return;
      this.#heldBack = false;
      setImmediate(() => this.#onReady());
    } catch (error) {
      // The peer has closed, maybe after a last word, which is read first; answers it will not read.
      this.#dropOutgoing();
      if ((error as NodeJS.ErrnoException).code === 'EPIPE') this.start();
      this.#end(error as Error);
    }
  }

  #forget({ answers, events }: Outgoing): void {
    this.#unsentAnswers -= answers;
    for (const event of events) this.#unsentEvents.delete(event);
  }

  #dropOutgoing(): void {
    for (const { fds } of this.#outgoing) fds.forEach(closeFd);
    this.#outgoing = [];
    this.#unsent = 0;
    this.#unsentAnswers = 0;
    this.#unsentFds = 0;
    this.#unsentEvents.clear();
  }

  /** The head of the queue, joined with what follows as long as it is little and no descriptors come with it. */
  #nextOutgoing(): Outgoing | undefined {
    const head = this.#outgoing[0];
    if (!head || head.fds.length > 0 || head.bytes.length >= MUCH_AT_ONCE) return head;
    let length = 0;
    const rest = this.#outgoing.findIndex(({ bytes, fds }) => {
      length += bytes.length;
      return fds.length > 0 || length > MUCH_AT_ONCE;
    });
    const count = rest === -1 ? this.#outgoing.length : Math.max(rest, 1);
    if (count === 1) return head;
    const joined = this.#outgoing.splice(0, count);
    const next = {
      bytes: Buffer.concat(joined.map(({ bytes }) => bytes)),
      fds: [],
      answers: joined.reduce((sum, { answers }) => sum + answers, 0),
      events: joined.flatMap(({ events }) => events),
    };
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
    this.#stopWatching();
    closeConnection(this.#fd);
    this.#fds.splice(0).forEach(closeFd);
    for (const [, fds] of this.#incoming.splice(0)) fds.forEach(closeFd);
    this.#dropOutgoing();
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
