import { ErlangError } from '../../actors/errors.js';
import type { Pid } from '../../actors/identifiers.js';
import {
  BROKEN,
  MAX_PACKET,
  readGrefs,
  type Side,
  TUBE_PAGES,
  type TubeCounters,
  TubeEnd,
  writeGrefs,
} from '../../native/index.js';
import { PacketReader } from '../../native/packet-reader.js';
import { type Domid, type EventChannel, type Hypervisor, isDomid } from '../../xen/hypervisor.js';
import type { Driver, DriverInstance, DriverPort } from '../driver.js';
import { Patience } from './patience.js';

/** The accepting side: makes and grants the ring. Peer domid -> 0, ring reference, channel tx, channel rx. */
export const TUBE_OPEN = 1;
/** The opening side: maps it. Peer domid, ring reference, channel tx, channel rx -> 0. */
export const TUBE_ATTACH = 2;
/** -> 0; then `{can_send, Tube, N}` to the caller, as soon as packets can be sent. */
export const TUBE_SEND_SLOTS = 3;
/** Ours: the peer is gone. Delivers what it had sent, then ends the port with reason normal. -> 0, packets received in all. */
export const TUBE_HANGUP = 4;

/** After so many packets in one turn, timers and I/O get theirs. */
const BATCH = 512;
/** A full ring. */
const RING_PACKETS = 31;
/** Worth telling a sender of: fewer only if no more come soon. */
const MANY_SLOTS = 16;

/**
 * LING's tube driver: packets of 1 to 4096 bytes through memory shared with another domain. The operations of
 * port_control are LING's; numbers are 32-bit big-endian, and a malformed request is answered with the byte 1.
 *
 * Output never waits: a packet that finds the ring full is dropped and counted. When a lying peer has written
 * nonsense into the shared pages, the port ends with reason `eproto`; a hypercall that fails ends it with the
 * error's name in lower case.
 */
export function tubeDriver(hypervisor: Hypervisor): Driver {
  const reader = new PacketReader();
  return {
    name: 'tube',
    binaryControl: true,
    start: (port) => new Tube(port, hypervisor, reader),
  };
}

const NO_COUNTERS: TubeCounters = {
  sentPackets: 0,
  sentBytes: 0,
  droppedPackets: 0,
  receivedPackets: 0,
  receivedBytes: 0,
};

class Tube implements DriverInstance {
  readonly #port: DriverPort;
  readonly #hypervisor: Hypervisor;
  readonly #reader: PacketReader;
  /** What has to be given back to the hypervisor. */
  readonly #held: (() => void)[] = [];
  #end: TubeEnd | undefined;
  #starting = false;
  #stopped = false;
  #flushing = false;
  #looking = false;
  readonly #packets = new Patience();
  readonly #room = new Patience();
  /** The doorbell will say when there is anything to look for. */
  #packetsArmed = false;
  #roomArmed = false;
  #counters = NO_COUNTERS;
  /** Callers of SEND_SLOTS that wait for room. */
  #waiting: Pid[] = [];

  constructor(port: DriverPort, hypervisor: Hypervisor, reader: PacketReader) {
    this.#port = port;
    this.#hypervisor = hypervisor;
    this.#reader = reader;
  }

  output(data: Uint8Array): void {
    if (data.length === 0 || data.length > MAX_PACKET) {
      throw new ErlangError('badarg', `a packet has 1 to ${MAX_PACKET} bytes, not ${data.length}`);
    }
    if (!this.#end) return;
    if (this.#end.write(data) === BROKEN) return this.#port.failure('eproto');
    if (this.#flushing) return;
    // One ring of the doorbell for all that is sent in this turn, as far as the ring itself does not ask for more.
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#end?.flush();
    });
  }

  control(operation: number, data: Uint8Array): Uint8Array | Promise<Uint8Array> {
    const numbers = decode(data);
    const [peer, ringRef, tx, rx] = numbers;
    switch (operation) {
      case TUBE_OPEN:
        if (numbers.length !== 1 || !isDomid(peer) || this.#starting) return MALFORMED;
        return this.#start(() => this.#open(peer));
      case TUBE_ATTACH:
        if (numbers.length !== 4 || !isDomid(peer) || this.#starting) return MALFORMED;
        return this.#start(() => this.#attach(peer, ringRef as number, tx as number, rx as number));
      case TUBE_SEND_SLOTS:
        if (data.length !== 0 || !this.#end) return MALFORMED;
        this.#waiting.push(this.#port.caller() as Pid);
        if (this.#answerWaiting()) this.#lookSoon();
        return encode();
      case TUBE_HANGUP:
        if (data.length !== 0) return MALFORMED;
        return encode(this.#hangUp());
      default:
        return MALFORMED;
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const pid of this.#waiting) this.#port.send_term(pid, ['can_send', this.#port.id, 'closed']);
    this.#waiting = [];
    this.#release();
  }

  info(): Readonly<Record<string, unknown>> {
    const counters = this.#end?.counters() ?? this.#counters;
    return { packets: [counters.sentPackets, counters.receivedPackets], drops: counters.droppedPackets };
  }

  // ---- Setting up

  async #start(setUp: () => Promise<Uint8Array>): Promise<Uint8Array> {
    this.#starting = true;
    try {
      const answer = await setUp();
      // The port was closed while the hypervisor worked.
      if (this.#stopped) this.#release();
      return answer;
    } catch (error) {
      this.#release();
      const { code } = error as NodeJS.ErrnoException;
      if (!code) throw error;
      this.#port.failure(code.toLowerCase());
      return MALFORMED;
    }
  }

  async #open(peer: Domid): Promise<Uint8Array> {
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
    this.#begin('acceptor', grant.pages, rx, tx);
    return encode(ringRef as number, tx.port, rx.port);
  }

  async #attach(peer: Domid, ringRef: number, txPort: number, rxPort: number): Promise<Uint8Array> {
    const ringPage = await this.#hypervisor.map(peer, [ringRef]);
    const bufferRefs = readGrefs(ringPage);
    ringPage.close();
    const pages = await this.#hypervisor.map(peer, [ringRef, ...bufferRefs]);
    this.#held.push(() => pages.close());
    const [tx, rx] = await this.#channels(
      this.#hypervisor.bindChannel(peer, txPort),
      this.#hypervisor.bindChannel(peer, rxPort),
    );
    this.#begin('opener', pages, tx, rx);
    return encode();
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

  #begin(
    side: Side,
    pages: ConstructorParameters<typeof TubeEnd>[2],
    sending: EventChannel,
    receiving: EventChannel,
  ): void {
    const { reactor } = this.#hypervisor.watcher;
    const end = new TubeEnd(reactor, side, pages, [
      sending.kick,
      sending.wait,
      receiving.kick,
      receiving.wait,
    ]);
    this.#end = end;
    this.#hypervisor.watcher.on(end.packetsToken, () => {
      this.#packetsArmed = false;
      this.#look();
    });
    this.#hypervisor.watcher.on(end.roomToken, () => {
      this.#roomArmed = false;
      this.#look();
    });
    this.#look();
  }

