import type { Pid } from '../../actors/identifiers.js';
import { BROKEN, type TubeEnd } from '../../native/index.js';
import type { DriverPort } from '../driver.js';
import { Patience, SPIN_UNDER_PRESSURE } from './patience.js';
import type { Full } from './tube-options.js';

/** Who has been told how much it can send does so by then, in turns of the event loop. */
const TURNS_TO_SEND = 3;

/**
 * Where packets go into a tube, and who waits for room there: askers of can_send, and with `full: 'busy'` the port
 * itself, which is busy from when the ring is full until half of it is free.
 */
export class Outbox {
  /** In milliseconds. */
  spin = 0;
  /** How often there was room for who had waited. */
  relieved = 0;
  readonly #port: DriverPort;
  readonly #lookSoon: () => void;
  readonly #sent: () => void;
  readonly #patience = new Patience();
  #end: TubeEnd | undefined;
  #full: Full = 'drop';
  #flushing = false;
  /** The doorbell will say when there is room. */
  #armed = false;
  #isBusy = false;
  /** Worth waking senders for: half a ring. */
  #manySlots = 0;
  /** Callers of SEND_SLOTS that wait for room. */
  #askers: Pid[] = [];
  /** Packets that askers have been told of, and that have not been sent. */
  #promised = 0;
  /** To whom, if all to one. */
  #promisedTo: Pid | undefined;
  /** For how long there was room, but all of it promised. */
  #turnsRefused = 0;

  /** `lookSoon` has {@link giveRoom} called in the next turn of the event loop; `sent` hears of what is sent, once a turn. */
  constructor(port: DriverPort, lookSoon: () => void, sent: () => void) {
    this.#port = port;
    this.#lookSoon = lookSoon;
    this.#sent = sent;
  }

  get full(): Full {
    return this.#full;
  }

  set full(full: Full) {
    this.#full = full;
    this.#end?.setDrops(full === 'drop');
    if (full === 'busy') this.#countRoom();
    else {
      this.#setBusy(false);
      // Slept may have been for half a ring: less than that is enough now, and may be there.
      this.#armed = false;
    }
  }

  begin(end: TubeEnd): void {
    this.#end = end;
    this.#manySlots = Math.ceil(end.slots / 2);
    this.full = this.#full;
  }

  /** The doorbell has rung. */
  disarmed(): void {
    this.#armed = false;
  }

  /** The first bytes of these, so many, are a packet. Without effect when there is no peer (any more). */
  write(bytes: Uint8Array, size: number): void {
    const end = this.#end;
    if (!end) return;
    const written = end.write(bytes, size);
    if (written === BROKEN) return this.#port.failure('eproto');
    if (this.#promised > 0) this.#promised--;
    if (written !== 1 && this.#full === 'busy') this.#becomeBusy(end);
    if (this.#flushing) return;
    // One ring of the doorbell for all that is sent in this turn, as far as the ring itself does not ask for more.
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#end?.flush();
      this.#sent();
    });
  }

  /** Sends `{can_send, Tube, N}` as soon as there is room. */
  ask(asker: Pid): void {
    this.#askers.push(asker);
    if (this.#tellOfRoom()) this.#lookSoon();
  }

  /** Once a turn: tells those who wait for room, if there is any. Answers whether to look again soon. */
  giveRoom(): boolean {
    const again = this.#tellOfRoom();
    // They have to wait, but not for ever: who was told may not want to send at all.
    if (this.#turnsRefused > 0 && this.#turnsRefused++ === TURNS_TO_SEND) this.#promised = 0;
    return again;
  }

  #tellOfRoom(): boolean {
    const end = this.#end;
    if (!end || this.#armed || !(this.#isBusy || this.#askers.length > 0)) return false;
    let slots = end.freeSlots();
    // A busy port waits for so many; others take fewer if no more come soon.
    const enough = this.#isBusy ? this.#manySlots : 1;
    if (slots < this.#manySlots && slots !== BROKEN) {
      if (this.#patience.goesOn(Math.max(this.spin, SPIN_UNDER_PRESSURE))) return true;
      if (slots < enough) slots = end.armRoom(enough);
      this.#armed = slots !== BROKEN && slots < enough;
    }
    if (slots === BROKEN) this.#port.failure('eproto');
    if (slots < enough) return false;
    this.#patience.rewarded();
    this.relieved++;
    this.#setBusy(false);
    return this.#answer(slots);
  }

  /** Nothing can be sent any more: the peer has gone, or the port has ended. */
  stop(): void {
    this.#end = undefined;
    for (const asker of this.#askers.splice(0))
      this.#port.send_term(asker, ['can_send', this.#port.id, 'closed']);
    this.#setBusy(false);
  }

  #countRoom(): void {
    const end = this.#end;
    if (!end) return;
    const slots = end.freeSlots();
    if (slots === BROKEN) this.#port.failure('eproto');
    else if (slots === 0) this.#becomeBusy(end);
  }

  #becomeBusy(end: TubeEnd): void {
    if (this.#isBusy) return;
    this.#setBusy(true);
    end.flush();
    this.#lookSoon();
  }

  #setBusy(busy: boolean): void {
    if (this.#isBusy === busy) return;
    this.#isBusy = busy;
    this.#port.set_busy(busy);
  }

  /**
   * Shares out the room that nobody has been told of: one sender that asks is told of all, of several each of a part.
   * Answers whether to look again soon.
   */
  #answer(slots: number): boolean {
    const [first] = this.#askers;
    if (first === undefined) return false;
    const isAlone = this.#askers.length === 1;
    // Whoever asks again means no more than it is told then.
    if (isAlone && first === this.#promisedTo) this.#promised = 0;
    const left = slots - this.#promised;
    if (left <= 0) {
      this.#turnsRefused ||= 1;
      return true;
    }
    this.#turnsRefused = 0;
    this.#promisedTo = isAlone && this.#promised === 0 ? first : undefined;
    const share = Math.max(1, Math.floor(left / this.#askers.length));
    for (const asker of this.#askers.splice(0, left)) {
      this.#port.send_term(asker, ['can_send', this.#port.id, share]);
      this.#promised += share;
    }
    return this.#askers.length > 0;
  }
}
