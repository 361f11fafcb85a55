import type { Actor } from '../actors/actor.js';
import { badarg, ErlangError, exitReason } from '../actors/errors.js';
import type { Pid, Port } from '../actors/identifiers.js';
import { Links } from '../actors/links.js';
import type { Monitor } from '../actors/monitors.js';
import { bringAbout, raisedHere } from '../actors/raised-here.js';
import type { Reason, Receiver, Sender, Signal } from '../actors/signal.js';
import type { Suspension } from '../actors/suspension.js';
import { Watchers } from '../actors/watchers.js';
import type { Driver, DriverInstance, DriverPort } from './driver.js';
import { checkBytes, checkInstance, checkTerm, runLast } from './driver-answers.js';
import { DriverEnd } from './driver-end.js';
import { inEmergency, noEmergency } from './emergency.js';
import { type IoData, toBytes, toPieces } from './iodata.js';
import { type Act, PortBusy } from './port-busy.js';
import { PortCallbacks } from './port-callbacks.js';
import { portLifecycle } from './port-lifecycle.js';
import type { PortOptions } from './port-options.js';
import type { PortRuntime } from './port-runtime.js';
import { raisedBy } from './posix.js';
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

  readonly callbacks = new PortCallbacks(this);
  readonly end: DriverEnd;
  #instance: DriverInstance | undefined = undefined;
  #state = portLifecycle.initialState;
  #exitReason: Reason;
  #flushes = true;
  #isTelling = false;
  #answersClose = false;
  #acknowledged: { readonly error: unknown } | undefined = undefined;
  #opener: Suspension<Port> | undefined = undefined;

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
      () => this.isOpen && !this.callbacks.running,
      (process) => runtime.tellSystemMonitor([process, 'busy_port', this.id]),
    );
    this.id = runtime.makePort(this);
    this.end = new DriverEnd(this);
    runtime.opened(this);
    this.connect(owner);
    this.callbacks.runFirst(() => {
      try {
        this.#instance = checkInstance(driver, start(this.end));
        inEmergency(this.#instance);
      } catch (error) {
        // Not told to the owner: for whoever has asked for the port there has never been one.
        this.exit(exitReason(error));
        throw error;
      }
    });
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
    if (this.callbacks.running) {
      this.callbacks.postpone(() => this.message(message, sender));
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
    if (inPieces(instance, data)) return this.#commandInPieces(instance, data, caller);
    const bytes = toBytes(data);
    this.callbacks.run(caller, () => this.#output(instance, bytes));
  }

  /**
   * Commands with those from that place on, until all of them are through or the port is busy; how many were. Raises badarg
   * where one of them does; those before it are through then.
   */
  commandMany(data: readonly unknown[], from: number, caller: Pid): number {
    const instance = this.#instance as DriverInstance;
    let next = from;
    this.callbacks.run(caller, () => {
      for (; next < data.length && this.isOpen && !this.busy.holdsUp; next++) {
        const each = data[next];
        if (inPieces(instance, each)) this.#outputInPieces(instance, toPieces(each));
        else this.#output(instance, toBytes(each));
      }
    });
    return next - from;
  }

  /** As command, when the port is not busy any more, for a process that is suspended until then. */
  commandLater(data: IoData, process: Pid): Promise<true> {
    const act = this.#actLater(() => this.command(data, process));
    return raisedHere(this.busy.wait(process, act) as Promise<true>);
  }

  /** Does something for a process that is suspended until what it has sent to the port before has been delivered. */
  doBehind(process: Pid, act: () => void): Promise<true> {
    return raisedHere(this.busy.waitBehind(process, this.#actLater(act)) as Promise<true>);
  }

  /** Raises badarg for a driver that knows no control, refuses, or fails. */
  control(operation: number, data: unknown, caller: Pid): ControlAnswer | Promise<ControlAnswer> {
    const bytes = toBytes(data);
    const instance = this.#instance as DriverInstance;
    if (!instance.control) throw badarg(`driver ${this.driver.name} has no callback control`);
    return this.callbacks.ask(
      caller,
      () => instance.control?.(operation, bytes),
      (answer) => checkBytes(this.driver, answer),
    );
  }

  /** Raises badarg for a driver that knows no call, refuses, fails, or answers nothing. */
  call(operation: number, argument: unknown, caller: Pid): unknown {
    if (!this.#instance?.call) throw badarg(`driver ${this.driver.name} has no callback call`);
    return this.callbacks.ask(caller, () => this.#instance?.call?.(operation, argument), checkTerm);
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
    if (!this.callbacks.running) this.#tellEnd();
  }

  /** As close, and the owner is told when it is over. */
  closeAndAnswer(): void {
    this.#answersClose = true;
    this.close('normal');
  }

  /** What its driver adds to port_info. */
  driverInfo(): Readonly<Record<string, unknown>> {
    const info = this.callbacks.run(undefined, () => this.#instance?.info?.());
    this.callbacks.heed(info);
    return { ...info };
  }

  /** Suspends who has opened it until the driver says that it is ready. */
  untilAcknowledged(opener: Actor): Promise<Port> {
    this.#opener = opener.suspend<Port>();
    this.#answerOpener();
    return raisedHere(this.#opener.promise);
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
    this.#acknowledged = { error: raisedBy(error) };
    this.#answerOpener();
    if (error !== undefined) this.exit('normal');
  }

  /** A callback that nobody waits for, as of a timer; not when the port has ended. */
  event(run: (instance: DriverInstance) => unknown): void {
    this.callbacks.event(() => run(this.#instance as DriverInstance));
  }

  get instance(): DriverInstance | undefined {
    return this.#instance;
  }

  /** What a callback of its driver has done may be its end. */
  callbackEnded(): void {
    if (this.#state.value === 'closing') this.#tellEnd();
    else if (this.end.queue.size === 0) this.drained();
  }

  /** Nothing is queued any more: one that only waited for that ends. */
  drained(): void {
    if (this.#state.value === 'flushing' && !this.callbacks.running) this.terminate();
  }

  /** The very end, also of one that flushes. */
  terminate(): void {
    if (!this.#transition('DONE')) return;
    if (this.#instance) noEmergency(this.#instance);
    runLast(this.driver, 'stop', () => this.#instance?.stop?.());
    this.end.close();
    this.runtime.ended(this);
    this.callbacks.abandon();
    this.#acknowledged ??= { error: bringAbout(new ErlangError(this.#exitReason)) };
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
      throw bringAbout(badarg(`${this.id} is closed`));
    };
    return { deliver, giveUp };
  }

  #commandInPieces(instance: DriverInstance, data: unknown, caller: Pid | undefined): void {
    const pieces = toPieces(data);
    this.callbacks.run(caller, () => this.#outputInPieces(instance, pieces));
  }

  #output(instance: DriverInstance, bytes: Uint8Array): void {
    this.callbacks.heed(instance.output?.(bytes));
    this.bytesOut += bytes.length;
  }

  #outputInPieces(instance: DriverInstance, pieces: readonly Uint8Array[]): void {
    let size = 0;
    for (const { length } of pieces) size += length;
    this.callbacks.heed(instance.outputv?.(pieces, size));
    this.bytesOut += size;
  }

  #takeExit(from: Sender, reason: Reason, linked: boolean): void {
    if (linked && !this.links.delete(from)) return;
    // Who has ended, and is monitored as well: the driver hears of that before its own end, as in Erlang.
    if (linked) for (const monitor of this.end.monitorsOf(from)) this.#takeDown(monitor);
    // Over a link only the owner's normal end is the port's as well.
    if (linked && reason === 'normal' && from !== this.owner) return;
    this.close(reason);
  }

  #takeDown(monitor: Monitor): void {
    if (this.end.endMonitor(monitor)) this.event((instance) => instance.process_exit?.(monitor));
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

/** Whether the driver gets that in pieces: of two ways the one that needs least. */
function inPieces({ output, outputv }: DriverInstance, data: unknown): boolean {
  return outputv !== undefined && !(output !== undefined && data instanceof Uint8Array);
}

/** Undefined is Erlang's NULL. */
export type ControlAnswer = Uint8Array | undefined;
