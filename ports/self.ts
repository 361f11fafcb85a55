import { badarg, ErlangError } from '../actors/errors.js';
import { formatShort } from '../actors/format.js';
import { type AnyMessage, Pid, Port, type Reference } from '../actors/identifiers.js';
import { parseFlags } from '../actors/options.js';
import { Process } from '../actors/process.js';
import type { SpawnAnswer, SpawnOption } from '../actors/process-options.js';
import { raisedHere } from '../actors/raised-here.js';
import { type List, list, toList } from '../actors/term.js';
import { isPromise } from './driver-answers.js';
import type { IoData } from './iodata.js';
import { type ControlAnswer, PortObject } from './port.js';
import { type PortInfo, type PortInfoAnswer, type PortInfoItem, portInfo } from './port-info.js';
import { type PortName, parsePortName } from './port-name.js';
import { type DataOf, type PortOption, parsePortOptions } from './port-options.js';
import type { PortRuntime } from './port-runtime.js';
import { raisedBy } from './posix.js';

export type { PortInfo } from './port-info.js';
export type { PortName } from './port-name.js';
export type { PortOption } from './port-options.js';

/**
 * `self`: what the program of a process gets, with Erlang's functions for processes and for ports.
 *
 * A port is named by its identifier, or by the name it is registered under. Where the Erlang manual says badarg,
 * an {@link ErlangError} with that reason is raised; all of them raise it for a port that is closed.
 *
 * `M` is what the process receives, from others, from ports and as signals; without it anything.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface adds no member, it types those of Process
export class Self<M = AnyMessage> extends Process<M> {
  declare readonly runtime: PortRuntime;

  /**
   * Opens a port on a driver. The caller becomes its owner and is linked to it. Where the driver ends the port while
   * it starts, that is an exit signal as any other.
   * @throws badarg for an unknown driver or option, and for a driver that takes its time to start (useInitAck), which
   * {@link openPortAsync} waits for; or whatever the driver's start raises
   */
  open_port<const O extends readonly PortOption[] = readonly []>(
    name: PortName,
    options?: O,
  ): Port<DataOf<O>> {
    return this.openPort(name, options, 'at once').id as Port<DataOf<O>>;
  }

  /** As open_port, on any driver: on one with useInitAck the caller is suspended until that says that it is ready. */
  async openPortAsync<const O extends readonly PortOption[] = readonly []>(
    name: PortName,
    options?: O,
  ): Promise<Port<DataOf<O>>> {
    const opened = this.openPort(name, options);
    const port = opened.driver.useInitAck ? opened.untilAcknowledged(this) : opened.id;
    return port as Port<DataOf<O>> | Promise<Port<DataOf<O>>>;
  }

  private openPort(name: PortName, options: readonly PortOption[] = [], when?: 'at once'): PortObject {
    this.ensureAlive();
    const { drivers } = this.runtime;
    const parsed = parsePortName(name, (each) => drivers.isSpawned(each));
    const driver = drivers.get(parsed.driver);
    if (!driver) throw badarg(`there is no driver ${parsed.driver}`);
    if (driver.useInitAck && when === 'at once')
      throw badarg(`driver ${driver.name} takes its time to start: openPortAsync waits for it`);
    const parsedOptions = parsePortOptions(options, driver, parsed);
    const opened = this.runtime.openPort(driver, this.pid, parsed.name, parsedOptions, (port) => {
      try {
        return driver.start(port, parsed.command, parsedOptions);
      } catch (error) {
        throw raisedBy(error);
      }
    });
    this.ensureAlive();
    return opened;
  }

  /**
   * Gives data to the port's driver; anybody may. Nothing says whether it has arrived anywhere: on a tube, a packet
   * that finds the ring full is dropped and counted.
   *
   * A port that is busy suspends its caller: then the answer is **a promise** of true, **to be awaited**. With `nosuspend`
   * it is false instead, and nothing is sent; with `force` it is sent all the same. Data of one process stay in order: what
   * comes after data that it has not awaited waits for these, with `force` too, and with `nosuspend` the answer is false.
   * The process does not end before they are delivered, unless it crashes or is killed; then they are not.
   * @throws badarg for a closed port, also where it closes before a promise is settled; for what is no iodata, and for
   * what the driver refuses (a tube: 0 or more than 4096 bytes); nothing has been sent then. notsup for `force` on a
   * driver that is not softBusy
   */
  port_command(port: Port | string, data: IoData): true | Promise<true>;
  port_command(port: Port | string, data: IoData, options: readonly CommandOption[]): boolean | Promise<true>;
  port_command(
    port: Port | string,
    data: IoData,
    options?: readonly CommandOption[],
  ): boolean | Promise<true> {
    if (options !== undefined) return this.commandWith(port, data, options);
    const found = this.findPort(port);
    if (found.busy.holdsUp) return found.commandLater(data, this.pid);
    found.command(data, this.pid);
    this.ensureAlive();
    return true;
  }

  /**
   * Ours: port_command with each of them from that place on, in order, until all are through or the port is busy; answers
   * how many are, and never waits. 0 also when the caller has to wait behind what it has sent before.
   * @throws badarg as port_command does; those before what is no iodata are through then
   */
  commandMany(port: Port | string, data: readonly IoData[], from = 0): number {
    const found = this.findPort(port);
    if (!Array.isArray(data)) throw badarg(`the packets have to be an array, not ${formatShort(data)}`);
    if (!Number.isSafeInteger(from) || from < 0)
      throw badarg(`${formatShort(from)} is no place in the packets`);
    if (found.busy.holdsUp) return 0;
    const through = found.commandMany(data, from, this.pid);
    this.ensureAlive();
    return through;
  }

  private commandWith(
    port: Port | string,
    data: IoData,
    options: readonly CommandOption[],
  ): boolean | Promise<true> {
    const flags = parseFlags(options, COMMAND_OPTIONS);
    const forced = flags.includes('force');
    if (forced && !this.findPort(port, 'or flushing').driver.softBusy) throw new ErlangError('notsup');
    const found = this.findPort(port);
    if (found.busy.holdsUp) {
      const isBehind = found.busy.holds(this.pid);
      if (flags.includes('nosuspend')) {
        if (isBehind || (found.busy.isSet && !forced)) return false;
      } else if (!forced) return found.commandLater(data, this.pid);
      else if (isBehind) return found.doBehind(this.pid, () => found.command(data, this.pid));
    }
    found.command(data, this.pid);
    this.ensureAlive();
    return true;
  }

  /**
   * Asks the driver for something: operation (0 to 2^32 - 1) and meaning of the data are the driver's. The answer
   * is a Buffer, or a list of bytes, as the driver says; **a promise of it** where the driver has to wait, so await it.
   * @throws badarg for a closed port, also where it closes before a promise is settled
   */
  port_control(port: Port | string, operation: number, data: IoData): Bytes | Promise<Bytes> {
    const found = this.findPort(port, 'or flushing');
    checkOperation(operation);
    const answer = found.control(operation, data, this.pid);
    this.ensureAlive();
    if (isPromise(answer)) return this.awaitAnswer(answer.then((bytes) => toAnswer(found, bytes)));
    return toAnswer(found, answer);
  }

  /** As port_control, but a term for a term. Of a driver that has to wait it is **a promise** as well. */
  port_call(port: Port | string, operation: number, argument: unknown): unknown {
    const found = this.findPort(port, 'or flushing');
    checkOperation(operation);
    const answer = found.call(operation, argument, this.pid);
    this.ensureAlive();
    return isPromise(answer) ? this.awaitAnswer(answer) : answer;
  }

  /**
   * Makes a living process the owner, and links it; who was owner before stays linked. Anybody may. Where data wait that
   * the caller has sent and not awaited, it comes after them, and the answer is **a promise**.
   */
  port_connect(port: Port | string, owner: Pid): true | Promise<true> {
    const found = this.findPort(port);
    return this.inOrder(found, () => {
      if (!(owner instanceof Pid) || owner.receiver === undefined)
        throw badarg(`the new owner ${formatShort(owner)} is no living process`);
      found.connect(owner);
    });
  }

  /**
   * Closes the port; anybody may. Exit signals (reason normal) have been delivered when it returns. Where data wait that
   * the caller has sent and not awaited, it comes after them, and the answer is **a promise**; exit(Port, Reason) does not wait.
   */
  port_close(port: Port | string): true | Promise<true> {
    const found = this.findPort(port);
    return this.inOrder(found, () => found.close('normal'));
  }

  /**
   * One item as `[item, value]`, or a list of the usual ones; the atom `'undefined'` for a closed port. The name of a port, which
   * in Erlang is a list of characters, is text.
   */
  port_info(port: Port | string): 'undefined' | List<PortInfo>;
  port_info<I extends PortInfoItem>(port: Port | string, item: I): 'undefined' | PortInfoAnswer<I>;
  port_info<I extends object, K extends keyof I>(port: Port<unknown, I>, item: K): 'undefined' | [K, I[K]];
  port_info(port: Port | string, item?: string): 'undefined' | List<PortInfo> | [string, unknown];
  port_info(port: Port | string, item?: string): unknown {
    this.ensureAlive();
    if (!(port instanceof Port) && typeof port !== 'string') throw badarg(`${formatShort(port)} is no port`);
    const id = typeof port === 'string' ? this.runtime.whereis(port) : port;
    return portInfo(id instanceof Port ? this.runtime.openPorts.get(id) : undefined, item);
  }

  /** Keeps a term with the port, for anybody to {@link port_get_data}. */
  port_set_data(port: Port | string, data: unknown): true {
    this.findPort(port).data = data;
    return true;
  }

  /** What port_set_data has kept last; the atom `'undefined'` before. */
  port_get_data(port: Port | string): unknown {
    return this.findPort(port).data;
  }

  /** The open ports of this runtime, and those that are closed and still flush their queue. */
  ports(): List<Port> {
    this.ensureAlive();
    return toList([...this.runtime.openPorts.keys()]);
  }

  /**
   * Who is told `{monitor, Pid, busy_port, Port}` of each process that a busy port suspends: the one option there is. With
   * `undefined` or no option nobody is. Answers the former setting.
   */
  system_monitor(): 'undefined' | [Pid, List<'busy_port'>];
  system_monitor(
    monitor: Pid | 'undefined',
    options?: readonly 'busy_port'[],
  ): 'undefined' | [Pid, List<'busy_port'>];
  system_monitor(...setting: [monitor?: Pid | 'undefined', options?: readonly 'busy_port'[]]): unknown {
    this.ensureAlive();
    const { runtime } = this;
    const [monitor, options = []] = setting;
    const former = runtime.systemMonitor;
    if (setting.length > 0) {
      const isOn = parseFlags(options, ['busy_port']).length > 0;
      if (monitor !== 'undefined' && !(monitor instanceof Pid && monitor.receiver !== undefined))
        throw badarg(`${formatShort(monitor)} is no living process`);
      runtime.systemMonitor = isOn && monitor instanceof Pid ? monitor : undefined;
    }
    return former?.receiver === undefined ? 'undefined' : [former, list('busy_port')];
  }

  private awaitAnswer<T>(answer: PromiseLike<T>): Promise<T> {
    const suspension = this.suspend<T>();
    answer.then(
      (value) => suspension.resolve(value),
      (error: unknown) => suspension.reject(error),
    );
    return raisedHere(suspension.promise);
  }

  /**
   * A promise of when what this process has sent to the port and not awaited has been delivered, or the port has closed;
   * undefined when there is nothing to wait for.
   */
  sent(port: Port): Promise<void> | undefined {
    const { receiver } = port;
    if (!(receiver instanceof PortObject)) return undefined;
    return receiver.busy.waitBehind<void>(this.pid, { deliver() {}, giveUp() {} });
  }

  /** At once, or after data of this process that wait for the port. */
  private inOrder(port: PortObject, act: () => void): true | Promise<true> {
    if (port.busy.holds(this.pid)) return port.doBehind(this.pid, act);
    act();
    this.ensureAlive();
    return true;
  }

  /** Raises badarg for one that is closed; its driver can still be asked while it flushes. */
  private findPort(port: Port | string, state?: 'or flushing'): PortObject {
    this.ensureAlive();
    const id = typeof port === 'string' ? this.runtime.whereis(port) : port;
    if (!(id instanceof Port))
      throw badarg(
        typeof port === 'string' ? `no port is registered as ${port}` : `${formatShort(port)} is no port`,
      );
    const { receiver } = id;
    if (receiver instanceof PortObject) return receiver;
    const flushing = state === undefined ? undefined : this.runtime.openPorts.get(id);
    if (flushing === undefined) throw badarg(`${id} is closed`);
    return flushing;
  }
}

