import { sendDatagram } from '../../native/index.js';

/** Tells the service manager that has started lingd, if one has asked for it, how it is: sd_notify(3). */
export class ServiceManager {
  readonly #address: string | undefined;
  #statusIsDue = false;

  constructor(env: NodeJS.ProcessEnv) {
    this.#address = env.NOTIFY_SOCKET;
    // Of another program it would be a lie.
    delete env.NOTIFY_SOCKET;
    const { WATCHDOG_USEC, WATCHDOG_PID = String(process.pid) } = env;
    if (WATCHDOG_USEC && WATCHDOG_PID === String(process.pid)) this.#bark(Number(WATCHDOG_USEC) / 1000);
  }

  /** `READY=1` and the like. */
  tell(...lines: readonly string[]): void {
    if (!this.#address) return;
    try {
      sendDatagram(this.#address, Buffer.from(lines.join('\n')));
    } catch {
      // It has gone, or does not listen: nothing that lingd does depends on it.
    }
  }

  /** One line for who asks how it is; said once all that happens in this turn has happened. */
  status(line: () => string): void {
    if (!this.#address || this.#statusIsDue) return;
    this.#statusIsDue = true;
    setImmediate(() => {
      this.#statusIsDue = false;
      this.tell(`STATUS=${line()}`);
    });
  }

  /** Says that lingd still goes on, twice in so many milliseconds, in which it would be ended otherwise. */
  #bark(milliseconds: number): void {
    if (milliseconds > 0) setInterval(() => this.tell('WATCHDOG=1'), milliseconds / 2).unref();
  }
}
