import type { Actor } from './actor.js';
import { checkProcessOrPort } from './bonded.js';
import type { Destination } from './destination.js';
import { badarg, type ErlangError, ProcessExit } from './errors.js';
import { formatShort } from './format.js';
import { type AnyMessage, Pid, type Port, Reference, receiverOf } from './identifiers.js';
import { checkMessage } from './messages.js';
import { checkOptions, parseFlags } from './options.js';
import { type InfoAnswer, type InfoItem, type InfoPair, processInfo } from './process-info.js';
import {
  checkSendOptions,
  isMessageQueueData,
  isPriority,
  type MessageQueueData,
  type Priority,
  parseSpawnOptions,
  type SendOption,
  type SpawnAnswer,
  type SpawnOption,
} from './process-options.js';
import { type List, list } from './term.js';
import { Timed } from './timed.js';

/** Milliseconds up to 2^32 - 1. */
export type Timeout = number | 'infinity';
export interface ReceiveOptions {
  readonly after?: Timeout;
  /**
   * A reference of this process (of make_ref, monitor, alias, a timer): messages that were there when it was made
   * cannot carry it, and are not looked at. So waiting for an answer is quick, however full the mailbox is: what BEAM
   * finds out by itself. A reference of another process, where one slips in, is of no use here and does no harm.
   */
  readonly since?: Reference;
}

/** What a process receives whose messages are `M`. */
type Received<M> = 0 extends 1 & M ? unknown : M;
/** What of it is left by a guard that accepts `T`; what `M` does not tell of is as the guard says. */
type Narrowed<M, T> = T extends unknown
  ? [Extract<Received<M>, T>] extends [never]
    ? T
    : Extract<Received<M>, T>
  : never;
/** Await it. Without options there is no timeout, and no undefined. */
type Answer<T, O> = undefined extends O ? T | Promise<T> : T | undefined | Promise<T | undefined>;

/**
 * A process as its program sees it: `self`. It has Erlang's functions whose meaning depends on who calls them, and
 * where nothing else is said they do what the Erlang manual says. Option lists are plain arrays here.
 *
 * Whatever is wrong with an argument raises an {@link ErlangError} with reason `badarg`. Each function raises
 * {@link ProcessExit} when the process is dead already, or dies by the call. A part of the program that is not awaited
 * by the rest of it has to catch that, as any promise nobody awaits.
 *
 * `M` is what the process receives, from others, from ports and as signals; others may send that to its pid.
 */
export class Process<M = AnyMessage> extends Timed {
  declare readonly pid: Pid<M>;
  // In camelCase is what the runtime keeps for it; programs use the functions below.
  priority: Priority = 'normal';
  messageQueueData: MessageQueueData = 'on_heap';
  groupLeader: Pid;
  dictionary: Map<unknown, unknown> | undefined = undefined;

  constructor(...birth: ConstructorParameters<typeof Actor>) {
    super(...birth);
    const [, parent] = birth;
    this.groupLeader = parent instanceof Process ? parent.groupLeader : this.pid;
  }

  // ---- Messages

  /**
   * Sends and answers the message. It is shared, not copied: do not change it after. To one that has exited it is
   * lost; badarg for a name that nobody has. With options the answer is `ok`.
   *
   * A port that is busy suspends who sends it command data: then the answer is **a promise** of that, **to be awaited**;
   * with `nosuspend` it is that atom, and nothing is sent. Where one is not awaited, what the process sends to that port
   * later, whatever it is, comes after: the answer is a promise of that, too.
   */
  send<D, T extends D>(destination: Destination<D>, message: T): T;
  send<D>(
    destination: Destination<D>,
    message: NoInfer<D>,
    options: readonly SendOption[],
  ): 'ok' | 'nosuspend';
  send(destination: Destination, message: unknown, options?: readonly SendOption[]): unknown {
    this.ensureAlive();
    if (options !== undefined) return this.sendWith(destination, message, options);
    this.runtime.reductions--;
    checkMessage(message);
    // Nearly always it is an identifier of somebody alive.
    const receiver = receiverOf(destination) ?? this.runtime.resolve(destination);
    const suspended = receiver?.message(message, this.pid);
    this.ensureAlive();
    return suspended ?? message;
  }