  #release(): void {
    const end = this.#end;
    if (end) {
      this.#hypervisor.watcher.off(end.packetsToken);
      this.#hypervisor.watcher.off(end.roomToken);
      this.#counters = end.counters();
      end.close();
      this.#end = undefined;
    }
    for (const giveBack of this.#held.splice(0)) giveBack();
  }

  // ---- Packets

  /**
   * Delivers what waits and answers who waits for room. As long as there is anything to do, or soon will be, this
   * looks again in the next turn of the event loop, without a doorbell; only when that is armed, and there still is
   * nothing, it sleeps.
   */
  readonly #look = (): void => {
    if (this.#looking) return;
    const packets = this.#receive();
    const room = this.#answerWaiting();
    if (packets || room) this.#lookSoon();
  };

  #lookSoon(): void {
    if (this.#looking) return;
    this.#looking = true;
    setImmediate(this.#lookAgain);
  }

  readonly #lookAgain = (): void => {
    this.#looking = false;
    this.#look();
  };

  /** Answers whether to look again soon. */
  #receive(): boolean {
    const end = this.#end;
    if (!end || this.#packetsArmed) return false;
    if (this.#deliver(BATCH, RING_PACKETS) > 0) {
      this.#packets.rewarded();
      return true;
    }
    if (this.#packets.goesOn()) return true;
    // Nonsense is looked at again as well.
    this.#packetsArmed = this.#end === end && end.armPackets() === 0;
    return !this.#packetsArmed;
  }

  readonly #take = (packet: Buffer): void => {
    this.#port.output(packet);
  };

  /**
   * Up to about `most` packets to the owner, in batches, until one is smaller than `least`: a full ring or 1. How
   * many there were. After a batch that is neither full nor empty the ring, or else the slab, is at its end.
   */
  #deliver(most: number, least: number): number {
    let delivered = 0;
    while (this.#end && delivered < most) {
      const count = this.#reader.read(this.#end, this.#take);
      if (count === BROKEN) {
        this.#port.failure('eproto');
        break;
      }
      delivered += count;
      if (count < least) break;
    }
    return delivered;
  }

  /** What the peer had sent is at most a full ring; more than that it is still writing, for whatever reason. */
  #hangUp(): number {
    this.#deliver(RING_PACKETS, 1);
    const received = this.#end?.counters().receivedPackets ?? 0;
    this.#port.failure_eof();
    return received % 2 ** 32;
  }

  /** Answers whether to look again soon. */
  #answerWaiting(): boolean {
    const end = this.#end;
    if (!end || this.#roomArmed || this.#waiting.length === 0) return false;
    let slots = end.freeSlots();
    if (slots < MANY_SLOTS && slots !== BROKEN) {
      if (this.#room.goesOn()) return true;
      if (slots === 0) slots = end.armRoom();
      this.#roomArmed = slots === 0;
    }
    if (slots === BROKEN) this.#port.failure('eproto');
    if (slots <= 0) return false;
    this.#room.rewarded();
    for (const pid of this.#waiting.splice(0)) this.#port.send_term(pid, ['can_send', this.#port.id, slots]);
    return false;
  }
}

const MALFORMED = Uint8Array.of(1);

/** An answer: the byte 0, then the numbers. */
function encode(...numbers: number[]): Uint8Array {
  const bytes = Buffer.alloc(1 + numbers.length * 4);
  numbers.forEach((number, i) => {
    bytes.writeUInt32BE(number, 1 + i * 4);
  });
  return bytes;
}

/** The numbers of a request; none at all for bytes that are no whole number of them. */
function decode(data: Uint8Array): number[] {
  if (data.length % 4 !== 0) return [];
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  return Array.from({ length: data.length / 4 }, (_, i) => view.getUint32(i * 4));
}
