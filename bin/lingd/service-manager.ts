import { sendDatagram } from '../../native/index.js';

/** Tells the service manager that has started lingd, if one has asked for it, how it is: sd_notify(3). */
export class ServiceManager {
  readonly #address: string | undefined;
  #status: string | undefined;

  constructor(env: NodeJS.ProcessEnv) {
    this.#address = env.NOTIFY_SOCKET;
    // Of another program it would be a lie.
    delete env.NOTIFY_SOCKET;
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
    if (!this.#address || this.#status !== undefined) return;
    this.#status = '';
    setImmediate(() => {
      this.#status = undefined;
      this.tell(`STATUS=${line()}`);
    });
  }
}
