/**
 * The packets of a stream, the same for every rival: each has a number, and the phase of the measurement that it belongs
 * to.
 *
 *     0       4       5
 *     | number | phase | anything |
 */
import { Meter, type Reading } from './meter.js';

export interface Load {
  readonly bytes: number;
  /** How long to send before the measurement begins, and how long it takes, in seconds. */
  readonly warmUp: number;
  readonly seconds: number;
  /** So many packets a second, whether the receiver keeps up or not; without it as many as can be without loss. */
  readonly rate?: number;
  /** Packet by packet in turn over so many links, each with a receiver of its own; of tubes only. */
  readonly over?: number;
}

/** What one side has seen of the measured phase. */
export interface Seen extends Reading {
  readonly packets: number;
}

const WARM_UP = 0;
const MEASURED = 1;
/** Of the last packet, which must not be lost. */
const END = 2;

/** A sender with a rate sleeps so many milliseconds when nothing is due: short, as the rings and buffers are small. */
const NAP = 0.2;
/** After so many milliseconds without one, a sender with a rate lets the event loop have a turn. */
const TURN = 1;

/** Says how many packets to send, makes them, and knows when they are enough. */
export class Source {
  seen: Seen | undefined;
  readonly #load: Load;
  readonly #meter = new Meter();
  /** When it was first asked: until then its sender has had to find the receiver. */
  #began: number | undefined;
  #number = 0;
  #first = 0;
  #phase = WARM_UP;
  /** When the event loop last had a turn. */
  #turned = 0;
  /** When the next phase begins. */
  #next = 0;

  constructor(load: Load) {
    this.#load = load;
  }

  /** How many packets to send now, at most so many; 0: it is time for {@link last}. To be asked before each group. */
  due(most: number): number | Promise<number> {
    const now = performance.now();
    if (this.#began === undefined) {
      this.#began = now;
      this.#next = now + this.#load.warmUp * 1000;
    }
    if (now >= this.#next) this.#enterNext();
    if (this.seen !== undefined) return 0;
    const { rate } = this.#load;
    if (rate === undefined) return most;
    const due = Math.floor(((now - this.#began) / 1000) * rate) - this.#number;
    if (due > 0 && now - this.#turned < TURN) return Math.min(most, due);
    if (due <= 0) sleep(NAP);
    return this.#turn(most);
  }

  /** Makes the bytes the next packet. */
  fill(packet: Buffer, at = 0): void {
    packet.writeUInt32LE(this.#number++, at);
    packet[at + 4] = this.#phase;
  }

  /** Makes the bytes the last packet, which must arrive. */
  last(packet: Buffer, at = 0): void {
    this.#phase = END;
    this.fill(packet, at);
  }

  /** Ends it before its time. */
  stop(): void {
    if (this.#phase === WARM_UP) this.#enterNext();
    this.#next = 0;
    this.#began ??= 0;
  }

  #enterNext(): void {
    if (this.#phase === WARM_UP) {
      this.#phase = MEASURED;
      this.#first = this.#number;
      this.#next += this.#load.seconds * 1000;
      this.#meter.start();
    } else {
      this.seen ??= { ...this.#meter.read(), packets: this.#number - this.#first };
    }
  }

  async #turn(most: number): Promise<number> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#turned = performance.now();
    return this.due(most);
  }
}

/** Checks the packets as they come. */
export class Sink {
  seen: Seen | undefined;
  readonly #bytes: number;
  readonly #meter = new Meter();
  #expected = 0;
  #packets = 0;
  #phase = WARM_UP;

  constructor({ bytes }: Load) {
    this.#bytes = bytes;
  }

  /** Answers whether more have to come. @throws Error for a packet that is not what was sent */
  take(packet: Buffer): boolean {
    const number = packet.readUInt32LE(0);
    if (number < this.#expected) throw new Error(`packet ${number} after ${this.#expected - 1}`);
    if (packet.length !== this.#bytes) throw new Error(`packet ${number} has ${packet.length} bytes`);
    this.#expected = number + 1;
    if (packet[4] !== this.#phase) this.#enter(packet[4] as number);
    this.#packets++;
    return this.seen === undefined;
  }

  #enter(phase: number): void {
    this.#phase = phase;
    if (phase === END) {
      this.seen = { ...this.#meter.read(), packets: this.#packets };
    } else {
      this.#packets = 0;
      this.#meter.start();
    }
  }
}

const NOBODY = new Int32Array(new SharedArrayBuffer(4));

/** A timer could not be as short. */
function sleep(milliseconds: number): void {
  Atomics.wait(NOBODY, 0, 0, milliseconds);
}
