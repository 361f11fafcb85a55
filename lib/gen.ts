/** What all of OTP's behaviours share: how they start, are asked, answer and end. */
import { MAX_TIMEOUT } from '../actors/actor.js';
import { noteContext } from '../actors/crash.js';
import { isNameOnNode, type NameOnNode } from '../actors/destination.js';
import { badarg, ErlangError, ErlangExit, ErlangThrow, exitReason, isError } from '../actors/errors.js';
import { formatReason, formatShort } from '../actors/format.js';
import { type AnyMessage, Pid, Reference } from '../actors/identifiers.js';
import { checkOptions, parseOptions } from '../actors/options.js';
import type { Process, Timeout } from '../actors/process.js';
import { isList, isTuple, List } from '../actors/term.js';
import { checkSelf } from './check-self.js';
import {
  monitorServer,
  nameHolder,
  readableName,
  registerName,
  type ServerName,
  type ServerRef,
  unregisterName,
  whereIs,
} from './gen-name.js';
import * as proc_lib from './proc-lib.js';
import type { DebugOption } from './sys-debug.js';

export { type Registry, type ServerName, type ServerRef, sendTo, type Via } from './gen-name.js';
export { type StartError, stop } from './proc-lib.js';

export interface StartOptions extends proc_lib.StartOptions {
  /** The server has this name before it initializes itself. */
  readonly name?: ServerName;
  /** What `sys` shows of it from the beginning. */
  readonly debug?: readonly DebugOption[];
}

/** What the loop of a behaviour knows of its start. */
export interface Birth {
  readonly name: ServerName | undefined;
  /** Whom it is linked to from its start on: it ends when that one does. */
  readonly parent: Pid | undefined;
  readonly debug: readonly DebugOption[];
}

/** The start of a behaviour: `run` registers nothing and acknowledges by {@link initAck} and {@link initFail}. */
type Run<P extends Process> = (self: P, birth: Birth) => unknown;

/** `['already_started', pid]` where the name is taken; otherwise as {@link proc_lib.start}. */
export async function start<P extends Process, R>(
  self: P,
  run: Run<P>,
  options: StartOptions = {},
): Promise<R | proc_lib.StartError> {
  return (
    alreadyStarted(self, options) ??
    proc_lib.start<P, R>(self, starting(run, options, undefined), others(options))
  );
}

/** As {@link start}, and linked: the caller is the parent of the behaviour. */
export async function start_link<P extends Process, R>(
  self: P,
  run: Run<P>,
  options: StartOptions = {},
): Promise<R | proc_lib.StartError> {
  return (
    alreadyStarted(self, options) ??
    proc_lib.start_link<P, R>(self, starting(run, options, self.pid), others(options))
  );
}

/** As {@link start}, and monitored: with the reference of the monitor, where the start has not failed. */
export async function start_monitor<P extends Process, R>(
  self: P,
  run: Run<P>,
  options: StartOptions = {},
): Promise<[R | proc_lib.StartError, Reference | undefined]> {
  const taken = alreadyStarted(self, options);
  if (taken !== undefined) return [taken, undefined];
  return proc_lib.start_monitor<P, R>(self, starting(run, options, undefined), others(options));
}

/** The behaviour is ready: its start answers `['ok', pid]`. */
export function initAck(self: Process): void {
  proc_lib.init_ack(self, ['ok', self.pid]);
}

/**
 * Ends a behaviour that could not start, with what was `thrown`. Its name is free again, and it is gone, when its
 * start answers `result`.
 */
export function initFail(self: Process, { name }: Birth, result: unknown, thrown: unknown): never {
  if (name !== undefined) unregisterName(self, name);
  proc_lib.init_fail(self, result);
  throw thrown;
}

/** What the `init` of every behaviour can answer in order not to start. */
export function refuseInit(self: Process, birth: Birth, result: unknown): never {
  if (result === 'ignore') return initFail(self, birth, 'ignore', new ErlangExit('normal'));
  const isStop = isTuple(result) && result.length === 2 && result[0] === 'stop';
  const exit = isStop ? new ErlangExit(result[1]) : badReturn('init', result);
  return initFail(self, birth, ['error', exit.reason], exit);
}

