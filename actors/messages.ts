/** The messages that the runtime itself sends, and guards of receive for them. Those of ports are their drivers'. */
import type { NameOnNode } from './destination.js';
import { badarg } from './errors.js';
import type { Pid, Port, Reference } from './identifiers.js';
import type { Reason, Sender } from './signal.js';
import { isTuple } from './term.js';

/** An exit signal, for a process that traps exits. */
export type ExitMessage = ['EXIT', from: Sender, reason: Reason];

/** What was monitored has ended. A monitor with a tag of its own has that in place of `'DOWN'`. */
export type DownMessage = [
  'DOWN',
  ref: Reference,
  kind: 'process' | 'port',
  object: Pid | Port | NameOnNode,
  reason: Reason,
];

/** What start_timer sends. */
export type TimeoutMessage<T = unknown> = ['timeout', ref: Reference, message: T];

/** What start_timer can send to `D`: anything where nothing is known of what that receives. */
export type TimeoutContent<D> = D extends Pid<infer M> ? ContentOf<M> : unknown;
type ContentOf<M> = unknown extends M ? unknown : M extends TimeoutMessage<infer T> ? T : never;

/** A guard: exit signals, those from one process or port, or from any. */
export function isExit(from?: Sender): (message: unknown) => message is ExitMessage {
  return (message): message is ExitMessage => isSignal(message, 'EXIT', 3, from);
}

/** A guard: the end of what was monitored, of one monitor or of any. */
export function isDown(ref?: Reference): (message: unknown) => message is DownMessage {
  return (message): message is DownMessage => isSignal(message, 'DOWN', 5, ref);
}

/** A guard: what start_timer sends, of one timer or of any. */
export function isTimeout(ref?: Reference): (message: unknown) => message is TimeoutMessage {
  return (message): message is TimeoutMessage => isSignal(message, 'timeout', 3, ref);
}

/**
 * A guard: tuples that begin with `tag`, such as a text or a reference. `(message) => message[0] === 'pong'` does the
 * same, but where some messages are no tuples the compiler does not see what it leaves.
 */
export function isTagged<const T>(tag: T): (message: unknown) => message is readonly [T, ...unknown[]] {
  return (message): message is readonly [T, ...unknown[]] => isTuple(message) && message[0] === tag;
}

/** Raises badarg for what is sent by mistake, and would keep its receiver from ever going on: JavaScript awaits promises. */
export function checkMessage(message: unknown): void {
  if (isTuple(message)) return;
  if (
    message === undefined ||
    message === null ||
    typeof (message as PromiseLike<unknown>).then === 'function'
  )
    throw badarg('a message cannot be undefined, null or a promise');
}

function isSignal(message: unknown, tag: string, length: number, id: unknown): boolean {
  return (
    isTuple(message) &&
    message.length === length &&
    message[0] === tag &&
    (id === undefined || message[1] === id)
  );
}
