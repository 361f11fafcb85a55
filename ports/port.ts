import { inspect } from 'node:util';
import { badarg, ErlangError, exitReason } from '../actors/errors.js';
import { Pid, type Port } from '../actors/identifiers.js';
import { Links } from '../actors/links.js';
import type { Reason, Receiver, Sender, Signal } from '../actors/signal.js';
import { isTuple, toList } from '../actors/term.js';
import { Watchers } from '../actors/watchers.js';
import type { Driver, DriverInstance, DriverPort } from './driver.js';
import { toBytes } from './iodata.js';
import { portLifecycle } from './port-lifecycle.js';
import type { PortOptions } from './port-options.js';
import type { PortRuntime } from './port-runtime.js';

/**
 * A port: a receiver of signals, as a process is, with a driver behind it and an owner in front.
 *
 * The functions that programs call (port_command ...) are on {@link Self}; they and the messages a port
 * understands come down to the few methods here. Semantics are those of Erlang/OTP 25.
 */
export class PortObject implements Receiver {
  readonly id: Port;
  registeredName: string | undefined = undefined;
  owner: Pid;
  readonly links = new Links();
  readonly watchers = new Watchers();
  /** Bytes from the driver to the owner, and to the driver. */
  bytesIn = 0;
  bytesOut = 0;

  /** port_set_data. */
  data: unknown = 'undefined';
  /** The driver and its command, as the port was opened. */
  readonly name: string;

  readonly #runtime: PortRuntime;
  readonly #binary: boolean;
  readonly #instance: DriverInstance;
  #state = portLifecycle.initialState;
  #exitReason: Reason;
  #answersClose = false;
  /** Whether a callback of the driver runs, on behalf of whom, and what has to wait for its end. */
  #running = false;
  #caller: Pid | undefined;
  #postponed: { message: unknown; sender: Sender | undefined }[] = [];
  #catchingUp = false;
  readonly #unanswered = new Set<() => void>();

  /** Opens it, linked to its owner. Raises what the driver's start raises. */
  constructor(
    runtime: PortRuntime,
    readonly driver: Driver,
    { owner, name, command }: { owner: Pid; name: string; command: string },
    options: PortOptions,
  ) {
    this.#runtime = runtime;
    this.owner = owner;
    this.name = name;
    this.#binary = options.binary;
    this.id = runtime.makePort(this);
    runtime.openPorts.add(this);
    this.#running = true;
    try {
      this.#instance = driver.start(this as unknown as DriverPort, command, options);
    } catch (error) {
      this.#drop();
      this.#transition('DONE');
      throw error;
    }
    this.connect(this.owner);
    this.#callbackEnded();
  }

  // ---- As a receiver

  /** `{Owner, {command, Data}}`, `{Owner, {connect, Pid}}`, `{Owner, close}`; anything else is a badsig. */
  message(message: unknown, sender?: Sender): void {
    if (this.#running) this.#postponed.push({ message, sender });
    else this.#take(message, sender);
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
        // Ports monitor nobody.
        return;
    }
  }

  // ---- What programs do to it

  /** Raises badarg for what is no iodata, or what the driver refuses. */
  command(data: unknown, caller: Pid | undefined): void {
    const bytes = toBytes(data);
    this.#call(caller, () => this.#instance.output?.(bytes));
    this.bytesOut += bytes.length;
  }

  /** Raises badarg for a driver that knows no control, or refuses. */
  control(operation: number, data: unknown, caller: Pid): Uint8Array | Promise<Uint8Array> {
    const bytes = toBytes(data);
    if (!this.#instance.control) throw badarg();
    // A driver that fails has ended its port; whoever called still gets an answer, and learns of it as others do.
    const answer =
      this.#call<Uint8Array | undefined | Promise<Uint8Array>>(caller, () =>
        this.#instance.control?.(operation, bytes),
      ) ?? Buffer.alloc(0);
    return answer instanceof Uint8Array ? answer : this.#laterAnswer(answer);
  }

  /** Raises badarg for a driver that knows no call, refuses, or answers nothing. */
  call(operation: number, argument: unknown, caller: Pid): unknown {
    const answer = this.#call(caller, () => this.#instance.call?.(operation, argument));
    if (answer === undefined) throw badarg();
    return answer;
  }

  connect(owner: Pid): void {
    this.owner = owner;
    this.links.add(owner);
    owner.receiver?.signal({ type: 'link', from: this.id });
  }

