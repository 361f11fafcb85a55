import { Bonded, checkReference } from './bonded.js';
import { badarg } from './errors.js';
import { formatShort } from './format.js';
import { Pid, type Reference } from './identifiers.js';
import { checkMessage, type TimeoutContent } from './messages.js';
import {
  type CancelOption,
  monotonicTime,
  parseTime,
  parseTimerFlags,
  type ReadOption,
  systemTime,
  type TimerOption,
  type TimeUnit,
  timeOffset,
} from './time.js';

/** The part of `self` that has to do with time: see {@link Process}. */
export abstract class Timed extends Bonded {
  /**
   * Sends the message in `time` milliseconds, never within this call. A name is looked up then, and nobody there
   * loses it silently. The end of this process does not cancel it; the end of the process with that pid does.
   */
  send_after<D>(
    time: number,
    destination: Pid<D> | string,
    message: NoInfer<D>,
    options: readonly TimerOption[] = [],
  ): Reference {
    checkMessage(message);
    return this.startTimer(time, destination, options, () => message);
  }

  /** As send_after; the message is `['timeout', ref, message]`. */
  start_timer<D extends Pid | string>(
    time: number,
    destination: D,
    message: TimeoutContent<D>,
    options: readonly TimerOption[] = [],
  ): Reference {
    return this.startTimer(time, destination, options, (ref) => ['timeout', ref, message]);
  }

  /** Milliseconds that were left, or false when it has run out, or was cancelled, or never was. */
  cancel_timer(ref: Reference): number | false;
  cancel_timer(ref: Reference, options: readonly CancelOption[]): number | false | 'ok';
  cancel_timer(ref: Reference, options: readonly CancelOption[] = []): number | false | 'ok' {
    this.ensureAlive();
    checkReference(ref);
    const { async, info } = parseTimerFlags(options, { async: false, info: true });
    const left = this.runtime.timers.cancel(ref);
    if (async && info) this.message(['cancel_timer', ref, left]);
    return async || !info ? 'ok' : left;
  }

  /** Milliseconds that are left, or false as for cancel_timer. With `async` the answer is a message. */
  read_timer(ref: Reference): number | false;
  read_timer(ref: Reference, options: readonly ReadOption[]): number | false | 'ok';
  read_timer(ref: Reference, options: readonly ReadOption[] = []): number | false | 'ok' {
    this.ensureAlive();
    checkReference(ref);
    const { async } = parseTimerFlags(options, { async: false });
    const left = this.runtime.timers.read(ref);
    if (async) this.message(['read_timer', ref, left]);
    return async ? 'ok' : left;
  }

  /** Nanoseconds, or the given unit, since some fixed point in the past. A number is a unit of so many in a second. */
  monotonic_time(unit?: TimeUnit): bigint {
    this.ensureAlive();
    return monotonicTime(unit);
  }

  /** Nanoseconds, or the given unit, since 1970. */
  system_time(unit?: TimeUnit): bigint {
    this.ensureAlive();
    return systemTime(unit);
  }

  /** What monotonic_time has to be added to give system_time. */
  time_offset(unit?: TimeUnit): bigint {
    this.ensureAlive();
    return timeOffset(unit);
  }

  private startTimer(
    time: unknown,
    destination: unknown,
    options: unknown,
    toMessage: (ref: Reference) => unknown,
  ): Reference {
    this.ensureAlive();
    const ms = parseTime(time, options);
    if (!(destination instanceof Pid) && typeof destination !== 'string') {
      throw badarg(`${formatShort(destination)} is no pid and no name`);
    }
    if (destination instanceof Pid) this.checkLocal(destination);
    const ref = this.runtime.makeReference(this.mailbox);
    this.runtime.timers.start(ms, destination, ref, toMessage(ref));
    return ref;
  }
}
