import { Alarm } from '../../actors/alarm.js';
import type { Pid } from '../../actors/identifiers.js';
import { BROKEN, type TubeEnd } from '../../native/index.js';
import { LARGEST_BATCH, type PacketReader } from '../../native/packet-reader.js';
import type { DriverPort } from '../driver.js';
import { type Active, ActiveMode } from './active-mode.js';
import { Patience, SPIN_FOR_ANSWER, SPIN_UNDER_PRESSURE } from './patience.js';

/** After so many packets in one turn, timers and I/O get theirs. */
const MOST_IN_A_TURN = 256;

/** A process that waits for one packet, in passive mode. */
interface Receiver {
  readonly pid: Pid;
  readonly answer: (packet: Buffer | undefined) => void;
  alarm: Alarm<Receiver> | undefined;
}

/**
 * Where packets of a tube come out: to the owner, as far as its option `active` wants them, or to those who ask.
 * What nobody wants stays in the ring, until that and then the sender's patience are full.
 */
export class Inbox {
  /** In milliseconds. */
  spin = 0;
  /** Packets that have been taken out of the ring. */
  taken = 0;
  readonly #port: DriverPort;
  readonly #reader: PacketReader;
  readonly #mode = new ActiveMode();
  readonly #patience = new Patience();
  #end: TubeEnd | undefined;
  /** The doorbell will say when there is anything to look for. */
  #armed = false;
  /** Something has come since the last was sent; and something was sent after that. */
  #heard = false;
  #awaitsAnswer = false;
  /** Packets out of the ring are being handed out. */
  #handing = false;
  /** Taken out of the ring, and not wanted any more then: at most a full one. */
  readonly #kept: Buffer[] = [];
  #receivers: Receiver[] = [];

  constructor(port: DriverPort, reader: PacketReader) {
    this.#port = port;
    this.#reader = reader;
  }

  get active(): Active {
    return this.#mode.value;
  }

  /** As {@link ActiveMode.check}. */
  checkActive(actives: readonly Active[]): void {
    this.#mode.check(actives);
  }

  set active(active: Active) {
    if (this.#mode.set(active)) this.#tellPassive();
    this.#setTakesAhead();
  }

  begin(end: TubeEnd): void {
    this.#end = end;
    this.#setTakesAhead();
  }

  /** The doorbell has rung. */
  disarmed(): void {
    this.#armed = false;
  }

  /** Something was sent: of who talks with the other side, and does not only send, an answer may come soon. */
  sent(): void {
    this.#awaitsAnswer = this.#heard;
    this.#heard = false;
  }

  /** Delivers what waits and is wanted. Answers whether to look again soon. */
  receive(): boolean {
    // Whoever gets one of a batch may be who asks for more: that comes after the batch.
    if (this.#handing) return true;
    this.#handOutKept();
    const end = this.#end;
    if (!end || this.#armed || this.#wanted === 0) return false;
    if (this.#deliver(MOST_IN_A_TURN) > 0) {
      this.#heard = true;
      this.#awaitsAnswer = false;
      this.#patience.rewarded();
      return true;
    }
    // Nonsense has ended it.
    if (this.#end !== end) return false;
    if (this.#patience.goesOn(this.#spinsFor(end))) return true;
    // Nonsense is looked at again as well.
    this.#armed = end.armPackets() === 0;
    return !this.#armed;
  }

  /**
   * Waits for one packet on behalf of a process; `look` sees to what is there already. Undefined when none has come
   * in time, in milliseconds.
   */
  recv(pid: Pid, timeout: number | undefined, look: () => void): Promise<Buffer | undefined> {
    // Those who were killed while they waited.
    for (const receiver of this.#receivers.filter((each) => !isAlive(each.pid))) this.#giveUp(receiver);
    return new Promise((resolve) => {
      const receiver: Receiver = { pid, answer: resolve, alarm: undefined };
      this.#receivers.push(receiver);
      look();
      if (timeout === 0) this.#giveUp(receiver);
      else if (timeout !== undefined && this.#receivers.includes(receiver)) {
        receiver.alarm = new Alarm(timeout, (late) => this.#giveUp(late), receiver);
      }
    });
  }

  /** The peer has gone: takes what it had sent, and keeps what nobody wants yet. */
  hangUp(): void {
    const end = this.#end;
    if (!end) return;
    this.#handOutKept();
    end.hangUp();
    while (this.#end === end && this.#deliver(Number.POSITIVE_INFINITY, true) > 0);
    this.#end = undefined;
  }

  /** Whether nothing is left that was taken out of the ring. */
  get isEmpty(): boolean {
    return this.#kept.length === 0;
  }

  /** The port has ended. */
  stop(): void {
    this.#end = undefined;
    for (const { alarm } of this.#receivers.splice(0)) alarm?.cancel();
  }

  get #wanted(): number {
    return this.#receivers.length + this.#mode.wanted;
  }

  /** Up to about `most` packets, in batches, until one is not full. How many there were. */
  #deliver(most: number, all = false): number {
    let delivered = 0;
    this.#handing = true;
    try {
      while (this.#end && delivered < most) {
        const wanted = Math.min(all ? LARGEST_BATCH : this.#wanted, LARGEST_BATCH, most - delivered);
        if (wanted === 0) break;
        const count = this.#reader.read(this.#end, this.#take, wanted);
        if (count === BROKEN) {
          this.#port.failure('eproto');
          break;
        }
        delivered += count;
        this.taken += count;
        if (count < wanted) break;
      }
    } finally {
      this.#handing = false;
    }
    return delivered;
  }

  readonly #take = (packet: Buffer): void => {
    if (this.#mode.value === true && this.#receivers.length === 0) this.#port.output(packet);
    else if (this.#kept.length > 0 || !this.#hand(packet)) this.#kept.push(packet);
  };

  /** Answers whether anybody wanted it. */
  #hand(packet: Buffer): boolean {
    for (let receiver = this.#receivers.shift(); receiver; receiver = this.#receivers.shift()) {
      receiver.alarm?.cancel();
      if (!isAlive(receiver.pid)) continue;
      receiver.answer(packet);
      return true;
    }
    if (this.#mode.wanted === 0) return false;
    this.#port.output(packet);
    if (this.#mode.delivered()) this.#tellPassive();
    return true;
  }

  #handOutKept(): void {
    while (this.#wanted > 0) {
      const packet = this.#kept.shift();
      if (packet === undefined) return;
      // Those who had asked for it may all be dead.
      if (!this.#hand(packet)) this.#kept.unshift(packet);
    }
  }

  /** Of a sender that fills the ring more comes soon, and it would have to wait for who has gone to sleep. */
  #spinsFor(end: TubeEnd): number {
    if (end.wasPressed()) return Math.max(this.spin, SPIN_UNDER_PRESSURE);
    return this.#awaitsAnswer ? Math.max(this.spin, SPIN_FOR_ANSWER) : this.spin;
  }

  /** In any other mode packets have to stay in the ring, so that it fills up. */
  #setTakesAhead(): void {
    this.#end?.setTakesAhead(this.#mode.value === true);
  }

  #tellPassive(): void {
    this.#port.output_term(['tube_passive', this.#port.id]);
  }

  #giveUp(receiver: Receiver): void {
    receiver.alarm?.cancel();
    this.#receivers = this.#receivers.filter((each) => each !== receiver);
    receiver.answer(undefined);
  }
}

function isAlive(pid: Pid): boolean {
  return pid.receiver !== undefined;
}
