/** A timeout of any length: Node's own end at 2^31 - 1 ms. */
export class Alarm<T> {
  /** On the clock of `performance.now()`. */
  readonly deadline: number;
  private handle: NodeJS.Timeout;

  /** Calls `ring(subject)` once, `ms` from now. */
  constructor(
    ms: number,
    private readonly ring: (subject: T) => void,
    private readonly subject: T,
  ) {
    this.deadline = performance.now() + ms;
    this.handle = setTimeout(ringOrWait<T>, Math.min(ms, LONGEST), this);
  }

  /** Milliseconds until it rings, rounded up. */
  get left(): number {
    return Math.max(0, Math.ceil(this.deadline - performance.now()));
  }

  cancel(): void {
    clearTimeout(this.handle);
  }

  /** @internal */
  elapse(): void {
    // Node rounds to whole milliseconds of its own clock: one millisecond more or less is not "longer".
    if (this.left > 1) this.handle = setTimeout(ringOrWait<T>, Math.min(this.left, LONGEST), this);
    else this.ring(this.subject);
  }
}

const LONGEST = 0x7fff_ffff;

function ringOrWait<T>(alarm: Alarm<T>): void {
  alarm.elapse();
}
