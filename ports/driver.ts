/**
 * What a driver can be asked, and what it can ask: Erlang's driver interface (erl_driver, driver_entry) as types.
 *
 * A driver is registered under a name; open_port makes an instance of it, which from then on is the other half of
 * a port. Callbacks of one port never overlap: messages that reach it while one runs wait until that has returned,
 * and so does the end of the port. A callback that throws ends its port, with the error as the reason; where the
 * ErlangError `badarg` means something else, it says so.
 */
import type { Pid, Port } from '../actors/identifiers.js';
import type { Reason } from '../actors/signal.js';

/** What ErlDrvEntry is to Erlang. */
export interface Driver {
  readonly name: string;
  /** PORT_CONTROL_FLAG_BINARY: port_control answers a Buffer instead of a list of bytes. */
  readonly binaryControl?: boolean;
  /**
   * Makes the instance behind a new port. `command` is what follows the name in `{spawn, "name args"}`. What it
   * throws, open_port raises; there is no port then, and no stop().
   */
  start(port: DriverPort, command: string): DriverInstance;
}

/** What a port asks of its driver. Callbacks that are absent do nothing. */
export interface DriverInstance {
  /**
   * Data for the outside, as one piece of bytes (that the driver must not keep: they are the sender's). Throwing
   * ErlangError badarg refuses them: port_command raises it, and the port is unharmed.
   */
  output?(data: Uint8Array): void;
  /**
   * port_control: the bytes to answer. What cannot be answered at once is a promise, and then port_control's
   * answer is one; the port goes on meanwhile. ErlangError badarg, thrown or as a rejection, makes port_control raise
   * it, and the port is unharmed. Without this callback port_control is badarg.
   */
  control?(operation: number, data: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /**
   * port_call: as control, but a term for a term, and at once. They are shared, not copied; an answer of undefined,
   * which is no term, is badarg.
   */
  call?(operation: number, argument: unknown): unknown;
  /**
   * The last callback: links and monitors have been told, and what is output is dropped. An error it throws is printed
   * as a warning, as nobody is left whom it could end.
   */
  stop?(): void;
  /** Further items for port_info; Erlang's own cannot be replaced. */
  info?(): Readonly<Record<string, unknown>>;
}

/** A port as its driver sees it: the `driver_*` functions of erl_driver. */
export interface DriverPort {
  readonly id: Port;
  /** driver_connected: the owner, who may be dead. */
  connected(): Pid;
  /** driver_caller: who sent the command or called the control that is running. */
  caller(): Pid | undefined;
  /**
   * driver_output: `{Port, {data, Data}}` to the owner, as a binary or a list as the port was opened. Lost when the
   * owner is dead, and when the port has ended or is about to.
   */
  output(data: Buffer): void;
  /** erl_drv_send_term: any message, to anybody. */
  send_term(receiver: Pid, message: unknown): void;
  /** driver_failure_eof: ends the port with reason normal. */
  failure_eof(): void;
  /** driver_failure_atom, driver_failure_posix: ends the port with that reason once the callback has returned. */
  failure(reason: Reason): void;
}
