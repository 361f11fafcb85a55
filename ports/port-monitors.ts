import { demonitor } from '../actors/actor.js';
import { Pid, type Port, type Reference } from '../actors/identifiers.js';
import { Monitor, Monitors } from '../actors/monitors.js';
import type { Sender } from '../actors/signal.js';
import type { List } from '../actors/term.js';

/** The processes that the driver of a port monitors. */
export class PortMonitors {
  readonly #monitors = new Monitors();

  constructor(private readonly port: Port) {}

  /** Undefined for a process that is dead. */
  add(process: Pid, ref: Reference): Monitor | undefined {
    const { receiver } = process;
    if (receiver === undefined) return undefined;
    const monitor = new Monitor(ref, this.port, 'process', process, process, 'DOWN');
    this.#monitors.add(monitor);
    receiver.signal(monitor);
    return monitor;
  }

  /** Those of one process; the oldest first. */
  of(process: Sender): Monitor[] {
    return [...this.#monitors].filter(({ target }) => target === process);
  }

  has(monitor: Monitor): boolean {
    return monitor.from === this.port && monitor.ref.monitor === monitor;
  }

  /** Answers whether there was such a monitor. */
  delete(monitor: Monitor): boolean {
    if (!this.has(monitor)) return false;
    this.#monitors.delete(monitor);
    return true;
  }

  /** As delete, and tells the process. */
  demonitor(monitor: Monitor): boolean {
    if (!this.delete(monitor)) return false;
    demonitor(monitor);
    return true;
  }

  clear(): void {
    for (const monitor of this.#monitors) this.demonitor(monitor);
  }

  /** As port_info shows them: `['process', pid]`. */
  toList(): List {
    return this.#monitors.toList();
  }

  process(monitor: Monitor): Pid | undefined {
    return this.has(monitor) && monitor.target instanceof Pid ? monitor.target : undefined;
  }
}
