import { badarg, ErlangError, exitReason } from '../actors/errors.js';
import { Pid, type Port } from '../actors/identifiers.js';
import { Links } from '../actors/links.js';
import type { Reason, Receiver, Sender, Signal } from '../actors/signal.js';
import { list } from '../actors/term.js';
import { Watchers } from '../actors/watchers.js';
import type { Driver, DriverInstance, DriverPort } from './driver.js';
import { toBytes } from './iodata.js';
import { portLifecycle } from './port-lifecycle.js';
import type { PortRuntime } from './port-runtime.js';

/**
 * A port: a receiver of signals, as a process is, with a driver behind it and an owner in front.
 *
 * The functions that programs call (port_command ...) are on {@link Self}; they and the messages a port
 * understands come down to the few methods here. Semantics are those of Erlang/OTP 25.
 */
export class PortObject implements Receiver, DriverPort {
  readonly id: Port;
  registeredName: string | undefined = undefined;
  owner: Pid;
  readonly links = new Links();
  readonly watchers = new Watchers();
  /** Bytes from the driver to the owner, and to the driver. */
  bytesIn = 0;
  bytesOut = 0;

  readonly #runtime: PortRuntime;
  readonly #binary: boolean;
  readonly #instance: DriverInstance;
  #state = portLifecycle.initialState;
  #exitReason: Reason;
  #callbacks = 0;
  #caller: Pid | undefined;
  readonly #unanswered = new Set<(error: Error) => void>();

  constructor(
    runtime: PortRuntime,
    readonly driver: Driver,
    options: { owner: Pid; command: string; binary: boolean },
  ) {
    this.#runtime = runtime;
    this.owner = options.owner;
    this.#binary = options.binary;
    this.id = runtime.makePort(this);
    runtime.openPorts.add(this);
    try {
      this.#instance = driver.start(this, options.command);
    } catch (error) {
      this.#drop();
      throw error;
    }
  }

  get name(): string {
    return this.driver.name;
  }

  // ---- As a receiver

  /** `{Owner, {command, Data}}`, `{Owner, {connect, Pid}}`, `{Owner, close}`; anything else is a badsig. */
  message(message: unknown, sender?: Sender): void {
    const request = parseRequest(message);
    if (request === undefined || request.owner !== this.owner) return this.#badsig();
    switch (request.type) {
      case 'command':
        return this.#commandMessage(request.data, sender);
      case 'connect': {
        // Not linked, and not asked whether it is alive: as Erlang does it, unlike port_connect.
        const { owner } = this;
        this.owner = request.pid;
        owner.receiver?.message([this.id, 'connected'], this.id);
        return;
      }
      case 'close': {
        const { owner } = this;
        this.close('normal', () => owner.receiver?.message([this.id, 'closed'], this.id));
      }
    }
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
        this.watchers.delete(signal.ref);
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

  /** Raises badarg for a driver that knows no control. */
  control(operation: number, data: unknown, caller: Pid): Uint8Array | Promise<Uint8Array> {
    const bytes = toBytes(data);
    if (!this.#instance.control) throw badarg();
    // A driver that fails has ended its port; whoever called still gets an answer, and learns of it as others do.
    const answer = this.#call(caller, () => this.#instance.control?.(operation, bytes)) ?? Buffer.alloc(0);
    return answer instanceof Uint8Array ? answer : this.#laterAnswer(answer);
  }

  connect(owner: Pid): void {
    this.owner = owner;
    this.links.add(owner);
    owner.receiver?.signal({ type: 'link', from: this.id });
  }

  /** Ends the port: exit signals, then 'DOWN', then the driver's stop, then `finally`. */
  close(reason: Reason, then?: () => void): void {
    if (!this.#transition('CLOSE')) return;
    this.#exitReason = reason === 'kill' ? 'killed' : reason;
    if (this.#callbacks === 0) this.#end();
    then?.();
  }

  info(): Readonly<Record<string, unknown>> {
    return {
      name: this.name,
      id: this.id.id,
      connected: this.owner,
      links: this.links.toList(),
      monitors: list(),
      monitored_by: this.watchers.toList(),
      input: this.bytesIn,
      output: this.bytesOut,
      os_pid: 'undefined',
      queue_size: 0,
      parallelism: false,
      locking: 'false',
      memory: 0,
      ...this.#instance.info?.(),
    };
  }

  // ---- What its driver does

  connected(): Pid {
    return this.owner;
  }

  caller(): Pid | undefined {
    return this.#caller;
  }

  output(data: Buffer): void {
    if (this.#state.value === 'closed') return;
    this.bytesIn += data.length;
    this.owner.receiver?.message([this.id, ['data', this.#binary ? data : list(...data)]], this.id);
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

  #commandMessage(data: unknown, sender: Sender | undefined): void {
    try {
      this.command(data, sender instanceof Pid ? sender : undefined);
    } catch {
      // Only what is wrong with the data gets here.
      this.#badsig();
    }
  }

  /** The answer of a control that takes time; badarg when the port ends before. */
  #laterAnswer(answer: Promise<Uint8Array>): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#unanswered.add(reject);
      answer.then(resolve, (error: unknown) => {
        this.close(exitReason(error));
        reject(badarg());
      });
      const settled = (): boolean => this.#unanswered.delete(reject);
      answer.then(settled, settled);
    });
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

  /** Runs a callback of the driver. A port that it closed, or its own error, ends after it. */
  #call<T>(caller: Pid | undefined, callback: () => T): T | undefined {
    const outer = this.#caller;
    this.#caller = caller;
    this.#callbacks++;
    try {
      return callback();
    } catch (error) {
      if (error instanceof ErlangError && error.reason === 'badarg') throw error;
      this.close(exitReason(error));
      return undefined;
    } finally {
      this.#caller = outer;
      this.#callbacks--;
      if (this.#callbacks === 0 && this.#state.value === 'closing') this.#end();
    }
  }

  #end(): void {
    this.#drop();
    this.links.breakAll(this.id, this.#exitReason);
    this.watchers.tellAll('port', this.#exitReason);
    try {
      this.#instance.stop?.();
    } finally {
      this.#transition('DONE');
      for (const reject of this.#unanswered) reject(badarg());
    }
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

type Request =
  | { owner: Pid; type: 'command'; data: unknown }
  | { owner: Pid; type: 'connect'; pid: Pid }
  | { owner: Pid; type: 'close' };

function parseRequest(message: unknown): Request | undefined {
  if (!Array.isArray(message) || message.length !== 2) return undefined;
  const [owner, what] = message as unknown[];
  if (!(owner instanceof Pid)) return undefined;
  if (what === 'close') return { owner, type: 'close' };
  if (!Array.isArray(what) || what.length !== 2) return undefined;
  const [verb, argument] = what as unknown[];
  if (verb === 'command') return { owner, type: 'command', data: argument };
  if (verb === 'connect' && argument instanceof Pid) return { owner, type: 'connect', pid: argument };
  return undefined;
}
