/**
 * The packets of a throughput measurement, the same for every rival: each has a number, and two of them say that
 * the measurement begins (what was before warms up both sides) and ends.
 *
 *     0       4      5
 *     | number | mark | anything |
 */
import { Meter, type Reading } from './meter.js';

export interface Load {
  readonly bytes: number;
  /** How long to send before the measurement begins, and how long it takes, in seconds. */
  readonly warmUp: number;
  readonly seconds: number;
}

/** What one side has seen between the two marks. */
export interface Seen extends Reading {
  readonly packets: number;
  readonly lost: number;
}

const PLAIN = 0;
const BEGIN = 1;
const END = 2;

/** Writes the packets, and knows when they are enough. */
export class Source {
  seen: Seen | undefined;
  readonly #load: Load;
  readonly #meter = new Meter();
  #number = 0;
  #began = -1;
  #mark = PLAIN;
  #next: number;

  constructor(load: Load) {
    this.#load = load;
    this.#next = performance.now() + load.warmUp * 1000;
  }

  /** Looks at the clock: call it now and then, before a group of packets. */
  look(): void {
    if (performance.now() < this.#next) return;
    this.#mark = this.#began < 0 ? BEGIN : END;
    this.#next += this.#load.seconds * 1000;
  }

  /** Makes the bytes the next packet. Answers whether another one follows. */
  fill(packet: Buffer, at = 0): boolean {
    packet.writeUInt32LE(this.#number, at);
    packet[at + 4] = this.#mark;
    if (this.#mark !== PLAIN) this.#markSet();
    this.#number++;
    return this.seen === undefined;
  }

  #markSet(): void {
    if (this.#mark === BEGIN) {
      this.#began = this.#number;
      this.#meter.start();
    } else {
      this.seen = { ...this.#meter.read(), packets: this.#number - this.#began, lost: 0 };
    }
    this.#mark = PLAIN;
  }
}

/** Checks the packets as they come. */
export class Sink {
  seen: Seen | undefined;
  readonly #bytes: number;
  readonly #meter = new Meter();
  #expected = 0;
  #lost = 0;
  #packets = 0;

  constructor({ bytes }: Load) {
    this.#bytes = bytes;
  }

  /** Answers whether more have to come. @throws Error for a packet that is not what was sent */
  take(packet: Buffer): boolean {
    const number = packet.readUInt32LE(0);
    if (number !== this.#expected) this.#gap(number);
    if (packet.length !== this.#bytes) throw new Error(`packet ${number} has ${packet.length} bytes`);
    this.#expected = number + 1;
    this.#packets++;
    if (packet[4] !== PLAIN) this.#marked(packet[4] as number);
    return this.seen === undefined;
  }

  #gap(number: number): void {
    if (number < this.#expected) throw new Error(`packet ${number} after ${this.#expected - 1}`);
    this.#lost += number - this.#expected;
  }

  #marked(mark: number): void {
    if (mark === BEGIN) {
      this.#packets = 0;
      this.#meter.start();
    } else if (mark === END) {
      this.seen = { ...this.#meter.read(), packets: this.#packets, lost: this.#lost };
    }
  }
}