/** The children of a `Self` have one too. */
export interface Self<M> extends Process<M> {
  spawn<N = AnyMessage, A extends unknown[] = []>(
    body: (self: Self<N>, ...args: A) => unknown,
    ...args: A
  ): Pid<N>;
  spawn_link<N = AnyMessage, A extends unknown[] = []>(
    body: (self: Self<N>, ...args: A) => unknown,
    ...args: A
  ): Pid<N>;
  spawn_monitor<N = AnyMessage, A extends unknown[] = []>(
    body: (self: Self<N>, ...args: A) => unknown,
    ...args: A
  ): [Pid<N>, Reference];
  spawn_opt<N = AnyMessage, const O extends readonly SpawnOption[] = readonly SpawnOption[]>(
    body: (self: Self<N>) => unknown,
    options: O,
  ): SpawnAnswer<N, O>;
}

export type CommandOption = 'force' | 'nosuspend';
const COMMAND_OPTIONS: readonly CommandOption[] = ['force', 'nosuspend'];

/** A port_control answer. */
export type Bytes = Buffer | List<number>;

function checkOperation(operation: unknown): void {
  if (typeof operation !== 'number' || operation >>> 0 !== operation) {
    throw badarg(`the operation has to be an integer from 0 to 2^32 - 1, not ${formatShort(operation)}`);
  }
}

function toAnswer(port: PortObject, bytes: ControlAnswer): Bytes {
  if (bytes === undefined) return list();
  if (!port.binaryControl) return toList(Array.from(bytes));
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
}
