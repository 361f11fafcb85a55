import { Alarm } from './alarm.js';
import { Alias, type AliasMode } from './alias.js';
import { Crash } from './crash.js';
import { badarg, ErlangError, exitReason, isCrash, ProcessExit, RuntimeError } from './errors.js';
import { formatShort } from './format.js';
import type { Pid, Port, Reference } from './identifiers.js';
import { LinkedList } from './linked-list.js';
import { Links } from './links.js';
import { Mailbox, NONE } from './mailbox.js';
import type { Monitor, Monitors } from './monitors.js';
import type { Runtime } from './runtime.js';
import type { Reason, Receiver, Sender, Signal } from './signal.js';
import { Suspension } from './suspension.js';
import { Watchers } from './watchers.js';

/** What a receive can take out of a mailbox: a predicate on messages. It must not have effects. */
type Guard = (message: unknown) => boolean;

/** What a process runs; its first parameter is the process. */
// biome-ignore lint/suspicious/noExplicitAny: its program knows what it takes
export type Body = (...args: any[]) => unknown;

/**
 * What a process is to the runtime: its mailbox, what it waits for, its relations, its end. What it is to the
 * program that it runs is in its subclass {@link Process}.
 *
 * One thread runs all of them, and none runs inside the call of another: a signal changes the state of its
 * receiver at once, but its program goes on only when the promise that it awaits has been resolved.
 */
export abstract class Actor implements Receiver {
  readonly pid: Pid;
  /** Who spawned it. */
  readonly parent: Pid | undefined;
  registeredName: string | undefined = undefined;
  isAlive = true;
  trapExit = false;
  // Most processes have few relations and messages, so what holds them is made on first use.
  private queue: Mailbox | undefined = undefined;
  links: Links | undefined = undefined;
  monitors: Monitors | undefined = undefined;
  watchers: Watchers | undefined = undefined;
  private aliases: LinkedList<Alias> | undefined = undefined;
  private suspensions: Set<Waits> | undefined = undefined;

  private phase = Phase.Running;
  private body: Body | undefined = undefined;
  private guard: Guard | undefined = undefined;
  private alarm: Alarm<Actor> | undefined = undefined;
  /** The arguments of the body until it runs. What a receive is going to answer, while it is held back. */
  private held: unknown = undefined;
  private promise: Promise<unknown> | undefined = undefined;
  private resolve: Settle = ignore;
  protected exitReason: Reason = undefined;

  constructor(
    readonly runtime: Runtime,
    parent: Actor | undefined,
  ) {
    this.parent = parent?.pid;
    this.pid = runtime.makePid(this);
  }

  get id(): Pid {
    return this.pid;
  }

  get mailbox(): Mailbox {
    this.queue ??= new Mailbox();
    return this.queue;
  }

  /** As process_info says it; `running` is for the caller to know. */
  get status(): 'waiting' | 'suspended' | 'runnable' {
    if (this.phase === Phase.Waiting) return 'waiting';
    return this.suspensions === undefined || this.suspensions.size === 0 ? 'runnable' : 'suspended';
  }

  /** Its inside is the runtime's, and long. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `Self ${this.pid}${this.registeredName === undefined ? '' : ` ${this.registeredName}`}`;
  }

  // ---- What others can tell it: the receiver

  message(message: unknown): undefined {
    if (this.phase !== Phase.Waiting) {
      if (this.isAlive) this.mailbox.push(message);
      return;
    }
    const isWanted = this.guard === undefined || this.accepts(this.guard, message);
    // The guard may have had effects: woken this by another message, or killed it.
    if (!(isWanted && this.wake(message)) && this.isAlive) this.mailbox.push(message);
  }

  signal(signal: Signal): void {
    if (!this.isAlive) return;
    switch (signal.type) {
      case 'link':
        this.links ??= new Links();
        this.links.add(signal.from);
        return;
      case 'unlink':
        this.links?.delete(signal.from);
        return;
      case 'exit':
        this.takeExit(signal.from, signal.reason, signal.linked);
        return;
      case 'monitor':
        this.watchers ??= new Watchers();
        this.watchers.add(signal);
        return;
      case 'demonitor':
        this.watchers?.delete(signal.monitor);
        return;
      case 'down': {
        const { ref, kind, object, tag } = signal.monitor;
        if (this.endMonitor(ref) !== undefined) this.message([tag, ref, kind, object, signal.reason]);
      }
    }
  }

  private takeExit(from: Sender, reason: Reason, linked: boolean): void {
    // A link that was taken down in the meantime carries nothing any more.
    if (linked && !this.links?.delete(from)) return;
    if (reason === 'kill' && !linked) this.die('killed');
    else if (this.trapExit) this.message(['EXIT', from, reason]);
    else if (reason !== 'normal' || from === this.pid) this.die(reason);
  }

  /** A message came through an alias that ends with the first one. */
  aliasAnswered(alias: Alias): void {
    this.endAlias(alias.ref);
    if (alias.mode === 'reply_demonitor') demonitor(this.endMonitor(alias.ref));
  }

  // ---- Relations that end in more than one way

