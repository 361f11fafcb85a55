import { Buffer } from 'node:buffer';
import { badarg, exitReason } from '../actors/errors.js';
import type { Pid, Port } from '../actors/identifiers.js';
import type { Reason, Sender } from '../actors/signal.js';
import { type List, list, toList } from '../actors/term.js';
import type {
  AsyncJob,
  BusyLimits,
  DriverInstance,
  DriverMonitor,
  DriverPort,
  PosixError,
} from './driver.js';
import { ERL_DRV_READ, ERL_DRV_USE_NO_CALLBACK, ERL_DRV_WRITE, PORT_CONTROL_FLAG_BINARY } from './driver.js';
import { runLast } from './driver-answers.js';
import {
  checkBoolean,
  checkBytes,
  checkFunction,
  checkInteger,
  checkJob,
  checkLimits,
  checkMonitor,
  checkPid,
  checkPieces,
  checkPosix,
  checkText,
} from './driver-arguments.js';
import { type Line, LineReader } from './framing/lines.js';
import type { PortObject } from './port.js';
import { PortMonitors } from './port-monitors.js';
import { NO_OPTIONS } from './port-options.js';
import { PortQueue, withoutFirst } from './port-queue.js';
import { PortSelect } from './port-select.js';
import { PortTimer } from './port-timer.js';
import { posixName } from './posix.js';

/** The driver's end of a port: what it is given to work with, and what of that is still in use. */
export class DriverEnd implements DriverPort {
  readonly id: Port;
  readonly queue = new PortQueue();
  readonly #port: PortObject;
  #isOver = false;
  readonly #binary: boolean;
  readonly #lines: LineReader | undefined;
  // Most drivers need few of these.
  #monitors: PortMonitors | undefined = undefined;
  #timer: PortTimer | undefined = undefined;
  #selected: PortSelect | undefined = undefined;
  #limits: BusyLimits;

  constructor(port: PortObject) {
    const { options, driver } = port;
    this.#port = port;
    this.id = port.id;
    this.#binary = options.binary;
    this.#lines = options.line === undefined ? undefined : new LineReader(options.line);
    this.#limits = driver.noBusyMessageQueue ? 'disabled' : options.busyLimitsMsgq;
  }

  connected(): Pid {
    return this.#port.owner;
  }

  caller(): Pid | undefined {
    return this.#port.callbacks.caller;
  }

  // ---- Output

