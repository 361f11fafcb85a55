import type { Actor } from '../actors/actor.js';
import { badarg, ErlangError, exitReason } from '../actors/errors.js';
import type { Pid, Port } from '../actors/identifiers.js';
import { Links } from '../actors/links.js';
import type { Monitor } from '../actors/monitors.js';
import type { Reason, Receiver, Sender, Signal } from '../actors/signal.js';
import type { Suspension } from '../actors/suspension.js';
import { Watchers } from '../actors/watchers.js';
import type { Driver, DriverInstance, DriverPort } from './driver.js';
import { checkBytes, checkInstance, checkTerm, isPromise, runLast } from './driver-answers.js';
import { DriverEnd } from './driver-end.js';
import { inEmergency, noEmergency } from './emergency.js';
import { type IoData, toBytes, toPieces } from './iodata.js';
import { type Act, PortBusy } from './port-busy.js';
import { portLifecycle } from './port-lifecycle.js';
import type { PortOptions } from './port-options.js';
import type { PortRuntime } from './port-runtime.js';
import { isCommand, serve } from './request.js';

/**
 * A port: a receiver of signals, as a process is, with a driver behind it and an owner in front.
 *
 * The functions that programs call (port_command ...) are on {@link Self}, those of its driver on {@link DriverEnd};
 * they and the messages a port understands come down to the few methods here. Semantics are those of Erlang/OTP 25.
 */
export class PortObject implements Receiver {
  readonly id: Port;
  registeredName: string | undefined = undefined;
  readonly links = new Links();
  readonly watchers = new Watchers();
  readonly busy: PortBusy;
  /** Bytes from the driver to the owner, and to the driver. */
  bytesIn = 0;
  bytesOut = 0;
  osPid: number | undefined = undefined;
  binaryControl: boolean;
  /** port_set_data. */
  data: unknown = 'undefined';

  /** On behalf of whom a callback runs. */
  caller: Pid | undefined = undefined;
  readonly end: DriverEnd;
  readonly #instance: DriverInstance | undefined;
  #state = portLifecycle.initialState;
  #exitReason: Reason;
  #flushes = true;
  #isTelling = false;
  #answersClose = false;
  /** Whether a callback of the driver runs, and what has to wait for its end. */
  #running = false;
  #postponed: (() => void)[] = [];
  #catchingUp = false;
  #acknowledged: { readonly error: unknown } | undefined = undefined;
  #opener: Suspension<Port> | undefined = undefined;
  readonly #unanswered = new Set<() => void>();