  protected addAlias(ref: Reference, mode: AliasMode): void {
    const alias = new Alias(this, ref, mode);
    ref.receiver = alias;
    this.aliases ??= new LinkedList();
    this.aliases.add(alias);
  }

  /** Answers whether it was an alias of this process. */
  protected endAlias(ref: Reference): boolean {
    const alias = this.findAlias(ref);
    if (alias === undefined) return false;
    this.aliases?.delete(alias);
    ref.receiver = undefined;
    return true;
  }

  /** Removes a monitor that this process holds, and its alias unless that has to be ended explicitly. */
  protected endMonitor(ref: Reference): Monitor | undefined {
    const { monitor } = ref;
    if (monitor?.from !== this.pid) return undefined;
    this.monitors?.delete(monitor);
    if (this.findAlias(ref)?.mode !== 'explicit_unalias') this.endAlias(ref);
    return monitor;
  }

  /** The alias of this process that the reference is. */
  private findAlias(ref: Reference): Alias | undefined {
    const { receiver } = ref;
    return receiver instanceof Alias && receiver.owner === this ? receiver : undefined;
  }

  // ---- Waiting

  /**
   * The next message that `guard` accepts, at once where there is one, else a promise of it. After so many
   * milliseconds (undefined: never) the answer is undefined; a bad time raises timeout_value only when nothing
   * matches.
   */
  protected next(guard: Guard | undefined, after: unknown, since?: Reference): unknown {
    this.ensureRunning();
    const message = this.take(guard, since);
    if (message !== NONE) return --this.runtime.reductions > 0 ? message : this.holdBack(message);
    if (after === undefined) return this.wait(guard);
    const ms = parseTimeout(after);
    if (ms === 0) return --this.runtime.reductions > 0 ? undefined : this.holdBack(undefined);
    if (ms !== Number.POSITIVE_INFINITY) this.alarm = new Alarm<Actor>(ms, giveUp, this);
    return this.wait(guard);
  }

  private take(guard: Guard | undefined, since: Reference | undefined): unknown {
    const { queue } = this;
    if (queue === undefined || queue.length === 0) return NONE;
    return guard === undefined ? queue.shift() : this.scan(queue, guard, since);
  }

  private scan(queue: Mailbox, guard: Guard, since: Reference | undefined): unknown {
    this.phase = Phase.Scanning;
    try {
      return queue.take(guard, since?.arrivedBefore(queue));
    } finally {
      this.phase = Phase.Running;
      this.ensureAlive();
    }
  }

  /**
   * For what is not a message but makes the program wait (ports): see {@link Suspension}. With `takeBack` it is something
   * sent that waits: the process does not end by itself before that is settled; when it dies, that is taken back.
   */
  suspend<T>(takeBack?: () => void): Suspension<T> {
    this.ensureAlive();
    this.suspensions ??= new Set();
    const { suspensions } = this;
    const suspension = new Suspension<T>((settled) => suspensions.delete(settled), takeBack);
    suspensions.add(suspension);
    return suspension;
  }

  /** First thing in whatever the program calls: a dead process does nothing any more. Raises ProcessExit. */
  protected ensureAlive(): void {
    if (!this.isAlive) throw new ProcessExit(this.exitReason, this.pid);
  }

  /** Raises badarg for what belongs to another runtime. */
  protected checkLocal(id: Pid | Port): void {
    if (id.origin !== this.runtime.origin) throw badarg(`${id} is of another node`);
  }

  private ensureRunning(): void {
    this.ensureAlive();
    if (this.phase !== Phase.Running) {
      throw new RuntimeError(
        'ERR_CONCURRENT_RECEIVE',
        'this process is in another receive already: a receive, call or tube function before this one was not awaited',
      );
    }
  }

  /** Waits until timers and I/O have had a turn. */
  protected pause(): Promise<unknown> {
    this.ensureRunning();
    return this.holdBack(true);
  }

  private wait(guard: Guard | undefined): Promise<unknown> {
    this.runtime.reductions--;
    this.guard = guard;
    this.phase = Phase.Waiting;
    return this.makePromise();
  }

  private holdBack(value: unknown): Promise<unknown> {
    this.hold(value);
    return this.makePromise();
  }

  private makePromise(): Promise<unknown> {
    const promise = new Promise(takeResolve);
    this.promise = promise;
    this.resolve = latestResolve;
    return promise;
  }

  /** Of the two functions that settle a promise one is enough, and a waiting process that much smaller. */
  private reject(error: unknown): void {
    this.resolve(Promise.reject(error));
  }

  private accepts(guard: Guard, message: unknown): boolean {
    try {
      return guard(message);
    } catch (error) {
      // The receiver's fault, so the receiver's failure: its sender must not notice.
      this.stopWaiting();
      this.reject(error);
      return false;
    }
  }

  /** Ends a wait; answers false where it has ended already. */
  private wake(value: unknown): boolean {
    if (this.phase !== Phase.Waiting) return false;
    this.stopWaiting();
    if (this.runtime.reductions > 0) this.resolve(value);
    else this.hold(value);
    return true;
  }

  private hold(value: unknown): void {
    this.phase = Phase.Held;
    this.held = value;
    this.runtime.resumeLater(this);
  }