  output(given: Uint8Array): 0 | -1 {
    checkBytes('data', given);
    const data = asBuffer(given);
    const port = this.#port;
    if (!port.isOpen) return this.#ended;
    port.bytesIn += data.length;
    if (this.#lines !== undefined) this.#tellLines(this.#lines.push(data), NO_BYTES);
    // Not list(...data): a call takes no more arguments than the stack has room for.
    else port.tellOwner([this.id, ['data', this.#binary ? data : toList(Array.from(data))]]);
    return 0;
  }

  output2(header: Uint8Array, given: Uint8Array): 0 | -1 {
    checkBytes('header', header);
    checkBytes('data', given);
    const data = asBuffer(given);
    const port = this.#port;
    if (!port.isOpen) return this.#ended;
    if (header.length === 0) return this.output(data);
    port.bytesIn += header.length + data.length;
    if (this.#lines !== undefined) this.#tellLines(this.#lines.push(data), header);
    else port.tellOwner([this.id, ['data', this.#term(header, [data])]]);
    return 0;
  }

  outputv(header: Uint8Array, data: readonly Uint8Array[], skip = 0): 0 | -1 {
    checkBytes('header', header);
    checkPieces('data', data);
    checkInteger('skip', skip);
    const port = this.#port;
    if (!port.isOpen) return this.#ended;
    const pieces = withoutFirst(data, skip).map(asBuffer);
    port.bytesIn += header.length;
    for (const { length } of pieces) port.bytesIn += length;
    port.tellOwner([this.id, ['data', this.#term(header, pieces)]]);
    return 0;
  }

  output_term(message: unknown): 1 | 0 | -1 {
    return this.send_term(this.#port.owner, message);
  }

  send_term(receiver: Pid, message: unknown): 1 | 0 | -1 {
    checkPid('receiver', receiver);
    // Not the port: in stop() its driver may still tell whom it has promised an answer.
    if (this.#isOver) return -1;
    const to = receiver.receiver;
    to?.message(message, this.id);
    return to === undefined ? 0 : 1;
  }

  // ---- The end

  failure_eof(): void {
    const port = this.#port;
    if (this.#lines !== undefined && port.isOpen) this.#tellLines(this.#lines.end(), NO_BYTES);
    if (port.options.eof && port.isOpen) port.tellOwner([this.id, 'eof']);
    else port.fail('normal');
  }

  failure_atom(reason: string): void {
    checkText('reason', reason);
    this.#port.fail(reason);
  }

  failure_posix(error: PosixError): void {
    checkPosix('error', error);
    this.#port.fail(posixName(error));
  }

  failure(reason: Reason): void {
    this.#port.fail(reason);
  }

  exit(error: PosixError): void {
    checkPosix('error', error);
    this.#port.exit(error === 0 ? 'normal' : posixName(error));
  }

  // ---- Time

  set_timer(milliseconds: number): void {
    checkInteger('milliseconds', milliseconds);
    if (this.#port.isClosed) return;
    this.#timer ??= new PortTimer(() => this.#port.event((instance) => instance.timeout?.()));
    this.#timer.set(milliseconds);
  }

  cancel_timer(): void {
    this.#timer?.cancel();
  }

  read_timer(): number {
    return this.#timer?.left ?? 0;
  }

  // ---- Descriptors

  select(event: number, mode: number, on: boolean): void {
    checkInteger('event', event, GREATEST_DESCRIPTOR);
    checkInteger('mode', mode, ALL_MODES);
    checkBoolean('on', on);
    if (this.#selected === undefined) {
      this.#selected = new PortSelect(this.#port.runtime.watcher, this.#ready, this.#stopSelect);
    }
    this.#selected.select(event, mode, on && !this.#port.isClosed);
  }

  readonly #ready = (event: number, mode: number): void => {
    this.#port.event((instance) =>
      mode === ERL_DRV_READ ? instance.ready_input?.(event) : instance.ready_output?.(event),
    );
  };

  readonly #stopSelect = (event: number): void => {
    const port = this.#port;
    try {
      port.callbacks.heed(port.instance?.stop_select?.(event));
    } catch (error) {
      // Whoever calls select need not be a callback. An error in stop() is printed.
      if (port.isClosed) throw error;
      port.fail(exitReason(error));
    }
  };

  // ---- Other threads

  async(key: unknown, job: AsyncJob): void {
    checkJob('job', job);
    if (this.#isOver) return;
    const port = this.#port;
    port.runtime.asyncPool.run(key, job).then(
      (result) => {
        if (port.isClosed) runLast(port.driver, 'free', () => job.free?.(result));
        else port.event((instance) => instance.ready_async?.(result));
      },
      (error: unknown) => {
        if (!port.isClosed) port.fail(exitReason(error));
      },
    );
  }

  async_port_key(): unknown {
    return this.id;
  }

  // ---- The queue

  enq(data: Uint8Array): void {
    checkBytes('data', data);
    this.queue.append([data]);
  }

  enqv(data: readonly Uint8Array[], skip = 0): void {
    checkPieces('data', data);
    checkInteger('skip', skip);
    this.queue.append(data, skip);
  }

  pushq(data: Uint8Array): void {
    checkBytes('data', data);
    this.queue.prepend([data]);
  }

  pushqv(data: readonly Uint8Array[], skip = 0): void {
    checkPieces('data', data);
    checkInteger('skip', skip);
    this.queue.prepend(data, skip);
  }

  deq(size: number): number {
    checkInteger('size', size);
    if (!this.queue.drop(size)) return -1;
    if (this.queue.size === 0) this.#port.drained();
    return this.queue.size;
  }

  peekq(count?: number): readonly Uint8Array[] {
    if (count !== undefined) checkInteger('count', count);
    return this.queue.peek(count);
  }

  sizeq(): number {
    return this.queue.size;
  }

  // ---- Being busy

  set_busy(busy: boolean): void {
    checkBoolean('busy', busy);
    this.#port.busy.set(busy);
  }

  busy_msgq_limits(limits?: BusyLimits): BusyLimits {
    if (limits === undefined) return this.#limits;
    const checked = checkLimits('limits', limits);
    if (this.#limits !== 'disabled') this.#limits = checked;
    return this.#limits;
  }

  // ---- Processes and ports

  monitor_process(process: Pid): DriverMonitor | undefined {
    checkPid('process', process);
    const port = this.#port;
    if (port.instance !== undefined && port.instance.process_exit === undefined) {
      throw new TypeError(`driver ${port.driver.name} has no callback process_exit`);
    }
    if (!port.isOpen) return undefined;
    this.#monitors ??= new PortMonitors(this.id);
    return this.#monitors.add(process, port.runtime.makeReference());
  }

  demonitor_process(monitor: DriverMonitor): 0 | 1 {
    checkMonitor('monitor', monitor);
    return this.#monitors?.demonitor(monitor) ? 0 : 1;
  }

  get_monitored_process(monitor: DriverMonitor): Pid | undefined {
    checkMonitor('monitor', monitor);
    return this.#monitors?.process(monitor);
  }

  create_port(owner: Pid, name: string, instance: (port: DriverPort) => DriverInstance): DriverPort {
    checkPid('owner', owner);
    checkText('name', name);
    checkFunction('instance', instance);
    const { runtime, driver } = this.#port;
    if (this.#isOver) throw badarg(`${this.id} is closed`);
    if (owner.receiver === undefined) throw badarg('the owner of a port has to be alive');
    return runtime.openPort(driver, owner, name, NO_OPTIONS, instance).end;
  }

  // ---- The port itself

  init_ack(error?: unknown): void {
    this.#port.acknowledge(error);
  }

  set_os_pid(pid: number): void {
    checkInteger('pid', pid);
    this.#port.osPid = pid;
  }

  set_control_flags(flags: number): void {
    checkInteger('flags', flags, PORT_CONTROL_FLAG_BINARY);
    this.#port.binaryControl = (flags & PORT_CONTROL_FLAG_BINARY) !== 0;
  }

  // ---- For the port

  /** Whom it monitors, as port_info shows them. */
  get monitors(): List {
    return this.#monitors?.toList() ?? list();
  }

  monitorsOf(process: Sender): readonly DriverMonitor[] {
    return this.#monitors?.of(process) ?? [];
  }

  /** Answers whether there was such a monitor. */
  endMonitor(monitor: DriverMonitor): boolean {
    return this.#monitors?.delete(monitor) === true;
  }

  endMonitors(): void {
    this.#monitors?.clear();
  }

  /** Lets go of what the driver has not let go of. */
  close(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#selected?.close();
    this.endMonitors();
  }

  get #ended(): 0 | -1 {
    return this.#port.isClosed ? -1 : 0;
  }

  #tellLines(lines: readonly Line[], header: Uint8Array): void {
    for (const [end, text] of lines) {
      this.#port.tellOwner([this.id, ['data', [end, this.#term(header, [text])]]]);
    }
  }

  /** Bytes of the header, then the data: as a list, or as binaries, the last of which is the tail. */
  #term(header: Uint8Array, pieces: readonly Uint8Array[]): Uint8Array | List {
    const last = pieces.at(-1);
    if (header.length === 0 && pieces.length === 1 && last !== undefined && this.#binary) return last;
    const term = toList<unknown>(Array.from(header));
    if (!this.#binary) {
      for (const piece of pieces) for (const byte of piece) term.push(byte);
      return term;
    }
    for (const piece of pieces.slice(0, -1)) term.push(piece);
    if (last !== undefined) term.tail = last;
    return term;
  }
}

/** As owners get bytes; the same ones. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

const GREATEST_DESCRIPTOR = 0x7fff_ffff;
const ALL_MODES = ERL_DRV_READ | ERL_DRV_WRITE | ERL_DRV_USE_NO_CALLBACK;
const NO_BYTES = new Uint8Array();
