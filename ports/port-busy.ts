import { Actor } from '../actors/actor.js';
import { Pid } from '../actors/identifiers.js';
import { Linked, LinkedList } from '../actors/linked-list.js';
import type { Sender } from '../actors/signal.js';
import type { Suspension } from '../actors/suspension.js';

/** What somebody does to a port, and which has to wait. */
export interface Act<T> {
  /** Answers what who does it is answered; what it throws, that one gets. */
  deliver(): T;
  /** As deliver, when the port has ended. */
  giveUp(): T;
}

/** A sender, undefined for what comes from outside of any process or port, and what it waits with. */
class Place extends Linked {
  /** In the line. */
  isTaken = true;
  /** Command data first; then what their sender did next that would not have to wait itself. */
  readonly acts: { readonly act: Act<unknown>; readonly suspension: Suspension<unknown> | undefined }[] = [];

  constructor(readonly sender: Sender | undefined) {
    super();
  }
}

/**
 * Whether a port is busy, and who waits because of that: senders of command data, each until its data have been
 * delivered. They are, in the order they came, soon after the port is no longer busy and as long as it is not again.
 *
 * In Erlang a sender that is suspended does nothing. Here its program may go on, but what it does to the port then
 * stays behind its data. When it is killed, nothing of that comes about.
 */
export class PortBusy {
  #isBusy = false;
  readonly #line = new LinkedList<Place>();
  /** The last place of each sender. */
  readonly #places = new Map<Sender | undefined, Place>();
  #resuming = false;

  /** `canDeliver` is asked before each delivery, `onSuspend` told of each process that has to wait. */
  constructor(
    private readonly canDeliver: () => boolean,
    private readonly onSuspend: (process: Pid) => void,
  ) {}

  get isSet(): boolean {
    return this.#isBusy;
  }

  /** Whether data that come now have to wait: also behind others, who are about to be resumed. */
  get holdsUp(): boolean {
    return this.#isBusy || this.#line.first !== undefined;
  }

  /** Whether anything that comes from there has to wait now, as it comes after data of the same sender. */
  holds(sender: Sender | undefined): boolean {
    return this.#places.has(sender);
  }

  /** set_busy_port: a flag, no counter. */
  set(busy: boolean): void {
    this.#isBusy = busy;
    this.resume();
  }

  /** Command data wait for their turn. Answers as {@link waitBehind}. */
  wait<T>(sender: Sender | undefined, data: Act<T>): Promise<T> | undefined {
    const place = new Place(sender);
    const process = sender instanceof Pid ? sender.receiver : undefined;
    if (process instanceof Actor && !this.holds(sender)) this.onSuspend(process.pid);
    this.#line.add(place);
    this.#places.set(sender, place);
    return this.#join(place, data);
  }

  /**
   * Anything else waits for what its sender {@link holds | waits with} already. A process is suspended, and its program
   * awaits the answer; undefined when there is none that could.
   */
  waitBehind<T>(sender: Sender | undefined, act: Act<T>): Promise<T> | undefined {
    const place = this.#places.get(sender);
    return place && this.#join(place, act);
  }

  /** Delivers what waits, not within this call. */
  resume(): void {
    if (this.#isBusy || this.#resuming || this.#line.first === undefined) return;
    this.#resuming = true;
    queueMicrotask(() => this.#deliverAll());
  }

  /** The port has ended: nobody waits any more. */
  abandon(): void {
    for (const place of this.#line) this.#settle(place);
  }

  #join<T>(place: Place, act: Act<T>): Promise<T> | undefined {
    const process = place.sender instanceof Pid ? place.sender.receiver : undefined;
    const suspension = process instanceof Actor ? process.suspend<T>(() => this.#leave(place)) : undefined;
    place.acts.push({ act, suspension: suspension as Suspension<unknown> | undefined });
    return suspension?.promise;
  }

  #deliverAll(): void {
    this.#resuming = false;
    for (let next = this.#line.first; next !== undefined; next = this.#line.first) {
      if (this.#isBusy || !this.canDeliver()) return;
      this.#settle(next);
    }
  }

  #settle(place: Place): void {
    this.#leave(place);
    for (const { act, suspension } of place.acts) {
      // Its process may be killed by what comes before.
      if (suspension?.isPending === false) return;
      try {
        const answer = this.canDeliver() ? act.deliver() : act.giveUp();
        suspension?.resolve(answer);
      } catch (error) {
        suspension?.reject(error);
      }
    }
  }

  #leave(place: Place): void {
    if (!place.isTaken) return;
    place.isTaken = false;
    this.#line.delete(place);
    if (this.#places.get(place.sender) === place) this.#places.delete(place.sender);
  }
}
