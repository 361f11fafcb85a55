import { Linked, LinkedList } from './linked-list.js';

/**
 * Calls back once, some time from now, never early; it keeps the OS process alive until then. Node's own timers
 * end at 2^31 - 1 ms, and cost several times as much: nearly every alarm is cancelled long before it rings (the
 * timeout of a call), and nearly all have one of a few lengths. So those of one length share a timer.
 */
export class Alarm<T> extends Linked {
  /** On the clock of `performance.now()`. */
  readonly deadline: number;
  private clock: Clock | undefined;

  /** Calls `ring(subject)`, `ms` from now. */
  constructor(
    ms: number,
    private readonly ring: (subject: T) => void,
    private readonly subject: T,
  ) {
    super();
    this.deadline = performance.now() + ms;
    let clock = clocks.get(ms);
    if (clock === undefined) {
      clock = new Clock(ms);
      clocks.set(ms, clock);
    }
    this.clock = clock;
    clock.alarms.add(this as Alarm<unknown>);
  }

  /** Milliseconds until it rings, rounded up. */
  get left(): number {
    return Math.max(0, Math.ceil(this.deadline - performance.now()));
  }

  /** Without effect on one that has rung. */
  cancel(): void {
    if (this.clock === undefined) return;
    this.clock.alarms.delete(this as Alarm<unknown>);
    if (this.clock.alarms.first === undefined) this.clock.stopSoon();
    this.clock = undefined;
  }

  /** @internal */
  elapse(): void {
    this.clock?.alarms.delete(this as Alarm<unknown>);
    this.clock = undefined;
    this.ring(this.subject);
  }
}

/** The alarms of one length, which ring in the order they were set, and the timer for the first of them. */
class Clock {
  readonly alarms = new LinkedList<Alarm<unknown>>();
  private timer: NodeJS.Timeout;
  private stopping = false;

  constructor(private readonly ms: number) {
    this.timer = this.startTimer(ms);
  }

  /** Not at once: mostly the next alarm comes soon, and to stop and start Node's timers costs as much as they do. */
  stopSoon(): void {
    if (this.stopping) return;
    this.stopping = true;
    setImmediate(stopUnused, this);
  }

  /** @internal */
  stopIfUnused(): void {
    this.stopping = false;
    if (this.alarms.first === undefined) this.stop();
  }

  /** @internal */
  ringDue(): void {
    const now = performance.now();
    let { first } = this.alarms;
    while (first !== undefined && first.deadline <= now) {
      first.elapse();
      first = this.alarms.first;
    }
    if (first === undefined) this.stop();
    else this.timer = this.startTimer(first.deadline - now);
  }

  private stop(): void {
    clearTimeout(this.timer);
    if (clocks.get(this.ms) === this) clocks.delete(this.ms);
  }

  private startTimer(ms: number): NodeJS.Timeout {
    return setTimeout(ringDue, Math.min(Math.ceil(ms), LONGEST), this);
  }
}

const LONGEST = 0x7fff_ffff;
const clocks = new Map<number, Clock>();

function ringDue(clock: Clock): void {
  clock.ringDue();
}

function stopUnused(clock: Clock): void {
  clock.stopIfUnused();
}
