import { demonitor } from './actor.js';
import type { Pid, Port } from './identifiers.js';
import { Monitor } from './monitors.js';
import type { Runtime } from './runtime.js';
import type { Reason, Receiver, Signal } from './signal.js';

/** Monitors one process for somebody who is none: calls back when it exits, at once if it has. */
export class ExitObserver implements Receiver {
  readonly id: Port;
  registeredName: string | undefined = undefined;
  private readonly monitor: Monitor;

  constructor(
    private readonly runtime: Pick<Runtime, 'makePort' | 'makeReference' | 'dropPort'>,
    pid: Pid,
    private readonly onExit: (reason: Reason) => void,
  ) {
    this.id = runtime.makePort(this);
    this.monitor = new Monitor(runtime.makeReference(), this.id, 'process', pid, pid, 'DOWN');
    if (pid.receiver) pid.receiver.signal(this.monitor);
    else this.end('noproc');
  }

  message(): undefined {}

  signal(signal: Signal): void {
    if (signal.type === 'down') this.end(signal.reason);
  }

  /** It does not call back any more. */
  cancel(): void {
    this.runtime.dropPort(this.id);
    demonitor(this.monitor);
  }

  private end(reason: Reason): void {
    this.runtime.dropPort(this.id);
    this.onExit(reason);
  }
}