  /** Ends the port: exit signals, then 'DOWN', then the driver's stop. Without effect when that is under way. */
  close(reason: Reason): void {
    if (!this.#transition('CLOSE')) return;
    this.#exitReason = reason === 'kill' ? 'killed' : reason;
    if (!this.#running) this.#end();
  }

  /** What its driver adds to port_info. */
  driverInfo(): Readonly<Record<string, unknown>> {
    return this.#call(undefined, () => this.#instance.info?.()) ?? {};
  }

  // ---- What its driver does

  connected(): Pid {
    return this.owner;
  }

  caller(): Pid | undefined {
    return this.#caller;
  }

  output(data: Buffer): void {
    if (this.#state.value !== 'open') return;
    this.bytesIn += data.length;
    // Not list(...data): a call takes no more arguments than the stack has room for.
    const term = this.#binary ? data : toList(Array.from(data));
    this.owner.receiver?.message([this.id, ['data', term]], this.id);
  }

  send_term(receiver: Pid, message: unknown): void {
    receiver.receiver?.message(message, this.id);
  }

  failure_eof(): void {
    this.close('normal');
  }

  failure(reason: Reason): void {
    this.close(reason);
  }

  // ---- Inside

  #take(message: unknown, sender: Sender | undefined): void {
    const request = parseRequest(message);
    if (request === undefined || request.owner !== this.owner) return this.#badsig();
    switch (request.type) {
      case 'command':
        return this.#takeCommand(request.data, sender);
      case 'connect': {
        // Not linked, and not asked whether it is alive: as Erlang does it, unlike port_connect.
        const { owner } = this;
        this.owner = request.pid;
        owner.receiver?.message([this.id, 'connected'], this.id);
        return;
      }
      case 'close':
        this.#answersClose = true;
        this.close('normal');
    }
  }

  #takeCommand(data: unknown, sender: Sender | undefined): void {
    try {
      this.command(data, sender instanceof Pid ? sender : undefined);
    } catch {
      // Only what is wrong with the data gets here.
      this.#badsig();
    }
  }

  /** An exit signal to the owner, linked or not, whoever sent the message; the port goes on. */
  #badsig(): void {
    this.owner.receiver?.signal({ type: 'exit', from: this.id, reason: 'badsig', linked: false });
  }

  #takeExit(from: Sender, reason: Reason, linked: boolean): void {
    if (linked && !this.links.delete(from)) return;
    // Over a link only the owner's normal end is the port's as well.
    if (linked && reason === 'normal' && from !== this.owner) return;
    this.close(reason);
  }

  /** Runs a callback of the driver, which may end its port. Raises badarg where that is what it throws. */
  #call<T>(caller: Pid | undefined, callback: () => T): T | undefined {
    // Only a driver, or a guard of a receive, that calls functions of a process can get here.
    if (this.#running) throw new Error('a callback of this port is running');
    this.#running = true;
    this.#caller = caller;
    try {
      return callback();
    } catch (error) {
      if (isRefusal(error)) throw error;
      this.close(exitReason(error));
      return undefined;
    } finally {
      this.#caller = undefined;
      this.#callbackEnded();
    }
  }

  /** Does what had to wait for it. */
  #callbackEnded(): void {
    this.#running = false;
    if (this.#state.value === 'closing') return this.#end();
    // Not from within itself: drivers may play ping-pong for longer than the stack is deep.
    if (this.#catchingUp) return;
    this.#catchingUp = true;
    for (const { message, sender } of this.#postponed) {
      if (this.#state.value === 'open') this.#take(message, sender);
    }
    this.#postponed = [];
    this.#catchingUp = false;
  }

  /** The answer of a control that takes time; badarg when the port ends before. */
  #laterAnswer(answer: Promise<Uint8Array>): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => reject(badarg());
      this.#unanswered.add(giveUp);
      const settled = answer.then(resolve, (error: unknown) => {
        if (!isRefusal(error)) this.close(exitReason(error));
        giveUp();
      });
      void settled.then(() => this.#unanswered.delete(giveUp));
    });
  }

  #end(): void {
    this.#drop();
    this.links.breakAll(this.id, this.#exitReason);
    this.watchers.tellAll(this.#exitReason);
    try {
      this.#instance.stop?.();
    } catch (error) {
      process.emitWarning(`driver ${this.driver.name} failed to stop: ${inspect(error)}`, 'PortWarning');
    }
    this.#transition('DONE');
    for (const giveUp of this.#unanswered) giveUp();
    if (this.#answersClose) this.owner.receiver?.message([this.id, 'closed'], this.id);
  }

  /** Nobody finds it any more, neither by its identifier nor by its name. */
  #drop(): void {
    this.#runtime.dropPort(this.id);
    this.#runtime.openPorts.delete(this);
  }

  #transition(type: 'CLOSE' | 'DONE'): boolean {
    this.#state = portLifecycle.transition(this.#state, { type });
    return this.#state.changed === true;
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof ErlangError && error.reason === 'badarg';
}

type Request =
  | { owner: Pid; type: 'command'; data: unknown }
  | { owner: Pid; type: 'connect'; pid: Pid }
  | { owner: Pid; type: 'close' };

function parseRequest(message: unknown): Request | undefined {
  if (!isTuple(message) || message.length !== 2) return undefined;
  const [owner, what] = message;
  if (!(owner instanceof Pid)) return undefined;
  if (what === 'close') return { owner, type: 'close' };
  if (!isTuple(what) || what.length !== 2) return undefined;
  const [verb, argument] = what;
  if (verb === 'command') return { owner, type: 'command', data: argument };
  if (verb === 'connect' && argument instanceof Pid) return { owner, type: 'connect', pid: argument };
  return undefined;
}
