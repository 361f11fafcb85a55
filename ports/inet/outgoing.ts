import type net from 'node:net';
import type { Pid } from '../../actors/identifiers.js';
import type { DriverPort } from '../driver.js';
import { type Answer, error } from './operations.js';
import type { SocketOptions } from './options.js';

/**
 * What has been sent and the system has not taken yet: the port's queue. As inet has it, a send that finds the queue
 * empty is answered at once, however much it adds; one that makes it reach high_watermark waits until it is down to
 * low_watermark, and makes the port busy, so that further senders are suspended. So there is at most one who waits.
 */
export class Outgoing {
  #isBusy = false;
  #waiting: Pid | undefined;

  constructor(
    private readonly port: DriverPort,
    private readonly options: SocketOptions,
  ) {}

  get isEmpty(): boolean {
    return this.port.sizeq() === 0;
  }

  write(socket: net.Socket, bytes: Buffer): void {
    // What the system takes at once never is in the queue.
    let isQueued = false;
    socket.write(bytes, (failure) => {
      if (!isQueued || failure || this.port.sizeq() < bytes.length) return;
      const low = this.options.get('low_watermark') as number;
      if (this.port.deq(bytes.length) <= low) this.release('ok');
    });
    if (socket.writableLength === 0) return;
    isQueued = true;
    this.port.enq(bytes);
  }

  /** Whether who has added to a queue that had been so long has to wait. */
  isFull(before: number): boolean {
    return before > 0 && this.port.sizeq() >= (this.options.get('high_watermark') as number);
  }

  hold(sender: Pid | undefined): void {
    this.#isBusy = true;
    this.#waiting = sender;
    this.port.set_busy(true);
    const timeout = this.options.get('send_timeout') as number | 'infinity';
    if (timeout !== 'infinity') this.port.set_timer(timeout);
  }

  /** Who waits is answered, if there is somebody; then others may go on. */
  release(answer: Answer): boolean {
    if (!this.#isBusy) return false;
    const waiting = this.#waiting;
    this.#isBusy = false;
    this.#waiting = undefined;
    this.port.cancel_timer();
    this.port.set_busy(false);
    this.reply(waiting, answer);
    return true;
  }

  reply(sender: Pid | undefined, answer: Answer): void {
    if (sender) this.port.send_term(sender, ['inet_reply', this.port.id, answer]);
  }

  /** What is queued is lost. */
  clear(): void {
    this.port.deq(this.port.sizeq());
    this.release(error('closed'));
  }
}