  /**
   * Opens it, linked to its owner, whose end is that of the port from now on: that of one which ends while its driver
   * starts, as soon as that has started. `name`: the driver and its command. Raises what `start` raises.
   */
  constructor(
    readonly runtime: PortRuntime,
    readonly driver: Driver,
    public owner: Pid,
    readonly name: string,
    readonly options: PortOptions,
    start: (port: DriverPort) => DriverInstance,
  ) {
    this.binaryControl = driver.binaryControl === true;
    this.busy = new PortBusy(
      () => this.isOpen && !this.#running,
      (process) => runtime.tellSystemMonitor([process, 'busy_port', this.id]),
    );
    this.id = runtime.makePort(this);
    this.end = new DriverEnd(this);
    runtime.opened(this);
    this.connect(owner);
    this.#running = true;
    try {
      this.#instance = checkInstance(driver, start(this.end));
    } catch (error) {
      // Not told to the owner: for whoever has asked for the port there has never been one.
      this.exit(exitReason(error));
      this.#callbackEnded();
      throw error;
    }
    inEmergency(this.#instance);
    this.#callbackEnded();
  }

  get isOpen(): boolean {
    return this.#state.value === 'open';
  }

  /** Also for its driver. */
  get isClosed(): boolean {
    return this.#state.value === 'closed';
  }

  // ---- As a receiver

  /** `{Owner, {command, Data}}`, `{Owner, {connect, Pid}}`, `{Owner, close}`; anything else is a badsig. */
  message(message: unknown, sender?: Sender): Promise<unknown> | undefined {
    if (!this.isOpen) return undefined;
    if (this.#running) {
      this.#postponed.push(() => this.message(message, sender));
      return undefined;
    }
    if (this.busy.holdsUp) {
      const deliver = (): unknown => {
        serve(this, message, sender);
        return message;
      };
      const act = { deliver, giveUp: () => message };
      if (isCommand(message)) return this.busy.wait(sender, act);
      if (this.busy.holds(sender)) return this.busy.waitBehind(sender, act);
    }
    serve(this, message, sender);
    return undefined;
  }

  wouldSuspend(message: unknown, sender?: Sender): boolean {
    const { busy } = this;
    return busy.holdsUp && this.isOpen && (isCommand(message) || busy.holds(sender));
  }

  signal(signal: Signal): void {
    switch (signal.type) {
      case 'link':
        this.links.add(signal.from);
        return;
      case 'unlink':
        this.links.delete(signal.from);
        return;
      case 'monitor':
        this.watchers.add(signal);
        return;
      case 'demonitor':
        this.watchers.delete(signal.monitor);
        return;
      case 'exit':
        return this.#takeExit(signal.from, signal.reason, signal.linked);
      case 'down':
        return this.#takeDown(signal.monitor);
    }
  }

  // ---- What programs do to it

  /** Raises badarg for what is no iodata, or what the driver refuses. */
  command(data: unknown, caller: Pid | undefined): void {
    const instance = this.#instance as DriverInstance;
    if (instance.outputv !== undefined) return this.#commandInPieces(data, caller);
    const bytes = toBytes(data);
    this.awaitCallback(this.callback(caller, () => instance.output?.(bytes)));
    this.bytesOut += bytes.length;
  }

  /** As command, when the port is not busy any more, for a process that is suspended until then. */
  commandLater(data: IoData, process: Pid): Promise<true> {
    const act = this.#actLater(() => this.command(data, process));
    return this.busy.wait(process, act) as Promise<true>;
  }

  /** Does something for a process that is suspended until what it has sent to the port before has been delivered. */
  doBehind(process: Pid, act: () => void): Promise<true> {
    return this.busy.waitBehind(process, this.#actLater(act)) as Promise<true>;
  }

  /** Raises badarg for a driver that knows no control, refuses, or fails. */
  control(operation: number, data: unknown, caller: Pid): ControlAnswer | Promise<ControlAnswer> {
    const bytes = toBytes(data);
    const instance = this.#instance as DriverInstance;
    if (!instance.control) throw badarg();
    return this.#ask(
      caller,
      () => instance.control?.(operation, bytes),
      (answer) => checkBytes(this.driver, answer),
    );
  }

  /** Raises badarg for a driver that knows no call, refuses, fails, or answers nothing. */
  call(operation: number, argument: unknown, caller: Pid): unknown {
    return this.#ask(caller, () => this.#instance?.call?.(operation, argument), checkTerm);
  }

  connect(owner: Pid): void {
    this.owner = owner;
    this.links.add(owner);
    owner.receiver?.signal({ type: 'link', from: this.id });
  }

  /**
   * Ends the port: exit signals, then 'DOWN', then the driver's stop, which comes only when its queue is empty. Without
   * effect when that is under way.
   */
  close(reason: Reason): void {
    if (!this.#transition('CLOSE')) return;
    this.#exitReason = reason === 'kill' ? 'killed' : reason;
    this.#flushes = reason !== 'kill';
    if (!this.#running) this.#tellEnd();
  }

  /** As close, and the owner is told when it is over. */
  closeAndAnswer(): void {
    this.#answersClose = true;
    this.close('normal');
  }

  /** What its driver adds to port_info. */
  driverInfo(): Readonly<Record<string, unknown>> {
    const info = this.callback(undefined, () => this.#instance?.info?.());
    this.awaitCallback(info);
    return info ?? {};
  }

  /** Suspends who has opened it until the driver says that it is ready. */
  untilAcknowledged(opener: Actor): Promise<Port> {
    this.#opener = opener.suspend<Port>();
    this.#answerOpener();
    return this.#opener.promise;
  }

  // ---- What its driver does

  tellOwner(message: unknown): boolean {
    const { receiver } = this.owner;
    receiver?.message(message, this.id);
    return receiver !== undefined;
  }

  /** Ends it at once, whatever is queued. One that is to be closed already ends for the reason of that. */
  fail(reason: Reason): void {
    if (this.#state.value === 'flushing') return this.terminate();
    this.end.queue.clear();
    this.close(reason);
    this.#flushes = false;
    // Unless its driver has not got as far as to be stopped.
    if (this.#state.value === 'closing' && this.#instance !== undefined && !this.#isTelling) this.#tellEnd();
  }

  /** driver_exit. */
  exit(reason: Reason): void {
    this.#unlinkOwner();
    this.fail(reason);
  }

  acknowledge(error: unknown): void {
    if (this.#acknowledged !== undefined) return;
    this.#acknowledged = { error };
    this.#answerOpener();
    if (error !== undefined) this.exit('normal');
  }

  /** Runs a callback of the driver, which may end its port. Raises badarg where that is what it throws. */
  callback<T>(caller: Pid | undefined, run: () => T): T | undefined {
    // Only a driver, or a guard of a receive, that calls functions of a process can get here.
    if (this.#running) throw new Error('a callback of this port is running');
    this.#running = true;
    this.caller = caller;
    try {
      return run();
    } catch (error) {
      if (isRefusal(error)) throw error;
      this.fail(exitReason(error));
      return undefined;
    } finally {
      this.caller = undefined;
      this.#callbackEnded();
    }
  }

  /** What a callback has answered of whose answer nothing is made: that of an async one may be an error yet. */
  awaitCallback(answer: unknown): void {
    if (isPromise(answer)) answer.then(undefined, (error: unknown) => this.fail(exitReason(error)));
  }

  /** A callback that nobody waits for, as of a timer; not when the port has ended. */
  event(run: (instance: DriverInstance) => unknown): void {
    if (this.isClosed) return;
    if (this.#running) {
      this.#postponed.push(() => this.event(run));
      return;
    }
    try {
      this.awaitCallback(this.callback(undefined, () => run(this.#instance as DriverInstance)));
    } catch (error) {
      this.fail(exitReason(error));
    }
  }

  get instance(): DriverInstance | undefined {
    return this.#instance;
  }

  /** Nothing is queued any more: one that only waited for that ends. */
  drained(): void {
    if (this.#state.value === 'flushing' && !this.#running) this.terminate();
  }

  /** The very end, also of one that flushes. */
  terminate(): void {
    if (!this.#transition('DONE')) return;
    if (this.#instance) noEmergency(this.#instance);
    runLast(this.driver, 'stop', () => this.#instance?.stop?.());
    this.end.close();
    this.runtime.ended(this);
    for (const giveUp of this.#unanswered) giveUp();
    this.#acknowledged ??= { error: new ErlangError(this.#exitReason) };
    this.#answerOpener();
    if (this.#answersClose) this.tellOwner([this.id, 'closed']);
  }

  // ---- Inside

  #actLater(act: () => void): Act<true> {
    const deliver = (): true => {
      act();
      return true;
    };
    const giveUp = (): never => {
      throw badarg(`${this.id} is closed`);
    };
    return { deliver, giveUp };
  }

  #commandInPieces(data: unknown, caller: Pid | undefined): void {
    const pieces = toPieces(data);
    let size = 0;
    for (const { length } of pieces) size += length;
    this.awaitCallback(this.callback(caller, () => this.#instance?.outputv?.(pieces, size)));
    this.bytesOut += size;
  }

  #takeExit(from: Sender, reason: Reason, linked: boolean): void {
    if (linked && !this.links.delete(from)) return;
    // Over a link only the owner's normal end is the port's as well.
    if (linked && reason === 'normal' && from !== this.owner) return;
    this.close(reason);
  }

  #takeDown(monitor: Monitor): void {
    if (this.end.endMonitor(monitor)) this.event((instance) => instance.process_exit?.(monitor));
  }

  /** Does what had to wait for it. */
  #callbackEnded(): void {
    this.#running = false;
    if (this.#state.value === 'closing') return this.#tellEnd();
    if (this.end.queue.size === 0) this.drained();
    // Not from within itself: drivers may play ping-pong for longer than the stack is deep.
    if (this.#postponed.length > 0 && !this.#catchingUp) this.#catchUp();
  }

  #catchUp(): void {
    this.#catchingUp = true;
    for (const run of this.#postponed) run();
    this.#postponed = [];
    this.#catchingUp = false;
  }

  /** A callback that is to answer, now or as a promise. Whoever asks gets badarg where it fails. */
  #ask<T>(caller: Pid | undefined, run: () => unknown, check: (answer: unknown) => T): T | Promise<T> {
    const answers: (T | Promise<T>)[] = [];
    this.callback(caller, () => {
      const answer = run();
      answers.push(isPromise(answer) ? this.#later(answer, check) : check(answer));
    });
    if (answers.length === 0) throw badarg(`${this.id} has failed`);
    return answers[0] as T | Promise<T>;
  }

  /** An answer that takes time; badarg when the port ends before. */
  #later<T>(answer: PromiseLike<unknown>, check: (answer: unknown) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => reject(badarg(`${this.id} is closed`));
      // An answer of a callback that has ended its port may be on its way: a tube's last packet, to who has asked for it.
      if (this.isClosed) setImmediate(giveUp);
      else this.#unanswered.add(giveUp);
      const settled = answer.then(check).then(resolve, (error: unknown) => {
        if (isRefusal(error)) return reject(error);
        this.fail(exitReason(error));
        giveUp();
      });
      void settled.then(() => this.#unanswered.delete(giveUp));
    });
  }

  #answerOpener(): void {
    if (this.#opener === undefined || this.#acknowledged === undefined) return;
    const { error } = this.#acknowledged;
    if (error === undefined) this.#opener.resolve(this.id);
    else this.#opener.reject(error);
  }

  #unlinkOwner(): void {
    this.links.delete(this.owner);
    this.owner.receiver?.signal({ type: 'unlink', from: this.id });
  }

  /** For everybody but its driver, and who asks that, this is the end. */
  #tellEnd(): void {
    this.#isTelling = true;
    this.runtime.dropPort(this.id);
    this.end.endMonitors();
    this.links.breakAll(this.id, this.#exitReason);
    this.watchers.tellAll(this.#exitReason);
    this.busy.abandon();
    if (!this.#flushes || this.end.queue.size === 0) return this.terminate();
    this.#transition('FLUSH');
    this.event((instance) => instance.flush?.());
  }

  #transition(type: 'CLOSE' | 'FLUSH' | 'DONE'): boolean {
    this.#state = portLifecycle.transition(this.#state, { type });
    return this.#state.changed === true;
  }
}

/** Undefined is Erlang's NULL. */
export type ControlAnswer = Uint8Array | undefined;

function isRefusal(error: unknown): boolean {
  return error instanceof ErlangError && error.reason === 'badarg';
}
