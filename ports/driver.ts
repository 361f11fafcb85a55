/**
 * What a driver can be asked, and what it can ask: Erlang's driver interface (erl_driver, driver_entry) as types.
 *
 * A driver is registered under a name; open_port makes an instance of it, which from then on is the other half of
 * a port. Callbacks of one port never overlap: messages that reach it while one runs wait until that has returned,
 * and so does the end of the port, unless the driver itself ends it. A callback that throws ends its port, with the error as
 * the reason, and one that is async when its promise is rejected; what is async goes on beside other callbacks after its first
 * await. Where the ErlangError `badarg` means something else, it says so.
 *
 * Functions in snake_case are Erlang's, without the prefix `driver_` or `erl_drv_`, and answer what those answer.
 */
import type { Pid, Port } from '../actors/identifiers.js';
import type { Monitor } from '../actors/monitors.js';
import type { Reason } from '../actors/signal.js';
import type { PortOptions } from './port-options.js';

/** What ErlDrvEntry is to Erlang: what all ports of one driver share. */
export interface Driver {
  /** At least a character. Those of the drivers that a domain has are taken. */
  readonly name: string;
  /** `{spawn, Command}` runs the program of that name instead; its bare name opens it, and spawn_driver does. */
  readonly hidesNoProgram?: boolean;
  /** ERL_DRV_FLAG_SOFT_BUSY: `force` makes port_command deliver to a busy port. */
  readonly softBusy?: boolean;
  /**
   * ERL_DRV_FLAG_USE_INIT_ACK: who opens a port is suspended until the instance calls {@link DriverPort.init_ack}. As
   * JavaScript cannot stop a function, it is openPortAsync that opens it, and open_port refuses.
   */
  readonly useInitAck?: boolean;
  /** ERL_DRV_FLAG_NO_BUSY_MSGQ: {@link DriverPort.busy_msgq_limits} are disabled. */
  readonly noBusyMessageQueue?: boolean;
  /** PORT_CONTROL_FLAG_BINARY, for all its ports: port_control answers a Buffer instead of a list of bytes. */
  readonly binaryControl?: boolean;
  /**
   * Names of options of open_port that are this driver's own: `name` or `[name, value]`; see {@link PortOptions.own}. Of
   * Erlang's, `exit_status` and `busy_limits_port` are refused unless they are named here.
   */
  readonly options?: readonly string[];
  /** Once, before the first port. What it throws, the registration throws. */
  init?(): void;
  /**
   * Makes the instance behind a new port, which may be used at once. `command` is what follows the name in
   * `{spawn, "name args"}`. What it throws, open_port raises: an ErlangError's reason, or of an Error whose `code` is the
   * name of an error of the operating system that name in lower case; there is no port then, and no stop(). An answer that is no object, or a promise, is
   * a TypeError. When the owner dies meanwhile, the port is closed as soon as it has started.
   */
  start(port: DriverPort, command: string, options: PortOptions): DriverInstance;
  /** Once, after its last port, when it is removed or replaced. */
  finish?(): void;
}

/** What a port asks of its driver. Callbacks that are absent do nothing, unless they say otherwise. */
export interface DriverInstance {
  /**
   * Data for the outside, as one piece of bytes (that the driver must not keep: they are the sender's), which may be
   * empty. Throwing ErlangError badarg refuses them: port_command raises it, and the port is unharmed.
   */
  output?(data: Uint8Array): void;
  /**
   * As output, in the pieces that the sender had, without copying; `size`: of all bytes. A driver that has both gets only
   * what is more than one Uint8Array in this way.
   */
  outputv?(data: readonly Uint8Array[], size: number): void;
  /**
   * port_control: the bytes to answer; undefined, Erlang's NULL, is answered by the empty list. What cannot be
   * answered at once is a promise, and then port_control's answer is one; the port goes on meanwhile. ErlangError
   * badarg, thrown or as a rejection, makes port_control raise it, and the port is unharmed. Any other error ends the
   * port, as does an answer that is no bytes, and port_control is badarg. Without this callback it is badarg, too.
   */
  control?(operation: number, data: Uint8Array): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /**
   * port_call: as control, but a term for a term. They are shared, not copied; an answer of undefined, which is no
   * term, is badarg.
   */
  call?(operation: number, argument: unknown): unknown;
  /**
   * The port is closed, but its queue is not empty: nobody but the driver knows of the port any more, and it ends as
   * soon as the driver has emptied the queue. Without this callback the driver is expected to do so by itself.
   */
  flush?(): void;
  /** The timer of {@link DriverPort.set_timer} has run out. */
  timeout?(): void;
  /** A selected descriptor can be read, or written; or so it seemed: both have to expect EAGAIN. */
  ready_input?(event: number): void;
  ready_output?(event: number): void;
  /** What a function called by {@link DriverPort.async} has answered. One that throws ends the port. */
  ready_async?(result: unknown): void;
  /** A process of {@link DriverPort.monitor_process} has ended, whyever. */
  process_exit?(monitor: DriverMonitor): void;
  /** A descriptor selected with ERL_DRV_USE is not watched any more and may be closed; this can come after stop(). */
  stop_select?(event: number): void;
  /**
   * The last callback: links and monitors have been told, and what is output is dropped. An error it throws is printed
   * as a warning, as nobody is left whom it could end.
   */
  stop?(): void;
  /**
   * Instead of stop(), when the OS process ends with the port open: only what can be done at once. Not when it is ended
   * by a signal that it does not handle.
   */
  emergency_close?(): void;
  /** Further items for port_info; Erlang's own cannot be replaced. */
  info?(): object;
}

