/**
 * proc_lib, as in OTP: starts of processes that say when they are ready, which those who start them wait for.
 * Messages on the way are OTP's own, `['ack', pid, result]` and `['nack', pid, result]`.
 *
 * ```ts
 * const result = await proc_lib.start_link(self, async (child) => {
 *   await prepare(child);
 *   proc_lib.init_ack(child, ['ok', child.pid]);
 *   for (;;) await work(child);
 * });
 * ```
 */
import { isDeepStrictEqual } from 'node:util';
import { parseTimeout } from '../actors/actor.js';
import { Crash } from '../actors/crash.js';
import type { NameOnNode } from '../actors/destination.js';
import { badarg, ErlangExit } from '../actors/errors.js';
import type { AnyMessage, Pid, Reference } from '../actors/identifiers.js';
import { type DownMessage, isDown } from '../actors/messages.js';
import { checkOptions, parseOptions } from '../actors/options.js';
import { checkBody, type Process, type Timeout } from '../actors/process.js';
import type { SpawnAnswer, SpawnOption } from '../actors/process-options.js';
import { isTuple, list } from '../actors/term.js';
import type { Self } from '../ports/self.js';
import { checkSelf } from './check-self.js';
import { isOrderly } from './exit-reason.js';
import { monitorServer, type ServerRef, whereIs } from './gen-name.js';

export interface StartOptions {
  /** How long it may take until {@link init_ack}; default for ever. */
  readonly timeout?: Timeout;
  /** What else it is spawned with. `monitor` is badarg. */
  readonly spawn_opt?: readonly SpawnOption[];
}

export const START_OPTIONS: readonly (keyof StartOptions)[] = ['timeout', 'spawn_opt'];

/** As `self.spawn`; an exit/1 of the process that is no orderly one is reported as a crash. */
export function spawn<M = AnyMessage, A extends unknown[] = []>(
  self: Self,
  body: (self: Self<M>, ...args: A) => unknown,
  ...args: A
): Pid<M> {
  const program = programOf<Self<M>, A>(self, body, args);
  return self.spawn(program);
}

/** As {@link spawn}, and linked. */
export function spawn_link<M = AnyMessage, A extends unknown[] = []>(
  self: Self,
  body: (self: Self<M>, ...args: A) => unknown,
  ...args: A
): Pid<M> {
  const program = programOf<Self<M>, A>(self, body, args);
  return self.spawn_link(program);
}

/** As {@link spawn}, with options; with `monitor` answers the pid and the monitor's reference. */
export function spawn_opt<M = AnyMessage, const O extends readonly SpawnOption[] = readonly SpawnOption[]>(
  self: Self,
  body: (self: Self<M>) => unknown,
  options: O,
): SpawnAnswer<M, O> {
  const program = programOf<Self<M>, []>(self, body, []);
  return self.spawn_opt(program, options);
}

/** What a start answers besides what the process gave to {@link init_ack} or {@link init_fail}. */
export type StartError = ['error', unknown];

/**
 * Starts a process and resolves with what it gives to {@link init_ack}; `['error', reason]` when it exits before, or
 * `['error', 'timeout']`. Where the start has failed the process is gone when this resolves.
 */
export async function start<P extends Process, R>(
  self: P,
  body: (self: P) => unknown,
  options: StartOptions = {},
): Promise<R | StartError> {
  const [result, ref] = await startMonitored<P, R>(self, body, options, []);
  if (ref !== undefined) self.demonitor(ref, ['flush']);
  return result;
}

/**
 * As {@link start}, and linked: a failure ends a caller that does not trap exits; one that does finds only the answer,
 * no `'EXIT'` message (OTP 26; before there was one). A timeout is no reason to end.
 */
export async function start_link<P extends Process, R>(
  self: P,
  body: (self: P) => unknown,
  options: StartOptions = {},
): Promise<R | StartError> {
  const [result, ref] = await startMonitored<P, R>(self, body, options, ['link']);
  if (ref !== undefined) self.demonitor(ref, ['flush']);
  return result;
}

/** As {@link start}, and monitored: answers also the reference of the monitor, where the start has not failed. */
export function start_monitor<P extends Process, R>(
  self: P,
  body: (self: P) => unknown,
  options: StartOptions = {},
): Promise<[R | StartError, Reference | undefined]> {
  return startMonitored(self, body, options, []);
}

/** Called by a process when it is ready: `result` is what its start answers. */
export function init_ack(self: Process, result: unknown): 'ok' {
  return tellStarter(self, 'ack', result);
}

/** Called by a process that is not going to be ready, just before it ends: the start answers `result` after its end. */
export function init_fail(self: Process, result: unknown): 'ok' {
  return tellStarter(self, 'nack', result);
}