/** The exit of a behaviour whose callback has answered what is no answer. */
export function badReturn(callback: string, result: unknown): ErlangExit {
  const message = `bad_return_value: ${callback} has answered ${formatShort(result)}`;
  return new ErlangExit(['bad_return_value', result], message);
}

/** Ends a behaviour whose `init` has raised `thrown`. */
export function initCrashed(self: Process, birth: Birth, thrown: unknown): never {
  if (!self.isAlive) throw thrown;
  return initFail(self, birth, ['error', exitReason(thrown)], thrown);
}

/** The birth of a process that becomes a behaviour by itself (`enter_loop`): its parent is who started it. */
export function enter(
  self: Process,
  behaviour: unknown,
  options: Pick<StartOptions, 'name' | 'debug'>,
): Birth {
  checkSelf(self);
  if ((typeof behaviour !== 'object' && typeof behaviour !== 'function') || behaviour === null)
    throw badarg(`a behaviour is an object with callbacks, not ${formatShort(behaviour)}`);
  checkOptions(options, 'enter_loop', ['name', 'debug']);
  const { name, debug = [] } = options;
  parseOptions(debug);
  if (name !== undefined && nameHolder(self, name) !== self.pid) return self.exit('process_not_registered');
  noteName(self, name);
  return { name, parent: self.parent, debug };
}

// ---- Calls

/** Who called, for {@link reply}: takes an `R`. A `From<A | B>` can stand where a `From<A>` is wanted. */
export type From<R = AnyMessage> = readonly [pid: Pid, tag: List | Reference<[tag: unknown, reply: R]>];

/** Which Erlang function a call is, for the exit of its caller. */
export type Place = (server: ServerRef, request: unknown, timeout: Timeout | undefined) => unknown;

const DEFAULT_TIMEOUT = 5000;

/**
 * Sends `[label, from, request]` and resolves with the reply. Otherwise the caller exits, with `[reason, place]`: the
 * server's exit reason, `noproc`, `timeout` (milliseconds; default 5000), `calling_self`, or `['nodedown', node]`. A
 * reply that comes too late is dropped.
 */
export async function call(
  self: Process,
  server: ServerRef,
  label: string,
  request: unknown,
  timeout: Timeout | undefined,
  place: Place,
): Promise<unknown> {
  checkSelf(self);
  const fail = (reason: unknown): never => self.exit([reason, place(server, request, timeout)]);
  if (timeout !== undefined && !isTimeout(timeout)) return fail(raised('function_clause'));
  if (Number(timeout) > MAX_TIMEOUT) return fail(raised('timeout_value'));
  const found = whereIs(self, server);
  if (found === 'undefined') return fail('noproc');
  if (found === self.pid) return fail('calling_self');
  if (!(found instanceof Pid) && !isNameOnNode(found)) return fail(raised('function_clause'));

  const ref = sendRequest(self, found, label, request);
  const isAnswer = (message: unknown): message is unknown[] => isReply(message, ref) || isDown(message, ref);
  let answer = await self.receive(isAnswer, { after: timeout ?? DEFAULT_TIMEOUT, since: ref });
  // A reply has ended both the alias and the monitor, unless it did not come through the alias.
  if (answer === undefined || ref.receiver !== undefined) {
    self.demonitor(ref, ['flush']);
    // Between the end of the wait and this line a reply may have slipped in.
    answer ??= await self.receive(isAnswer, { after: 0, since: ref });
  }
  if (answer === undefined) return fail('timeout');
  if (isReply(answer, ref)) return answer[1];
  return fail(downReason(answer));
}

const REPLY_ALIAS = [['alias', 'reply_demonitor']] as const;

/**
 * The list `[alias | ref]`, which tells who replies that the reference is an alias. A class of its own, because what a
 * constructor sets is laid out in the object: to give a list a tail afterwards costs more than all the rest of a call.
 */
class ReplyTag extends List<unknown> {
  constructor(ref: Reference) {
    super('alias' as never);
    this.tail = ref;
  }
}