/** Events of {@link DriverPort.select}; to be added up. */
export const ERL_DRV_READ = 1;
export const ERL_DRV_WRITE = 2;
export const ERL_DRV_USE = 4;
/** As ERL_DRV_USE, without stop_select(): the descriptor may be closed as soon as select has returned. */
export const ERL_DRV_USE_NO_CALLBACK = 12;

export const PORT_CONTROL_FLAG_BINARY = 1;

/** Low and high limit, in bytes: busy from the high one on, until there are less than the low one. */
export type BusyLimits = readonly [low: number, high: number] | 'disabled';

/** A process that a driver monitors: compare with `===`. */
export type DriverMonitor = Monitor;

/** A function to be called on another thread: what a module exports. */
export interface AsyncJob {
  /** Absolute path of the module, or its `file:` URL. */
  readonly filename: string;
  /** The export; `default` when not given. It takes the argument and answers the result, or a promise of it. */
  readonly name?: string;
  /**
   * Argument and result are copied between the threads, as postMessage does it. One that cannot be copied, as a function,
   * is an error of the job.
   */
  readonly argument?: unknown;
  /** ArrayBuffers of the argument that are moved instead. */
  readonly transfer?: readonly ArrayBuffer[];
  /**
   * Called instead of ready_async when the port has ended meanwhile: for a result that has to be given back. An error it
   * throws is printed as a warning.
   */
  readonly free?: (result: unknown) => void;
}

/**
 * A port as its driver sees it: the `driver_*` functions of erl_driver. Each raises a TypeError or a RangeError that names
 * the argument which is none of those that it takes, also when the port has ended; nothing has happened then.
 */
export interface DriverPort {
  readonly id: Port;

  // ---- Who is in front of it

  /** driver_connected: the owner, who may be dead. */
  connected(): Pid;
  /** driver_caller: who sent the command or called the control that is running. */
  caller(): Pid | undefined;

  // ---- Output. 0, or -1 when the port has ended. Lost when the owner is dead, or the port is closing.

  /** driver_output, driver_output_binary: `{Port, {data, Data}}` to the owner, as a Buffer or a list as the port was opened. */
  output(data: Uint8Array): 0 | -1;
  /** driver_output2: with the bytes of `header` as a list in front of the data, also where those are a binary. */
  output2(header: Uint8Array, data: Uint8Array): 0 | -1;
  /** driver_outputv: as output2, of several pieces, without their first `skip` bytes. */
  outputv(header: Uint8Array, data: readonly Uint8Array[], skip?: number): 0 | -1;
  /** erl_drv_output_term: any message to the owner. 1 when there was one to take it, 0 when not, -1 when the port has ended. */
  output_term(message: unknown): 1 | 0 | -1;
  /** erl_drv_send_term: any message, to anybody; answers as output_term. */
  send_term(receiver: Pid, message: unknown): 1 | 0 | -1;

  // ---- The end, at once: when these return, stop() has been called. What is queued is discarded, without flush.

