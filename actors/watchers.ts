import { Linked, LinkedList } from './linked-list.js';
import type { Monitor } from './monitors.js';
import type { Reason, Sender } from './signal.js';
import { type List, list } from './term.js';

/** One that watches, as who is watched keeps it. */
export class Watch extends Linked {
  constructor(readonly monitor: Monitor) {
    super();
  }
}

/** Who monitors a process or port: the far side of {@link Monitors}. */
export class Watchers {
  private readonly list = new LinkedList<Watch>();

  add(monitor: Monitor): void {
    monitor.watch = new Watch(monitor);
    this.list.add(monitor.watch);
  }

  /** Without effect where it has been told already. */
  delete(monitor: Monitor): void {
    if (monitor.watch !== undefined) this.list.delete(monitor.watch);
    monitor.watch = undefined;
  }

  /** The watchers' identifiers, once for each monitor. */
  toList(): List<Sender> {
    return list(...Array.from(this.list, ({ monitor }) => monitor.from));
  }

  /** The watched process or port has ended: a down signal to each, in the order they began to monitor. */
  tellAll(reason: Reason): void {
    for (const { monitor } of this.list) {
      this.delete(monitor);
      monitor.from.receiver?.signal({ type: 'down', monitor, reason });
    }
  }
}