/** Sends a request whose reply comes as `[['alias' | ref], reply]`; the end of the server as its `'DOWN'` message. */
export function sendRequest(
  self: Process,
  server: Pid | NameOnNode,
  label: string,
  request: unknown,
): Reference {
  const ref = monitorServer(self, server, REPLY_ALIAS);
  self.send(server, [label, [self.pid, new ReplyTag(ref)], request]);
  return ref;
}

export function isReply(message: unknown, ref: Reference): message is [List, unknown] {
  return isTuple(message) && message.length === 2 && isList(message[0]) && message[0].tail === ref;
}

/** As the guard of that name, which would be one more closure for each call. */
export function isDown(message: unknown, ref: Reference): message is unknown[] {
  return isTuple(message) && message[0] === 'DOWN' && message[1] === ref;
}

/** Why there is no answer, of a `'DOWN'` message. */
export function downReason([, , , object, reason]: readonly unknown[]): unknown {
  return reason === 'noconnection' && isTuple(object) ? ['nodedown', object[1]] : reason;
}

/** Answers a call; from any process. A caller that gave up gets nothing. Raises badarg for what no call came from. */
export function reply(self: Process, from: From, value: unknown): 'ok' {
  checkSelf(self);
  if (!isFrom(from)) throw badarg(`${formatShort(from)} is not what a call comes from`);
  const [pid, tag] = from;
  const alias = isList(tag) && tag[0] === 'alias' && tag.tail instanceof Reference ? tag.tail : undefined;
  self.send(alias ?? pid, [tag, value]);
  return 'ok';
}

export function isFrom(term: unknown): term is From {
  return isTuple(term) && term.length === 2 && term[0] instanceof Pid;
}

// ---- In the loop of a behaviour

/** One that was killed after a message had come, and before it goes on, does no more. Raises ProcessExit. */
export function ensureAlive(self: Process): void {
  // So does every function of a process that is dead.
  if (!self.isAlive) self.node();
}

/** Thrown in the loop of a behaviour: it is to end in an orderly way, with this reason. */
export class Stop extends Error {
  constructor(readonly reason: unknown) {
    super('stop');
  }
}

export function isTimeout(term: unknown): term is Timeout {
  return term === 'infinity' || (typeof term === 'number' && Number.isInteger(term) && term >= 0);
}

/** What a callback has thrown counts as returned where it is a throw; errors and exits are raised again. */
export function thrownValue(thrown: unknown): unknown {
  if (thrown instanceof ErlangThrow) return thrown.value;
  if (isError(thrown)) throw thrown;
  return thrown;
}

/** Raises undef: a behaviour needs a callback that it has not. `what` says so, and what for. */
export function undefinedFunction(what: string): never {
  throw new ErlangError('undef', `undef: ${what}`);
}

function raised(reason: string): unknown {
  return exitReason(new ErlangError(reason));
}

/** Raises badarg for what is wrong with the options. */
function alreadyStarted(self: Process, options: StartOptions): proc_lib.StartError | undefined {
  checkSelf(self);
  checkOptions(options, 'a start', ['name', 'debug', ...proc_lib.START_OPTIONS]);
  const { name, debug = [] } = options;
  parseOptions(debug);
  const holder = name === undefined ? 'undefined' : nameHolder(self, name);
  return holder === 'undefined' ? undefined : ['error', ['already_started', holder]];
}

/** Those of proc_lib. */
function others({ name, debug, ...options }: StartOptions): proc_lib.StartOptions {
  return options;
}

function starting<P extends Process>(
  run: Run<P>,
  { name, debug = [] }: StartOptions,
  parent: Pid | undefined,
): (self: P) => Promise<unknown> {
  return async (self) => {
    const holder = name === undefined || (await registerName(self, name));
    if (holder !== true) {
      proc_lib.init_fail(self, ['error', ['already_started', holder]]);
      return undefined;
    }
    noteName(self, name);
    return run(self, { name, parent, debug });
  };
}

/** Its crash tells it even where it is not, or no more, a registered one. */
function noteName(self: Process, name: ServerName | undefined): void {
  if (name !== undefined) noteContext(self.pid, { name: formatReason(readableName(name)) });
}