  /** driver_failure_eof: ends the port with reason normal; one that was opened with option eof tells its owner instead. */
  failure_eof(): void;
  /** driver_failure_atom. */
  failure_atom(reason: string): void;
  /**
   * driver_failure_posix: the reason is the error's name in lower case. Takes its number, its name, or an error that has
   * either; numbers and Errors that are none of the operating system's are `unknown`.
   */
  failure_posix(error: PosixError): void;
  /** driver_failure: ends the port with that reason: Erlang's integers, or any term. */
  failure(reason: Reason): void;
  /** driver_exit: the owner is unlinked first, and is not told. 0 is normal, anything else as of failure_posix. */
  exit(error: PosixError): void;

  // ---- Time: one timer a port

  /** driver_set_timer: calls timeout() once, after so many whole milliseconds; an earlier one is replaced. */
  set_timer(milliseconds: number): void;
  cancel_timer(): void;
  /** driver_read_timer: milliseconds that are left; 0 when there is none. */
  read_timer(): number;

  // ---- Descriptors

  /**
   * driver_select: from here on (until it is switched off) ready_input() and ready_output() are called whenever the
   * descriptor can be read or written. `mode`: a sum of ERL_DRV_READ, ERL_DRV_WRITE and, as in Erlang, ERL_DRV_USE
   * to say that the driver uses the descriptor at all, which has to be switched off before it is closed. Throws what
   * epoll says of a bad one.
   */
  select(event: number, mode: number, on: boolean): void;

  // ---- Other threads

  /**
   * driver_async: has a function called by a pool of threads. Jobs with the same key run one after the other, in order;
   * those with key undefined at any time.
   */
  async(key: unknown, job: AsyncJob): void;
  /** driver_async_port_key: a key of this port's own. */
  async_port_key(): unknown;

  // ---- The queue: bytes that wait to get out. A closing port lives until it is empty.

  /** driver_enq, driver_enq_bin: at the end, as they are: bytes that are the sender's have to be copied. */
  enq(data: Uint8Array): void;
  enqv(data: readonly Uint8Array[], skip?: number): void;
  /** driver_pushq, driver_pushq_bin: in front. */
  pushq(data: Uint8Array): void;
  pushqv(data: readonly Uint8Array[], skip?: number): void;
  /**
   * driver_deq: takes so many bytes off the front. Answers how many are left; -1, and nothing happens, where there are
   * not so many. That none are left ends a closing port, once the running callback has returned.
   */
  deq(size: number): number;
  /**
   * driver_peekq, driver_peekqv: all pieces, in order; not to be changed, and valid until the queue is. Who takes a few
   * of many off the front asks for the first `count` only: all of them cost time for each.
   */
  peekq(count?: number): readonly Uint8Array[];
  /** driver_sizeq: bytes. */
  sizeq(): number;

  // ---- Being busy

  /**
   * set_busy_port: a busy port suspends whoever sends it command data, until it is not busy any more, when they are
   * delivered in order, soon after. A flag, not a count.
   */
  set_busy(busy: boolean): void;
  /**
   * erl_drv_busy_msgq_limits: of the commands that wait for a callback to return. Answers what they are; once disabled
   * they stay so. One thread runs all, so nobody can send while a callback runs, and nobody is ever suspended by them.
   */
  busy_msgq_limits(limits?: BusyLimits): BusyLimits;

  // ---- Processes and ports

  /** driver_monitor_process: undefined for one that is dead. Throws when the instance has no process_exit callback. */
  monitor_process(process: Pid): DriverMonitor | undefined;
  /** driver_demonitor_process: 0, or 1 when it was no monitor (any more). */
  demonitor_process(monitor: DriverMonitor): 0 | 1;
  /** driver_get_monitored_process: undefined when it is no monitor (any more). */
  get_monitored_process(monitor: DriverMonitor): Pid | undefined;
  /**
   * driver_create_port: another port of this driver, with an instance of its own, for a living process, which becomes
   * its owner and is linked; start is not called. Throws badarg when the process is dead.
   */
  create_port(owner: Pid, name: string, instance: (port: DriverPort) => DriverInstance): DriverPort;

  // ---- The port itself

  /**
   * erl_drv_init_ack: for drivers with useInitAck, once: open_port answers the port, or raises the error as if start
   * had thrown it.
   */
  init_ack(error?: unknown): void;
  /** erl_drv_set_os_pid: what port_info says. */
  set_os_pid(pid: number): void;
  /** set_port_control_flags: 0 or PORT_CONTROL_FLAG_BINARY, for this port. */
  set_control_flags(flags: number): void;
}

/** EPIPE as its number 32, as 'EPIPE', 'epipe', or as an error of Node's. 0 is none, where that is possible. */
export type PosixError = number | string | NodeJS.ErrnoException;
