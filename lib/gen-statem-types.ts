/** What a state machine is told, and what it can answer. */
import type { AnyMessage } from '../actors/identifiers.js';
import type { Process, Timeout } from '../actors/process.js';
import type { TimerOption } from '../actors/time.js';
import type { Self } from '../ports/self.js';
import type { From } from './gen.js';
import type { Call } from './gen-server.js';

/**
 * The events of a machine, kind by kind, with what each of them carries. A kind that is not named does not come, except
 * `info`: everybody can send that.
 */
export interface Events {
  /** Requests with their replies, one pair each. */
  readonly call?: Call;
  readonly cast?: unknown;
  readonly info?: unknown;
  readonly internal?: unknown;
  readonly timeout?: unknown;
  readonly state_timeout?: unknown;
  /** What each named timeout carries. */
  readonly timeouts?: Readonly<Record<string, unknown>>;
}

/** The events of a machine that says nothing of them. */
export interface AnyEvents extends Required<Events> {}

type Content<E extends Events, Kind extends keyof Events> = E extends { readonly [K in Kind]: infer C }
  ? C
  : Kind extends 'info'
    ? unknown
    : never;

export type CallsOf<E extends Events> = Content<E, 'call'> & Call;
export type CastsOf<E extends Events> = Content<E, 'cast'>;
export type RepliesOf<E extends Events> = CallsOf<E>[1];
type NamedTimeouts<E extends Events> = Content<E, 'timeouts'>;
type TimeoutName<E extends Events> = [NamedTimeouts<E>] extends [never]
  ? never
  : keyof NamedTimeouts<E> & string;

/**
 * `[type, content, detail]`: OTP's event type and content. What OTP has inside of the type is the third, so that
 * TypeScript narrows the others: of `{call, From}` who called, of `{timeout, Name}` the name. `enter` is a state enter
 * call, with the state that was before.
 */
export type Event<S, E extends Events = AnyEvents> =
  | readonly ['enter', S, undefined?]
  | Told<'call', CallsOf<E>[0], From<RepliesOf<E>>>
  | Told<'cast', CastsOf<E>>
  | Told<'info', Content<E, 'info'>>
  | Told<'internal', Content<E, 'internal'>>
  | Told<'timeout', Content<E, 'timeout'>>
  | Told<'state_timeout', Content<E, 'state_timeout'>>
  | { [N in TimeoutName<E>]: readonly ['timeout', NamedTimeouts<E>[N], N] }[TimeoutName<E>];

type Told<Type, C, Detail = never> = [C] extends [never]
  ? never
  : [Detail] extends [never]
    ? readonly [Type, C, undefined?]
    : readonly [Type, C, Detail];

/** Starts one in so many milliseconds (`infinity`: cancels it), or changes what the running one carries. */
type TimeoutAction<Type, C> =
  | readonly [Type, Timeout, C, (TimerOption | readonly TimerOption[])?]
  | readonly [Type, 'update', C]
  | readonly [Type, 'cancel'];

export type ReplyAction<R = AnyMessage> = readonly ['reply', From<R>, R];

/** To the caller of the event, who takes any reply, or to one that was kept, who takes one of just its kind. */
type AnyReply<C extends Call> = ReplyAction<C[1]> | (C extends Call ? ReplyAction<C[1]> : never);

/** OTP's event types, for `next_event`. */
type NextEvent<E extends Events> =
  | readonly ['next_event', readonly ['call', From], CallsOf<E>[0]]
  | {
      [Type in 'cast' | 'info' | 'internal' | 'timeout' | 'state_timeout']: readonly [
        'next_event',
        Type,
        Content<E, Type>,
      ];
    }['cast' | 'info' | 'internal' | 'timeout' | 'state_timeout']
  | {
      [N in TimeoutName<E>]: readonly ['next_event', readonly ['timeout', N], NamedTimeouts<E>[N]];
    }[TimeoutName<E>];

export type Action<E extends Events = AnyEvents> =
  | 'postpone'
  | readonly ['postpone', boolean]
  | 'hibernate'
  | readonly ['hibernate', boolean]
  | NextEvent<E>
  | AnyReply<CallsOf<E>>
  | Timeout
  | TimeoutAction<'timeout', Content<E, 'timeout'>>
  | TimeoutAction<'state_timeout', Content<E, 'state_timeout'>>
  | { [N in TimeoutName<E>]: TimeoutAction<readonly ['timeout', N], NamedTimeouts<E>[N]> }[TimeoutName<E>];

/** One action, or several in an array. */
export type Actions<E extends Events = AnyEvents> = Action<E> | readonly Action<E>[];

type Replies<E extends Events> = AnyReply<CallsOf<E>> | readonly AnyReply<CallsOf<E>>[];

/** What a callback for an event can answer. */
export type Result<S, D, E extends Events = AnyEvents> =
  | readonly ['next_state', S, D, Actions<E>?]
  | readonly ['keep_state' | 'repeat_state', D, Actions<E>?]
  | 'keep_state_and_data'
  | 'repeat_state_and_data'
  | readonly ['keep_state_and_data' | 'repeat_state_and_data', Actions<E>]
  | 'stop'
  | readonly ['stop', reason: unknown, D?]
  | readonly ['stop_and_reply', reason: unknown, Replies<E>, D?];

export type InitResult<S, D, E extends Events = AnyEvents> =
  | readonly ['ok', S, D, Actions<E>?]
  | readonly ['stop', unknown]
  | 'ignore';

type Awaitable<T> = T | Promise<T>;

declare const protocol: unique symbol;

/** What machines of both kinds have. Callbacks may be asynchronous; the next event waits until they are through. */
export interface Machine<E extends Events, A, P extends Process> {
  init(args: A, self: P): unknown;
  /** Whether there are state enter calls: an event `enter` at the start, on each change and repetition of the state. */
  readonly state_enter?: boolean;
  readonly [protocol]?: E;
}

interface Callbacks<S, D, E extends Events, A, P extends Process> extends Machine<E, A, P> {
  init(args: A, self: P): Awaitable<InitResult<S, D, E>>;
  /** Called before the machine exits by itself: it stopped, crashed, or traps exits and its parent exited. */
  terminate?(reason: unknown, state: S, data: D, self: P): unknown;
  /** What `sys.get_status` shows instead of state and data. */
  format_status?(status: ReadonlyMap<'state' | 'data', unknown>): Awaitable<ReadonlyMap<string, unknown>>;
}

/** A machine with a callback for each state, by its name (OTP's callback mode `state_functions`). */
export interface StateFunctions<
  S extends string,
  D,
  E extends Events = AnyEvents,
  A = unknown,
  P extends Process = Self,
> extends Callbacks<S, D, E, A, P> {
  readonly states: {
    readonly [N in S]: (event: Event<S, E>, data: D, self: P) => Awaitable<Result<S, D, E>>;
  };
}

/** A machine with one callback for all states, which can be any terms (callback mode `handle_event_function`). */
export interface HandleEventFunction<
  S,
  D,
  E extends Events = AnyEvents,
  A = unknown,
  P extends Process = Self,
> extends Callbacks<S, D, E, A, P> {
  handle_event(event: Event<S, E>, state: S, data: D, self: P): Awaitable<Result<S, D, E>>;
}
