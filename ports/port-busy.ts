import { Actor } from '../actors/actor.js';
import { Pid } from '../actors/identifiers.js';
import type { Sender } from '../actors/signal.js';
import type { Suspension } from '../actors/suspension.js';

/** Command data that wait for a port to be no longer busy. */
interface Waiting {
  /** Of who waits for it; none for what comes from outside of any process. */
  readonly suspension: Suspension<unknown> | undefined;
  /** Answers what the suspended one is answered; what it throws, that one gets. */
  deliver(): unknown;
  /** As deliver, when the port has ended. */
  giveUp(): unknown;
}

/**
 * Whether a port is busy, and who waits because of that: senders of command data, each until its data have been
 * delivered. They are, in the order they came, soon after the port is no longer busy and as long as it is not again.
 */
export class PortBusy {
  #isBusy = false;
  #waiting: Waiting[] = [];
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
    return this.#isBusy || this.#waiting.length > 0;
  }

  /** set_busy_port: a flag, no counter. */
  set(busy: boolean): void {
    this.#isBusy = busy;
    this.resume();
  }

  /** Suspends the process; its program awaits the answer. Raises ProcessExit for a dead one. */
  suspend<T>(process: Actor, deliver: () => T, giveUp: () => T): Promise<T> {
    const suspension = process.suspend<T>();
    this.onSuspend(process.pid);
    this.#waiting.push({ suspension: suspension as Suspension<unknown>, deliver, giveUp });
    return suspension.promise;
  }

  /** As suspend, for what was sent by `!`; undefined when there is no process that could wait: the data do. */
  suspendSender<T>(sender: Sender | undefined, message: T, deliver: () => void): Promise<T> | undefined {
    const take = (): T => {
      deliver();
      return message;
    };
    const process = sender instanceof Pid ? sender.receiver : undefined;
    if (process instanceof Actor) return this.suspend(process, take, () => message);
    this.#waiting.push({ suspension: undefined, deliver: take, giveUp: () => message });
    return undefined;
  }

  /** Delivers what waits, not within this call. */
  resume(): void {
    if (this.#isBusy || this.#resuming || this.#waiting.length === 0) return;
    this.#resuming = true;
    queueMicrotask(() => this.#deliverAll());
  }

  /** The port has ended: nobody waits any more. */
  abandon(): void {
    for (const { suspension, giveUp } of this.#waiting.splice(0)) settle(suspension, giveUp);
  }

  #deliverAll(): void {
    this.#resuming = false;
    while (!this.#isBusy && this.canDeliver()) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      // What a process has sent that was killed meanwhile is not delivered.
      if (next.suspension?.isPending !== false) settle(next.suspension, next.deliver);
    }
  }
}

function settle(suspension: Suspension<unknown> | undefined, answer: () => unknown): void {
  try {
    const value = answer();
    suspension?.resolve(value);
  } catch (error) {
    suspension?.reject(error);
  }
}