  /** As send; true (false where it would have to wait, which only a port can make it do). */
  send_nosuspend<D>(destination: Destination<D>, message: NoInfer<D>): boolean {
    return this.send(destination, message, ['nosuspend']) === 'ok';
  }

  /**
   * Takes the first message that `guard` accepts (without one: the first) out of the mailbox; the others stay, in
   * order. **Await the answer**: it is the message itself where there is one, else a promise of it. Every few
   * thousand messages it is a promise anyway, so that timers and I/O get a turn.
   *
   * With `after` it is undefined once so many milliseconds have passed; 0 only looks at what is there. A bad timeout
   * raises timeout_value, but only where no message is accepted. A guard may be called as soon as a message comes,
   * while others run: it only says yes or no. What it raises, the receive raises. One receive at a time, else
   * ERR_CONCURRENT_RECEIVE.
   */
  receive<T extends Received<M>, O extends ReceiveOptions | undefined = undefined>(
    guard: (message: Received<M>) => message is T,
    options?: O,
  ): Answer<T, O>;
  receive<T, O extends ReceiveOptions | undefined = undefined>(
    guard: (message: unknown) => message is T,
    options?: O,
  ): Answer<Narrowed<M, T>, O>;
  receive<O extends ReceiveOptions | undefined = undefined>(
    guard: ((message: Received<M>) => boolean) | undefined,
    options?: O,
  ): Answer<Received<M>, O>;
  receive<O extends ReceiveOptions | undefined = undefined>(options?: O): Answer<Received<M>, O>;
  receive(guard?: ((message: never) => boolean) | ReceiveOptions, options?: ReceiveOptions): unknown {
    if (typeof guard === 'object') {
      this.ensureAlive();
      checkReceiveOptions(guard);
      return this.next(undefined, guard.after, guard.since);
    }
    if (guard !== undefined && typeof guard !== 'function')
      throw badarg(`a guard of receive is a function, not ${formatShort(guard)}`);
    if (options === undefined) return this.next(guard as (message: unknown) => boolean, undefined);
    this.ensureAlive();
    checkReceiveOptions(options);
    return this.next(guard as (message: unknown) => boolean, options.after, options.since);
  }

  /**
   * Lets others run until they wait, and timers and I/O have a turn; **await it**. A program that sends without end and
   * never waits for anything calls it now and then: a loop of JavaScript cannot be interrupted, and what it sends piles up.
   */
  yield(): Promise<true> {
    return this.pause() as Promise<true>;
  }

  // ---- Processes

  /** Starts a process that runs `body` with a `self` of its own. It begins after the current call is through. */
  spawn<N = AnyMessage, A extends unknown[] = []>(
    body: (self: Process<N>, ...args: A) => unknown,
    ...args: A
  ): Pid<N> {
    return this.makeChild(body, args).pid;
  }

  spawn_link<N = AnyMessage, A extends unknown[] = []>(
    body: (self: Process<N>, ...args: A) => unknown,
    ...args: A
  ): Pid<N> {
    const { pid } = this.makeChild(body, args);
    this.link(pid);
    return pid;
  }

  spawn_monitor<N = AnyMessage, A extends unknown[] = []>(
    body: (self: Process<N>, ...args: A) => unknown,
    ...args: A
  ): [Pid<N>, Reference] {
    const { pid } = this.makeChild(body, args);
    return [pid, this.monitor('process', pid)];
  }

  /** Answers the pid, with option `monitor` the pid and the monitor's reference. */
  spawn_opt<N = AnyMessage, const O extends readonly SpawnOption[] = readonly SpawnOption[]>(
    body: (self: Process<N>) => unknown,
    options: O,
  ): SpawnAnswer<N, O>;
  spawn_opt(body: (self: Process) => unknown, options: readonly SpawnOption[]): Pid | [Pid, Reference] {
    this.ensureAlive();
    const { link, monitor, priority, messageQueueData } = parseSpawnOptions(options);
    const child = this.makeChild(body, []);
    child.priority = priority ?? child.priority;
    child.messageQueueData = messageQueueData ?? child.messageQueueData;
    if (link) this.link(child.pid);
    return monitor === undefined ? child.pid : [child.pid, this.monitor('process', child.pid, monitor)];
  }

