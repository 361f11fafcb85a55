import type { Reference } from './identifiers.js';
import type { Reason, Sender, Signal } from './signal.js';
import { type List, list } from './term.js';

type MonitorSignal = Extract<Signal, { type: 'monitor' }>;

/** Who monitors a process or port: the far side of {@link Monitors}. */
export class Watchers {
  private readonly signals = new Map<Reference, MonitorSignal>();

  add(signal: MonitorSignal): void {
    this.signals.set(signal.ref, signal);
  }

  delete(ref: Reference): void {
    this.signals.delete(ref);
  }

  /** The watchers' identifiers, once for each monitor. */
  toList(): List<Sender> {
    return list(...[...this.signals.values()].map(({ from }) => from));
  }

  /** The watched process or port has ended: a down signal to each, in the order they began to monitor. */
  tellAll(kind: 'process' | 'port', reason: Reason): void {
    const signals = [...this.signals.values()];
    this.signals.clear();
    for (const { from, ref, object } of signals) {
      from.receiver?.signal({ type: 'down', ref, kind, object, reason });
    }
  }
}
