import type { Reference } from '../actors/identifiers.js';
import type { Process, Timeout } from '../actors/process.js';
import { isTuple, type List, toList } from '../actors/term.js';
import type { TimerOption } from '../actors/time.js';

/** OTP's types of timeouts: `timeout` until the next event, `state_timeout` in this state, or one with a name. */
export type TimeoutType = 'timeout' | 'state_timeout' | readonly ['timeout', string];

/** What an action wants of a timeout. */
export type TimeoutRequest =
  | { readonly type: TimeoutType; readonly do: 'cancel' }
  | { readonly type: TimeoutType; readonly do: 'update'; readonly content: unknown }
  | {
      readonly type: TimeoutType;
      readonly do: 'start';
      readonly time: Timeout;
      readonly content: unknown;
      readonly options: readonly TimerOption[];
    };

interface Running {
  readonly type: TimeoutType;
  content: unknown;
  /** Absent of a timeout of zero: it is due when no event is left that is queued already. */
  readonly timer: Reference | undefined;
}

/** The timeouts of a state machine: at most one of each type. */
export class Timeouts {
  private readonly running = new Map<string, Running>();
  /** Those of time zero, in the order in which they are due. */
  private readonly due = new Set<Running>();
  /** Timers that were cancelled too late: their messages are in the mailbox. */
  private readonly stale = new Set<Reference>();

  constructor(private readonly self: Process) {}

  get size(): number {
    return this.running.size;
  }

  /** Types and contents, as get_status shows them. */
  toList(): List<[TimeoutType, unknown]> {
    return toList(Array.from(this.running.values(), ({ type, content }) => [type, content]));
  }

  /** Of several requests for the same type only the last counts. */
  change(requests: readonly TimeoutRequest[]): void {
    if (requests.length === 1) return this.changeOne(requests[0]!);
    const last = new Map<string, TimeoutRequest>();
    for (const request of requests) {
      const key = keyOf(request.type);
      last.delete(key);
      last.set(key, request);
    }
    for (const request of last.values()) this.changeOne(request);
  }

  cancel(type: TimeoutType): void {
    const found = this.running.get(keyOf(type));
    if (found === undefined) return;
    this.end(found);
    if (found.timer !== undefined && this.self.cancel_timer(found.timer) === false)
      this.stale.add(found.timer);
  }

  /** The first timeout of zero; it runs no more. */
  takeDue(): Running | undefined {
    if (this.due.size === 0) return undefined;
    const [first] = this.due;
    this.end(first!);
    return first;
  }

  /**
   * The timeout whose timer has sent this message; it runs no more. `stale` when it was cancelled meanwhile, undefined
   * when the message is none of a timer here.
   */
  take(message: unknown): Running | 'stale' | undefined {
    if (!isTuple(message) || message.length !== 3 || message[0] !== 'timeout') return undefined;
    const [, ref, type] = message as [string, Reference, TimeoutType];
    if (this.stale.delete(ref)) return 'stale';
    if (!isTimeoutType(type)) return undefined;
    const found = this.running.get(keyOf(type));
    if (found === undefined || found.timer !== ref) return undefined;
    this.end(found);
    return found;
  }

  private changeOne(request: TimeoutRequest): void {
    const { type } = request;
    if (request.do === 'update') {
      const found = this.running.get(keyOf(type));
      if (found === undefined) this.start(type, request.content, undefined);
      else found.content = request.content;
      return;
    }
    this.cancel(type);
    if (request.do === 'cancel' || request.time === 'infinity') return;
    const { time, content, options } = request;
    // As in OTP also where the time is an absolute one.
    const timer = time === 0 ? undefined : this.self.start_timer(time, this.self.pid, type, options);
    this.start(type, content, timer);
  }

  private start(type: TimeoutType, content: unknown, timer: Reference | undefined): void {
    const timeout: Running = { type, content, timer };
    this.running.set(keyOf(type), timeout);
    if (timer === undefined) this.due.add(timeout);
  }

  private end(timeout: Running): void {
    this.running.delete(keyOf(timeout.type));
    this.due.delete(timeout);
  }
}

export function isTimeoutType(term: unknown): term is TimeoutType {
  if (term === 'timeout' || term === 'state_timeout') return true;
  return isTuple(term) && term.length === 2 && term[0] === 'timeout' && typeof term[1] === 'string';
}

function keyOf(type: TimeoutType): string {
  return typeof type === 'string' ? type : `timeout ${type[1]}`;
}
