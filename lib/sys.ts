/**
 * sys, as in OTP: looks into running behaviours (gen_server, gen_statem, supervisor), and changes them. Meant for
 * people who search for an error, not for programs.
 *
 * Every function takes milliseconds (default 5000), and exits its caller with `[reason, ['sys', name, args]]` as
 * gen_server's call does. What the behaviour has taken before comes first; what it does is not interrupted.
 */
import { badarg, ErlangError } from '../actors/errors.js';
import { formatShort } from '../actors/format.js';
import type { Process, Timeout } from '../actors/process.js';
import { isTuple, type List, list } from '../actors/term.js';
import { call, type ServerRef } from './gen.js';
import type { DebugEvent } from './sys-debug.js';
import type { Status } from './system-messages.js';

export type { DebugEvent } from './sys-debug.js';
export type { Status } from './system-messages.js';

/** The state of a behaviour; what that is, is the behaviour's. */
export function get_state(self: Process, server: ServerRef, timeout?: Timeout): Promise<unknown> {
  return changeState(self, server, 'get_state', 'get_state', [], timeout);
}

/**
 * Replaces the state by what `change` makes of it, in the process of the behaviour, and answers that. What `change`
 * throws is an error `['callback_failed', ...]` here, and the state stays.
 */
export async function replace_state(
  self: Process,
  server: ServerRef,
  change: (state: never) => unknown,
  timeout?: Timeout,
): Promise<unknown> {
  if (typeof change !== 'function')
    throw badarg(`what changes a state is a function, not ${formatShort(change)}`);
  return changeState(self, server, 'replace_state', ['replace_state', change], [change], timeout);
}

/**
 * `['status', pid, ['module', name], list(dictionary, 'running' or 'suspended', parent, debug, details)]`. The details
 * have the state as the behaviour's callback `format_status` shows it.
 */
export async function get_status(self: Process, server: ServerRef, timeout?: Timeout): Promise<Status> {
  return (await ask(self, server, 'get_status', 'get_status', [], timeout)) as Status;
}

/** From now on it takes system messages only, until it is resumed; others wait in its mailbox. */
export async function suspend(self: Process, server: ServerRef, timeout?: Timeout): Promise<'ok'> {
  return (await ask(self, server, 'suspend', 'suspend', [], timeout)) as 'ok';
}

export async function resume(self: Process, server: ServerRef, timeout?: Timeout): Promise<'ok'> {
  return (await ask(self, server, 'resume', 'resume', [], timeout)) as 'ok';
}

/** Has it end in an orderly way; it has not yet when this resolves. */
export async function terminate(
  self: Process,
  server: ServerRef,
  reason: unknown,
  timeout?: Timeout,
): Promise<'ok'> {
  return (await ask(self, server, 'terminate', ['terminate', reason], [reason], timeout)) as 'ok';
}

/** Prints every event of it on standard output. */
export async function trace(
  self: Process,
  server: ServerRef,
  isOn: boolean,
  timeout?: Timeout,
): Promise<'ok'> {
  return (await debug(self, server, 'trace', isOn, timeout)) as 'ok';
}

/** Keeps its last events (10 or so many), answers them, oldest first, or prints them. */
export function log(
  self: Process,
  server: ServerRef,
  how: boolean | [true, number] | 'print',
  timeout?: Timeout,
): Promise<'ok'>;
export function log(
  self: Process,
  server: ServerRef,
  how: 'get',
  timeout?: Timeout,
): Promise<['ok', List<DebugEvent>]>;
export function log(self: Process, server: ServerRef, how: unknown, timeout?: Timeout): Promise<unknown> {
  return debug(self, server, 'log', how, timeout);
}

export type Statistics = List<['start_time' | 'current_time' | 'messages_in' | 'messages_out', unknown]>;

/** Counts its messages, or answers how many there were since. */
export function statistics(self: Process, server: ServerRef, how: boolean, timeout?: Timeout): Promise<'ok'>;
export function statistics(
  self: Process,
  server: ServerRef,
  how: 'get',
  timeout?: Timeout,
): Promise<['ok', Statistics | 'no_statistics']>;
export function statistics(
  self: Process,
  server: ServerRef,
  how: unknown,
  timeout?: Timeout,
): Promise<unknown> {
  return debug(self, server, 'statistics', how, timeout);
}

function ask(
  self: Process,
  server: ServerRef,
  name: string,
  request: unknown,
  args: readonly unknown[],
  timeout: Timeout | undefined,
): Promise<unknown> {
  const all = timeout === undefined ? list(server, ...args) : list(server, ...args, timeout);
  return call(self, server, 'system', request, timeout, () => ['sys', name, all]);
}

function debug(
  self: Process,
  server: ServerRef,
  what: string,
  how: unknown,
  timeout: Timeout | undefined,
): Promise<unknown> {
  return ask(self, server, what, ['debug', [what, how]], [how], timeout);
}

async function changeState(...asked: Parameters<typeof ask>): Promise<unknown> {
  const answer = await ask(...asked);
  if (isTuple(answer) && answer.length === 2 && answer[0] === 'ok') return answer[1];
  throw new ErlangError(isTuple(answer) && answer[0] === 'error' ? answer[1] : answer);
}