  /**
   * Waits until there is a message, which stays in the mailbox, then runs `body`; the process ends with it. What
   * called hibernate never goes on: its `finally` blocks run once `body` is through, and catching saves nobody.
   */
  hibernate<A extends unknown[]>(body: (self: this, ...args: A) => unknown, ...args: A): Promise<never> {
    this.ensureAlive();
    checkBody(body);
    return this.goOnWith(() => body(this, ...args));
  }

  /** Own identifier or another's: false as soon as it exits. */
  is_process_alive(pid: Pid): boolean {
    this.ensureAlive();
    if (!(pid instanceof Pid)) throw badarg(`${formatShort(pid)} is no pid`);
    this.checkLocal(pid);
    return pid.receiver !== undefined;
  }

  processes(): List<Pid> {
    this.ensureAlive();
    return list(...this.runtime.processes());
  }

  process_info(pid: Pid): 'undefined' | List<InfoPair>;
  process_info<I extends InfoItem>(pid: Pid, item: I): 'undefined' | InfoAnswer<I>;
  process_info<I extends InfoItem>(pid: Pid, items: readonly I[]): 'undefined' | List<InfoPair<I>>;
  process_info(pid: Pid, items?: InfoItem | readonly InfoItem[]): unknown {
    this.ensureAlive();
    return processInfo(this, pid, items);
  }

  /** Sets a flag and answers its old value. */
  process_flag(flag: 'trap_exit', value: boolean): boolean;
  process_flag(flag: 'priority', value: Priority): Priority;
  process_flag(flag: 'message_queue_data', value: MessageQueueData): MessageQueueData;
  process_flag(flag: string, value: unknown): unknown {
    this.ensureAlive();
    if (flag === 'trap_exit' && typeof value === 'boolean') {
      const old = this.trapExit;
      this.trapExit = value;
      return old;
    }
    if (flag === 'priority' && isPriority(value)) {
      const old = this.priority;
      this.priority = value;
      return old;
    }
    if (flag === 'message_queue_data' && isMessageQueueData(value)) {
      const old = this.messageQueueData;
      this.messageQueueData = value;
      return old;
    }
    throw badFlag(flag, value);
  }

  group_leader(): Pid;
  group_leader(leader: Pid, pid: Pid): true;
  group_leader(leader?: Pid, pid?: Pid): Pid | true {
    this.ensureAlive();
    if (leader === undefined && pid === undefined) return this.groupLeader;
    const led = pid instanceof Pid ? pid.receiver : undefined;
    if (!(leader instanceof Pid)) throw badarg(`the leader ${formatShort(leader)} is no pid`);
    if (!(led instanceof Process)) throw badarg(`${formatShort(pid)} is no process that runs`);
    led.groupLeader = leader;
    return true;
  }

  // ---- Names

  /** Gives a living process or port a name; badarg when the name is taken or it has one already. */
  register(name: string, id: Pid | Port): true {
    this.ensureAlive();
    checkProcessOrPort(id);
    this.checkLocal(id);
    if (id.receiver === undefined) throw badarg(`${id} has exited`);
    this.runtime.registry.register(name, id.receiver);
    return true;
  }

  unregister(name: string): true {
    this.ensureAlive();
    this.runtime.registry.unregister(name);
    return true;
  }

  whereis(name: string): Pid | Port | 'undefined' {
    this.ensureAlive();
    if (typeof name !== 'string') throw badarg(`${formatShort(name)} is no name`);
    return this.runtime.whereis(name) ?? 'undefined';
  }

  registered(): List<string> {
    this.ensureAlive();
    return this.runtime.registry.names();
  }

  node(): string {
    this.ensureAlive();
    return this.runtime.node;
  }

  // ---- References

  make_ref(): Reference {
    this.ensureAlive();
    return this.runtime.makeReference(this.mailbox);
  }

