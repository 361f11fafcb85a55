/**
 * A promise of the runtime that the program of a process waits for, e.g. until a port is no longer busy.
 * It settles once: what comes later is ignored. When the process dies first, it is rejected with a ProcessExit.
 */
export class Suspension<T> {
  readonly promise: Promise<T>;
  private settle: { resolve(value: T): void; reject(error: unknown): void } | undefined;

  /** @internal Processes make them: see `Actor.suspend`. */
  constructor(
    private readonly forget: (suspension: Suspension<T>) => void,
    private readonly takeBack: (() => void) | undefined,
  ) {
    this.promise = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
  }

  /** False once it is settled, by whomever, or the process has died. */
  get isPending(): boolean {
    return this.settle !== undefined;
  }

  /** Whether it waits with something that the process has sent. */
  get isSending(): boolean {
    return this.takeBack !== undefined;
  }

  resolve(value: T): void {
    this.take()?.resolve(value);
  }

  reject(error: unknown): void {
    // A program that does not wait (any more) has not failed.
    this.promise.catch(() => {});
    this.take()?.reject(error);
  }

  /** The process has died. */
  giveUp(error: unknown): void {
    this.reject(error);
    this.takeBack?.();
  }

  private take(): { resolve(value: T): void; reject(error: unknown): void } | undefined {
    const { settle } = this;
    this.settle = undefined;
    this.forget(this);
    return settle;
  }
}
