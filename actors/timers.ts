import { Alarm } from './alarm.js';
import type { Pid, Reference } from './identifiers.js';
import type { Receiver } from './signal.js';

interface Timer {
  readonly ref: Reference;
  readonly destination: Pid | string;
  readonly message: unknown;
  readonly alarm: Alarm<Reference>;
}

/** The timers of one runtime: messages to send later. */
export class Timers {
  private readonly pending = new Map<Reference, Timer>();
  private readonly byPid = new Map<Pid, Set<Reference>>();

  /** `whereis` looks up a name, at the time the timer runs out. */
  constructor(private readonly whereis: (name: string) => Receiver | undefined) {}

  get size(): number {
    return this.pending.size;
  }

  start(ms: number, destination: Pid | string, ref: Reference, message: unknown): void {
    if (typeof destination !== 'string') {
      if (destination.receiver === undefined) return;
      const refs = this.byPid.get(destination);
      if (refs === undefined) this.byPid.set(destination, new Set([ref]));
      else refs.add(ref);
    }
    this.pending.set(ref, { ref, destination, message, alarm: new Alarm(ms, this.fire, ref) });
  }

  /** Milliseconds that were left, or false where it has run out, was cancelled or never was. */
  cancel(ref: Reference): number | false {
    const timer = this.remove(ref);
    if (timer === undefined) return false;
    timer.alarm.cancel();
    return timer.alarm.left;
  }

  read(ref: Reference): number | false {
    return this.pending.get(ref)?.alarm.left ?? false;
  }

  /** A process has ended: cancels what would have been sent to its pid. */
  cancelFor(pid: Pid): void {
    for (const ref of this.byPid.get(pid) ?? []) this.cancel(ref);
  }

  cancelAll(): void {
    for (const ref of [...this.pending.keys()]) this.cancel(ref);
  }

  private readonly fire = (ref: Reference): void => {
    const timer = this.remove(ref);
    if (timer === undefined) return;
    const { destination } = timer;
    const receiver = typeof destination === 'string' ? this.whereis(destination) : destination.receiver;
    receiver?.message(timer.message);
  };

  private remove(ref: Reference): Timer | undefined {
    const timer = this.pending.get(ref);
    if (timer === undefined) return undefined;
    this.pending.delete(ref);
    if (typeof timer.destination === 'string') return timer;
    const refs = this.byPid.get(timer.destination);
    refs?.delete(ref);
    if (refs?.size === 0) this.byPid.delete(timer.destination);
    return timer;
  }
}