  /** Different at each call in this runtime, and greater than the ones before; with `positive` above 0. */
  unique_integer(options: readonly ('positive' | 'monotonic')[] = []): bigint {
    this.ensureAlive();
    const isPositive = parseFlags(options, ['positive', 'monotonic']).includes('positive');
    return this.runtime.uniqueInteger() + (isPositive ? 0n : LEAST_UNIQUE);
  }

  // ---- The process dictionary. Keys compare as those of a JavaScript Map do: tuples by identity.

  put(key: unknown, value: unknown): unknown {
    const old = this.get(key);
    this.dictionary ??= new Map();
    this.dictionary.set(key, value);
    return old;
  }

  /** The value of a key, or all of `[key, value]`. */
  get(): List<[unknown, unknown]>;
  get(key: unknown): unknown;
  get(...keys: [key?: unknown]): unknown {
    this.ensureAlive();
    if (keys.length === 0) return list(...(this.dictionary ?? []));
    return this.dictionary?.get(keys[0]) ?? 'undefined';
  }

  /** As get, and it is there no more. */
  erase(): List<[unknown, unknown]>;
  erase(key: unknown): unknown;
  erase(...keys: [key?: unknown]): unknown {
    const old = keys.length === 0 ? this.get() : this.get(keys[0]);
    if (keys.length === 0) this.dictionary = undefined;
    else this.dictionary?.delete(keys[0]);
    return old;
  }

  /** All keys, or those that have this value. */
  get_keys(...values: [value?: unknown]): List {
    const keys = list();
    for (const [key, value] of this.get()) if (values.length === 0 || value === values[0]) keys.push(key);
    return keys;
  }

  // ---- Behind the above

  private sendWith(destination: Destination, message: unknown, options: readonly SendOption[]): unknown {
    checkSendOptions(options);
    checkMessage(message);
    this.runtime.reductions--;
    const receiver = this.runtime.resolve(destination);
    if (options.includes('nosuspend') && receiver?.wouldSuspend?.(message, this.pid)) return 'nosuspend';
    const suspended = receiver?.message(message, this.pid);
    this.ensureAlive();
    if (suspended === undefined) return 'ok';
    const answer = suspended.then(() => 'ok');
    // As of the promise that it comes from: a program that does not wait for it has not failed.
    answer.catch(() => {});
    return answer;
  }

  private async goOnWith(body: () => unknown): Promise<never> {
    if (this.mailbox.length === 0) this.mailbox.unshift(await this.next(undefined, undefined));
    // It may have been killed since the message came.
    this.ensureAlive();
    try {
      await body();
      await this.end('normal');
    } catch (thrown) {
      await this.fail(thrown);
    }
    throw new ProcessExit(this.exitReason, this.pid);
  }

  private makeChild<N, A extends unknown[]>(
    body: (self: Process<N>, ...args: A) => unknown,
    args: A,
  ): Process<N> {
    this.ensureAlive();
    checkBody(body);
    const child: Process<N> = this.runtime.makeProcess(this);
    child.start(body, args);
    return child;
  }
}

/** Where Erlang begins to count, below zero, on a 64-bit machine. */
const LEAST_UNIQUE = -(2n ** 59n);

/** Raises badarg. */
function checkReceiveOptions(options: ReceiveOptions): void {
  // Mostly one of them is there, and nothing need be looked for.
  if (options?.after === undefined && options?.since === undefined)
    checkOptions(options, 'receive', ['after', 'since']);
  else if (options.since !== undefined && !(options.since instanceof Reference))
    throw badarg(`the option since has to be a reference, not ${formatShort(options.since)}`);
}

/** Raises badarg. */
export function checkBody(body: unknown): void {
  if (typeof body !== 'function') throw badarg(`a process runs a function, not ${formatShort(body)}`);
}

function badFlag(flag: unknown, value: unknown): Error {
  const known = ['trap_exit', 'priority', 'message_queue_data'];
  if (known.includes(flag as string)) return badarg(`${formatShort(value)} is no value of ${flag}`);
  return badarg(`${formatShort(flag)} is no flag; the flags are ${known.join(', ')}`);
}