/**
 * Has a process that takes system messages (every behaviour does) end with `reason`; resolves when it has ended. Exits
 * the caller with `noproc`, `['nodedown', node]`, `timeout`, or the reason of that end when it is another.
 */
export async function stop(
  self: Process,
  server: ServerRef,
  reason: unknown = 'normal',
  timeout: Timeout = 'infinity',
): Promise<'ok'> {
  checkSelf(self);
  parseTimeout(timeout);
  const found = whereIs(self, server);
  if (found === 'undefined') return self.exit('noproc');
  if (found === self.pid) {
    return self.exit(['calling_self', ['sys', 'terminate', list<unknown>(server, reason, 'infinity')]]);
  }
  const ref = monitorServer(self, found as Pid | NameOnNode);
  // The answer of the server is of no interest: it goes to an alias that is none.
  const tag = list<unknown>('alias');
  tag.tail = ref;
  self.send(found, ['system', [self.pid, tag], ['terminate', reason]]);
  const down = await self.receive(isDown(ref), { after: timeout });
  if (down === undefined) {
    self.demonitor(ref, ['flush']);
    return self.exit('timeout');
  }
  const end = down[4];
  if (isDeepStrictEqual(end, reason)) return 'ok';
  return self.exit(end === 'noconnection' && isTuple(found) ? ['nodedown', found[1]] : end);
}

function tellStarter(self: Process, kind: 'ack' | 'nack', result: unknown): 'ok' {
  checkSelf(self);
  if (self.parent !== undefined) self.send(self.parent, [kind, self.pid, result]);
  return 'ok';
}

type Answer<R> = ['ack' | 'nack', Pid, R];

async function startMonitored<P extends Process, R>(
  self: P,
  body: (self: P) => unknown,
  given: StartOptions,
  link: readonly 'link'[],
): Promise<[R | StartError, Reference | undefined]> {
  checkSelf(self);
  checkOptions(given, 'a start', START_OPTIONS);
  const { timeout = 'infinity', spawn_opt: options = [] } = given;
  // Before there is a process that somebody would have to end.
  parseTimeout(timeout);
  if (
    parseOptions(options).some(
      (option) => option === 'monitor' || (isTuple(option) && option[0] === 'monitor'),
    )
  )
    throw badarg('monitor is no option of a start');
  const program = programOf(self, body as (child: Process) => unknown, []);
  const [pid, ref] = self.spawn_opt(program, [...link, ...options, 'monitor']) as [Pid, Reference];
  const isAnswer = (message: unknown): message is Answer<R> =>
    isTuple(message) && message[1] === pid && (message[0] === 'ack' || message[0] === 'nack');
  const isEnd = isDown(ref);
  const isEither = (message: unknown): message is Answer<R> | DownMessage =>
    isAnswer(message) || isEnd(message);

  const first = await self.receive(isEither, { after: timeout });
  if (first?.[0] === 'ack') return [first[2] as R, ref];
  // It has failed: when this returns it is gone, and has left nothing in the mailbox.
  if (first === undefined) {
    self.unlink(pid);
    self.exit(pid, 'kill');
  }
  let last = first;
  while (last === undefined || !isEnd(last)) last = await self.receive(isEither);
  await self.receive((message) => isTuple(message) && message[0] === 'EXIT' && message[1] === pid, {
    after: 0,
  });
  if (first === undefined) return [['error', 'timeout'], undefined];
  return [isAnswer(first) ? first[2] : ['error', first[4]], undefined];
}

/** What a process of proc_lib runs that `self` starts: it knows by whom, and by whom that was started, and so on. */
function programOf<P extends Process, A extends unknown[]>(
  self: Process,
  body: (self: P, ...args: A) => unknown,
  args: A,
): (child: P) => Promise<void> {
  checkSelf(self);
  checkBody(body);
  const ancestors = (self.dictionary?.get('$ancestors') ?? []) as readonly unknown[];
  const known = list(self.registeredName ?? self.pid, ...ancestors);
  return (child) => {
    const call = ['proc_lib', body.name || 'fun', args.length + 1];
    child.dictionary = new Map<unknown, unknown>().set('$ancestors', known).set('$initial_call', call);
    return runReported(child, body, args);
  };
}

/** Unlike of others, an exit/1 of such a process is reported, unless it is an orderly one. */
async function runReported<P extends Process, A extends unknown[]>(
  child: P,
  body: (self: P, ...args: A) => unknown,
  args: A,
): Promise<void> {
  try {
    await body(child, ...args);
  } catch (thrown) {
    if (thrown instanceof ErlangExit && child.isAlive && !isOrderly(thrown.reason)) {
      const { pid, registeredName: name } = child;
      child.runtime.report(new Crash(pid, name, thrown.reason, thrown));
    }
    throw thrown;
  }
}
