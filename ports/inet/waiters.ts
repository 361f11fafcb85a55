import { Alarm } from '../../actors/alarm.js';
import type { Pid, Reference } from '../../actors/identifiers.js';
import type { DriverPort } from '../driver.js';
import type { Answer } from './operations.js';

/** A caller that has been promised an answer. */
export interface Waiter {
  readonly pid: Pid;
  readonly argument: unknown;
  /** Once; later answers are dropped. */
  answer(answer: Answer): void;
}

/** Those who wait for one port, each until it is answered, its time is up, or the port is closed. */
export class Waiters {
  readonly #waiting = new Set<Waiter>();

  constructor(private readonly port: DriverPort) {}

  /** The caller of the running port_call waits. `onTimeout` runs before it is answered `{error, timeout}`. */
  add(request: unknown, onTimeout: () => void = () => {}): Waiter {
    const [ref, argument, timeout] = request as [Reference, unknown, number | 'infinity'];
    const pid = this.port.caller() as Pid;
    let alarm: Alarm<Waiter> | undefined;
    const waiter: Waiter = {
      pid,
      argument,
      answer: (answer) => {
        alarm?.cancel();
        if (this.#waiting.delete(waiter)) this.port.send_term(pid, ['inet_async', this.port.id, ref, answer]);
      },
    };
    this.#waiting.add(waiter);
    if (timeout !== 'infinity') {
      const ring = (late: Waiter): void => {
        onTimeout();
        late.answer(['error', 'timeout']);
      };
      alarm = new Alarm(timeout, ring, waiter);
    }
    return waiter;
  }

  answerAll(answer: Answer): void {
    for (const waiter of [...this.#waiting]) waiter.answer(answer);
  }
}
