/** Reads what the callbacks of a state machine answer, without doing any of it. */
import { isDeepStrictEqual } from 'node:util';
import { ErlangError } from '../actors/errors.js';
import type { Timeout } from '../actors/process.js';
import { isList, isTuple } from '../actors/term.js';
import type { TimerOption } from '../actors/time.js';
import { type From, isFrom, isTimeout } from './gen.js';
import { isTimeoutType, type TimeoutRequest } from './gen-statem-timeouts.js';
import type { AnyEvents, Event, ReplyAction } from './gen-statem-types.js';

export type AnyEvent = Event<unknown, AnyEvents>;

/** What a callback's answer says of the machine. */
export type Answer =
  | { readonly stop: false; state: unknown; data: unknown; actions: unknown; readonly isRepeated: boolean }
  | { readonly stop: true; readonly reason: unknown; readonly data: unknown; readonly replies: unknown };

/** Raises `['bad_return_from_state_function', result]`. */
export function readAnswer(result: unknown, state: unknown, data: unknown): Answer {
  const [kind, ...parts] = isTuple(result) ? result : [result];
  const isAlone = !isTuple(result);
  const count = parts.length;
  const going = (isRepeated: boolean, newState: unknown, newData: unknown, actions?: unknown): Answer => {
    return { stop: false, state: newState, data: newData, actions, isRepeated };
  };
  switch (kind) {
    case 'next_state':
      if (count === 2 || count === 3) return going(false, parts[0], parts[1], parts[2]);
      break;
    case 'keep_state':
    case 'repeat_state':
      if (count === 1 || count === 2) return going(kind === 'repeat_state', state, parts[0], parts[1]);
      break;
    case 'keep_state_and_data':
    case 'repeat_state_and_data':
      if (isAlone || count === 1) return going(kind === 'repeat_state_and_data', state, data, parts[0]);
      break;
    case 'stop':
      if (isAlone) return { stop: true, reason: 'normal', data, replies: undefined };
      if (count === 1 || count === 2)
        return { stop: true, reason: parts[0], data: count === 2 ? parts[1] : data, replies: undefined };
      break;
    case 'stop_and_reply':
      if (count === 2 || count === 3)
        return { stop: true, reason: parts[0], data: count === 3 ? parts[2] : data, replies: parts[1] };
  }
  throw new ErlangError(['bad_return_from_state_function', result]);
}

/** Also raises `['bad_state_enter_return_from_state_function', result]`, when it says to be in another state. */
export function readEnterAnswer(result: unknown, state: unknown, data: unknown): Answer {
  const answer = readAnswer(result, state, data);
  if (answer.stop || isSame(answer.state, state)) return answer;
  throw new ErlangError(['bad_state_enter_return_from_state_function', result]);
}

/** Whether two states are the same: as Erlang's `=:=`. */
export function isSame(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === 'object' && isDeepStrictEqual(a, b));
}

/** One action, several in a list or an array, or none (undefined). */
export function eachOf(actions: unknown): readonly unknown[] {
  if (actions === undefined) return [];
  const isSeveral = isList(actions) || (isTuple(actions) && !isOneAction(actions));
  return isSeveral ? actions : [actions];
}

/** An array is a tuple or, where no action can look like that, a list of actions. */
function isOneAction([first, second]: readonly unknown[]): boolean {
  if (first === 'postpone' || first === 'hibernate') return typeof second === 'boolean';
  if (typeof first === 'string') return first !== 'infinity';
  return isTuple(first) && isTimeoutType(first) && (isTimeout(second) || isTimeoutVerb(second));
}

function isTimeoutVerb(term: unknown): boolean {
  return term === 'cancel' || term === 'update';
}

/** What the actions of one event and of the state enter calls that follow it have asked for. */
export class Options {
  postpone = false;
  readonly nextEvents: AnyEvent[] = [];
  readonly timeouts: TimeoutRequest[] = [];

  /**
   * Takes one action in. A reply is to be sent at once, so that is what it answers. Raises
   * `['bad_action_from_state_function', action]`; a state enter call, which is no event, can neither be postponed nor
   * insert events.
   */
  add(action: unknown, isEnterCall: boolean): ReplyAction | undefined {
    if (isReplyAction(action)) return action;
    const [kind, value, third] = isTuple(action) ? action : [action, true];
    if (kind === 'hibernate' && isSwitch(action, value)) return undefined;
    if (kind === 'postpone' && isSwitch(action, value)) {
      // Which of the two errors it is, is OTP's own choice.
      if (isEnterCall && value) throw isTuple(action) ? badAction(action) : badEnterAction(action);
      this.postpone = value;
      return undefined;
    }
    if (kind === 'next_event' && isTuple(action) && action.length === 3) {
      const event = makeEvent(value, third);
      if (isEnterCall && event !== undefined) throw badEnterAction(action);
      if (event === undefined) throw badAction(action);
      this.nextEvents.push(event);
      return undefined;
    }
    const request = timeoutRequest(action);
    if (request === undefined) throw badAction(action);
    this.timeouts.push(request);
    return undefined;
  }
}

/** Of OTP's event type and content; undefined when the type is none. */
export function makeEvent(type: unknown, content: unknown): AnyEvent | undefined {
  if (type === 'cast' || type === 'info' || type === 'internal') return [type, content];
  if (type === 'timeout' || type === 'state_timeout') return [type, content];
  if (isTimeoutType(type)) return ['timeout', content, type[1]];
  const [kind, from] = isTuple(type) && type.length === 2 ? type : [];
  return kind === 'call' && isFrom(from) ? ['call', content, from] : undefined;
}

/** OTP's type of an event. */
export function typeOf([kind, , detail]: AnyEvent): unknown {
  return detail === undefined ? kind : [kind, detail];
}

export function isReplyAction(action: unknown): action is readonly ['reply', From, unknown] {
  return isTuple(action) && action.length === 3 && action[0] === 'reply' && isFrom(action[1]);
}

function isSwitch(action: unknown, value: unknown): value is boolean {
  return typeof value === 'boolean' && (!isTuple(action) || action.length === 2);
}

function timeoutRequest(action: unknown): TimeoutRequest | undefined {
  if (isTimeout(action)) return { type: 'timeout', do: 'start', time: action, content: action, options: [] };
  if (!isTuple(action)) return undefined;
  const [type, time, content, option] = action;
  if (!isTimeoutType(type)) return undefined;
  if (action.length === 2) return time === 'cancel' ? { type, do: 'cancel' } : undefined;
  if (action.length === 3 && time === 'update') return { type, do: 'update', content };
  const options = timerOptions(option);
  if (action.length < 3 || action.length > 4 || options === undefined) return undefined;
  const isAbsolute = options.some(([, value]) => value) && Number.isInteger(time);
  if (!isAbsolute && !isTimeout(time)) return undefined;
  return { type, do: 'start', time: time as Timeout, content, options };
}

function timerOptions(given: unknown): TimerOption[] | undefined {
  const options = [...eachOf(given)];
  const isOption = (option: unknown): option is TimerOption =>
    isTuple(option) && option.length === 2 && option[0] === 'abs' && typeof option[1] === 'boolean';
  return options.every(isOption) ? options : undefined;
}

function badAction(action: unknown): ErlangError {
  return new ErlangError(['bad_action_from_state_function', action]);
}

function badEnterAction(action: unknown): ErlangError {
  return new ErlangError(['bad_state_enter_action_from_state_function', action]);
}
