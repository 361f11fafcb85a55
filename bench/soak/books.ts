/** What went into each tube, and what came out of it: that must be the same. */
import { numberOf, type Packets } from './packets.js';

export type Mode = 'lossless' | 'drop';

/** One tube after the other carries the packets of a lane. */
export interface TubeName {
  readonly lane: number;
  readonly generation: number;
}

/** Of one tube, in packets. */
export interface Sent {
  readonly made: number;
  /** As the tube has counted them. */
  readonly written: number;
  readonly dropped: number;
}

/** What comes out of a tube, where nothing may be torn, doubled or out of order. */
export class Book {
  received = 0;
  #next = 0;

  constructor(
    readonly name: TubeName,
    readonly packets: Packets,
    readonly mode: Mode,
  ) {}

  /** @throws Error for a packet that is not the next one, or with drops one of the next, to the last byte */
  take(packet: Buffer): void {
    const number = numberOf(packet);
    const isNext = number === this.#next || (number > this.#next && this.mode === 'drop');
    const fault = isNext ? this.packets.faultOf(packet, number) : `comes where ${this.#next} is the next`;
    if (fault !== undefined) throw new Error(`${titleOf(this.name)}: packet ${number} ${fault}`);
    this.#next = number + 1;
    this.received++;
  }
}

/** Compares what both sides say of each tube. */
export class Ledger {
  tubes = 0;
  readonly total = { made: 0, dropped: 0, received: 0 };
  readonly #sent = new Map<string, Sent>();
  readonly #received = new Map<string, number>();

  constructor(readonly mode: Mode) {}

  /** Whether both sides have said what they have to say. */
  get isClosed(): boolean {
    return this.#sent.size === 0 && this.#received.size === 0;
  }

  /** @throws Error where that is not what has come out */
  addSent(name: TubeName, sent: Sent): void {
    this.#sent.set(titleOf(name), sent);
    this.#compare(titleOf(name));
  }

  /** @throws Error where that is not what has gone in */
  addReceived(name: TubeName, received: number): void {
    this.#received.set(titleOf(name), received);
    this.#compare(titleOf(name));
  }

  #compare(title: string): void {
    const sent = this.#sent.get(title);
    const received = this.#received.get(title);
    if (sent === undefined || received === undefined) return;
    const { made, written, dropped } = sent;
    if (written !== received || made !== received + dropped || (dropped > 0 && this.mode === 'lossless')) {
      const counts = `made ${made}, written ${written}, dropped ${dropped}, received ${received}`;
      throw new Error(`${title}: the books do not balance: ${counts}`);
    }
    this.#sent.delete(title);
    this.#received.delete(title);
    this.tubes++;
    this.total.made += made;
    this.total.dropped += dropped;
    this.total.received += received;
  }
}

function titleOf({ lane, generation }: TubeName): string {
  return `tube ${generation} of lane ${lane}`;
}