  private stopWaiting(): void {
    this.phase = Phase.Running;
    this.guard = undefined;
    this.alarm?.cancel();
    this.alarm = undefined;
  }

  /** @internal What a receive with a timeout does when that runs out. */
  giveUp(): void {
    this.wake(undefined);
  }

  // ---- Life

  /** Makes `body` run soon, not within this call, with this process and `args`. */
  start(body: Body, args: readonly unknown[]): void {
    this.body = body;
    this.held = args;
    this.runtime.startSoon(this);
  }

  /** The runtime's answer to `startSoon` and `resumeLater`. */
  resume(): void {
    const { body, held } = this;
    this.held = undefined;
    if (body !== undefined) {
      this.body = undefined;
      this.run(body, held as unknown[]);
    } else if (this.phase === Phase.Held) {
      this.phase = Phase.Running;
      this.resolve(held);
    }
  }

  // No async function: that would be a third of the memory of a process which waits.
  private run(body: Body, args: readonly unknown[]): void {
    try {
      const result = body(this as never, ...(args as never[]));
      if (!isPromise(result)) {
        this.end('normal');
        return;
      }
      result.then(
        () => this.end('normal'),
        (thrown: unknown) => this.fail(thrown),
      );
    } catch (thrown) {
      this.fail(thrown);
    }
  }

  /** Its program has returned, or exits. What it has sent and not awaited comes first: in Erlang it would have waited. */
  protected end(reason: Reason): Promise<void> | undefined {
    const sending = this.suspensions && Array.from(this.suspensions).filter(({ isSending }) => isSending);
    if (sending !== undefined && sending.length > 0) {
      return Promise.allSettled(sending.map(({ promise }) => promise)).then(() => this.end(reason));
    }
    this.die(reason);
    return undefined;
  }

  protected fail(thrown: unknown): Promise<void> | undefined {
    // A dead process is out of the way already: whatever its program did after is of no interest.
    if (!this.isAlive) return undefined;
    const { registeredName: name } = this;
    const reason = exitReason(thrown);
    // One that has crashed is to be restarted, and not to wait for a port that may be stuck.
    if (!isCrash(thrown)) return this.end(reason);
    this.die(reason);
    this.runtime.report(new Crash(this.pid, name, reason, thrown));
    return undefined;
  }

  /**
   * Ends this process. At once it is gone for everybody: no pid or name leads to it, links and monitors are told.
   * Its program is stopped where it waits, or else at its next call of `self`.
   */
  die(reason: Reason): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    this.exitReason = reason;
    this.body = undefined;
    this.queue?.clear();
    this.runtime.bury(this);
    this.stopProgram();
  }

  /** Tells all who are concerned; the runtime calls it when it is this one's turn. */
  tellOthers(): void {
    for (const { ref } of this.aliases ?? []) this.endAlias(ref);
    for (const monitor of this.monitors ?? []) {
      this.monitors?.delete(monitor);
      demonitor(monitor);
    }
    this.links?.breakAll(this.pid, this.exitReason);
    this.watchers?.tellAll(this.exitReason);
  }

  private stopProgram(): void {
    const waits = this.phase === Phase.Waiting || this.phase === Phase.Held;
    this.stopWaiting();
    this.held = undefined;
    if (!waits && this.suspensions === undefined) return;
    const exit = new ProcessExit(this.exitReason, this.pid);
    for (const suspension of this.suspensions ?? []) suspension.giveUp(exit);
    if (!waits) return;
    // The program need not be awaiting it: it may have returned.
    this.promise?.catch(ignore);
    this.reject(exit);
  }
}

enum Phase {
  /** Or awaiting a promise that is not ours. */
  Running,
  /** In a receive that looks at what is there. */
  Scanning,
  /** In a receive. */
  Waiting,
  /** In a receive that has its answer already and waits for its turn. */
  Held,
}

type Waits = Pick<Suspension<unknown>, 'promise' | 'isSending' | 'giveUp'>;

type Settle = (value: unknown) => void;

/** The longest time, in milliseconds, that a process can wait for. */
export const MAX_TIMEOUT = 0xffff_ffff;

/** Milliseconds; raises timeout_value for what is none. */
export function parseTimeout(after: unknown): number {
  if (after === 'infinity' || after === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
  if (typeof after === 'number' && Number.isInteger(after) && after >= 0 && after <= MAX_TIMEOUT)
    return after;
  const what = `an integer of milliseconds from 0 to ${MAX_TIMEOUT}, or 'infinity'`;
  throw new ErlangError('timeout_value', `timeout_value: a timeout is ${what}, not ${formatShort(after)}`);
}

/** Tells whom it is about that a monitor is no more. */
export function demonitor(monitor: Monitor | undefined): void {
  monitor?.target?.receiver?.signal({ type: 'demonitor', monitor });
}

function giveUp(actor: Actor): void {
  actor.giveUp();
}

function ignore(): void {}

// One executor for all promises: a closure for each receive that waits would double its cost.
let latestResolve: Settle = ignore;

function takeResolve(resolve: Settle): void {
  latestResolve = resolve;
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}
