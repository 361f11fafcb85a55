import { badarg } from '../actors/errors.js';
import { Pid, Port } from '../actors/identifiers.js';
import { Process } from '../actors/process.js';
import { type List, list } from '../actors/term.js';
import type { IoData } from './iodata.js';
import { PortObject } from './port.js';
import type { PortRuntime } from './port-runtime.js';

/** The name of a driver, as LING opens its ports, or Erlang's `{spawn, "name args"}`. */
export type PortName = string | readonly ['spawn' | 'spawn_driver', string];
export type PortOption = 'binary';
export type PortInfo = 'undefined' | readonly [string, unknown] | List<unknown>;

/**
 * `self`: what the program of a process gets, with Erlang's functions for processes and for ports.
 *
 * A port is named by its identifier, or by the name it is registered under. Where the Erlang manual says badarg,
 * an {@link ErlangError} with that reason is raised; all of them raise it for a port that is closed.
 */
export class Self extends Process {
  declare readonly runtime: PortRuntime;

  /**
   * Opens a port on a driver. The caller becomes its owner and is linked to it.
   * @throws badarg for an unknown driver or option, or whatever the driver's start raises
   */
  open_port(name: PortName, options: readonly PortOption[] = []): Port {
    this.ensureAlive();
    const [driverName, command] = parsePortName(name);
    const driver = this.runtime.drivers.get(driverName);
    if (!driver || options.some((option) => option !== 'binary')) throw badarg();
    const port = new PortObject(this.runtime, driver, {
      owner: this.pid,
      command,
      binary: options.includes('binary'),
    });
    this.link(port.id);
    return port.id;
  }

  /**
   * Gives data to the port's driver; anybody may. Nothing says whether it has arrived anywhere: on a tube, a packet
   * that finds the ring full is dropped and counted.
   * @throws badarg for a closed port, for what is no iodata, and for what the driver refuses (a tube: 0 or more
   * than 4096 bytes); nothing has been sent then
   */
  port_command(port: Port | string, data: IoData): true {
    const found = this.findPort(port);
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
    const found = this.findPort(port);
    if (!Number.isInteger(operation) || operation < 0 || operation > 0xffff_ffff) throw badarg();
    const answer = found.control(operation, data, this.pid);
    this.ensureAlive();
    if (answer instanceof Uint8Array) return toAnswer(found, answer);
    const suspension = this.suspend<Bytes>();
    answer.then(
      (bytes) => suspension.resolve(toAnswer(found, bytes)),
      (error: unknown) => suspension.reject(error),
    );
    return suspension.promise;
  }

  /** Makes a living process the owner, and links it; who was owner before stays linked. Anybody may. */
  port_connect(port: Port | string, owner: Pid): true {
    const found = this.findPort(port);
    if (!(owner instanceof Pid) || owner.receiver === undefined) throw badarg();
    found.connect(owner);
    this.ensureAlive();
    return true;
  }

  /** Closes the port; anybody may. Exit signals (reason normal) have been delivered when it returns. */
  port_close(port: Port | string): true {
    this.findPort(port).close('normal');
    this.ensureAlive();
    return true;
  }

  /** One item as `[item, value]`, or all of them; `undefined` for a closed port. */
  port_info(port: Port | string, item?: string): PortInfo {
    this.ensureAlive();
    const id = typeof port === 'string' ? this.runtime.whereis(port) : port;
    if (typeof port !== 'string' && !(port instanceof Port)) throw badarg();
    if (item !== undefined && typeof item !== 'string') throw badarg();
    const found = id?.receiver;
    if (!(found instanceof PortObject)) return 'undefined';
    // Without a name the answer is an empty list, a quirk of Erlang's that programs match on.
    if (item === 'registered_name') {
      return found.registeredName === undefined ? list() : [item, found.registeredName];
    }
    const info = found.info();
    if (item === undefined) {
      const name = found.registeredName;
      const first: [string, unknown][] = name === undefined ? [] : [['registered_name', name]];
      return list(...first, ...Object.entries(info).filter(([key]) => SUMMARY.has(key)));
    }
    if (!Object.hasOwn(info, item)) throw badarg();
    return [item, info[item]];
  }

  /** The open ports of this runtime. */
  ports(): List<Port> {
    this.ensureAlive();
    return list(...Array.from(this.runtime.openPorts, ({ id }) => id));
  }

  private findPort(port: Port | string): PortObject {
    this.ensureAlive();
    const id = typeof port === 'string' ? this.runtime.whereis(port) : port;
    if (!(id instanceof Port) || !(id.receiver instanceof PortObject)) throw badarg();
    return id.receiver;
  }
}

/** A port_control answer. */
export type Bytes = Buffer | List<number>;

/** What port_info/1 lists. */
const SUMMARY = new Set(['name', 'links', 'id', 'connected', 'input', 'output', 'os_pid']);

function parsePortName(name: unknown): [driver: string, command: string] {
  if (typeof name === 'string' && name !== '') return [name, ''];
  if (!Array.isArray(name) || name.length !== 2) throw badarg();
  const [kind, text] = name as unknown[];
  if ((kind !== 'spawn' && kind !== 'spawn_driver') || typeof text !== 'string') throw badarg();
  const [, driver, command] = /^(\S+)\s*(.*)$/s.exec(text) ?? [];
  if (driver === undefined) throw badarg();
  return [driver, command ?? ''];
}

function toAnswer(port: PortObject, bytes: Uint8Array): Bytes {
  if (!port.driver.binaryControl) return list(...bytes);
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
}
