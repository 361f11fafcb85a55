import { writevSync } from 'node:fs';
import {
  type DriverInstance,
  type DriverPort,
  ERL_DRV_READ,
  ERL_DRV_USE_NO_CALLBACK,
  ERL_DRV_WRITE,
  type PosixError,
} from '../driver.js';
import { PacketReader, packetHeader } from '../framing/packets.js';
import type { PortOptions } from '../port-options.js';
import { readSome } from './slab-reader.js';

/** Non-blocking descriptors: what is read goes to the owner, what the port is commanded is written. */
export interface Ends {
  readonly input: number | undefined;
  readonly output: number | undefined;
}

/** writev(2) takes no more. */
const MOST_PIECES = 1024;

/** More than a pipe holds; a program may write for as long as somebody reads. */
const MOST_READS = 16;

/**
 * What a port does whose outside are descriptors: pipes from and to a program, or those of `{fd, In, Out}`.
 *
 * Commands are written at once. What there is no room for is queued, and from the high limit on the port is busy. It is
 * read whatever there is, however slow the owner, as Erlang does it.
 */
export class Descriptors implements DriverInstance {
  readonly #packets: PacketReader | undefined;
  #isBusy = false;
  /** epoll does not know files of disks, and /dev/null: these can always be read. */
  #isAlwaysReady = false;
  #isAtEnd = false;

  constructor(
    protected readonly port: DriverPort,
    protected readonly options: PortOptions,
    protected readonly ends: Ends,
  ) {
    this.#packets = options.packet === 0 ? undefined : new PacketReader(options.packet);
    const { input } = ends;
    if (input === undefined) return;
    try {
      port.select(input, ERL_DRV_READ | ERL_DRV_USE_NO_CALLBACK, true);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
      this.#isAlwaysReady = true;
      port.set_timer(0);
    }
  }

  outputv(data: readonly Uint8Array[], size: number): void {
    const { port, ends, options } = this;
    const header = packetHeader(options.packet, size);
    if (header === undefined) return port.failure_posix('EINVAL');
    if (ends.output === undefined) return port.failure_posix('EBADF');
    const pieces = header.length === 0 ? data : [header, ...data];
    const all = header.length + size;
    const written = port.sizeq() > 0 ? 0 : write(ends.output, pieces);
    if (typeof written !== 'number') {
      this.catchUp();
      return port.failure_posix(written);
    }
    if (written === all) return;
    if (port.sizeq() === 0) port.select(ends.output, ERL_DRV_WRITE | ERL_DRV_USE_NO_CALLBACK, true);
    port.enq(copyOfRest(pieces, written, all));
    this.#queueChanged();
  }

  ready_output(output: number): void {
    const { port } = this;
    const written = write(output, port.peekq(MOST_PIECES));
    if (typeof written !== 'number') {
      this.#readRest();
      return port.failure_posix(written);
    }
    if (port.deq(written) === 0) port.select(output, ERL_DRV_WRITE, false);
    this.#queueChanged();
  }

  ready_input(input: number): void {
    if (!this.#isAtEnd) this.#read(input);
  }

  timeout(): void {
    if (!this.#isAlwaysReady) return;
    this.ready_input(this.ends.input as number);
    if (!this.#isAtEnd) this.port.set_timer(0);
  }

  stop(): void {
    const { input, output } = this.ends;
    const events = ERL_DRV_READ | ERL_DRV_WRITE | ERL_DRV_USE_NO_CALLBACK;
    for (const fd of new Set([input, output])) {
      if (fd !== undefined) this.port.select(fd, events, false);
    }
  }

  /** A command has found nobody who reads. What had happened until then, but was not looked at, comes first. */
  protected catchUp(): void {
    this.#readRest();
  }

  /** Nothing more will come in. */
  protected eof(): void {
    this.port.failure_eof();
  }

  /** Answers whether there may be more. */
  #read(input: number): boolean {
    const { port } = this;
    let bytes: Buffer | undefined;
    try {
      bytes = readSome(input);
    } catch (error) {
      port.failure_posix(error as PosixError);
      return false;
    }
    if (bytes === undefined) return false;
    if (bytes.length === 0) this.#endOfInput(input);
    else if (this.#packets === undefined) port.output(bytes);
    else for (const packet of this.#packets.push(bytes)) port.output(packet);
    return bytes.length > 0;
  }

  /** What there is to read, and that there is no more: a program that has ended is seen at both ends. */
  #readRest(): void {
    const { input } = this.ends;
    if (input === undefined || this.#isAtEnd) return;
    for (let reads = 0; reads < MOST_READS && this.#read(input); reads++);
  }

  #endOfInput(input: number): void {
    this.#isAtEnd = true;
    if (!this.#isAlwaysReady) this.port.select(input, ERL_DRV_READ, false);
    this.eof();
  }

  #queueChanged(): void {
    const { busyLimitsPort } = this.options;
    if (busyLimitsPort === 'disabled') return;
    const [low, high] = busyLimitsPort;
    const size = this.port.sizeq();
    if (this.#isBusy ? size >= low : size < high) return;
    this.#isBusy = !this.#isBusy;
    this.port.set_busy(this.#isBusy);
  }
}

/** How many bytes there was room for. */
function write(fd: number, pieces: readonly Uint8Array[]): number | NodeJS.ErrnoException {
  try {
    return writevSync(fd, pieces.slice(0, MOST_PIECES));
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    return failure.code === 'EAGAIN' ? 0 : failure;
  }
}

/** Without the first `skip` bytes, as those that are given to a port stay the sender's. */
function copyOfRest(pieces: readonly Uint8Array[], skip: number, size: number): Buffer {
  const copy = Buffer.allocUnsafe(size - skip);
  let at = -skip;
  for (const piece of pieces) {
    if (at + piece.length > 0) copy.set(at < 0 ? piece.subarray(-at) : piece, Math.max(at, 0));
    at += piece.length;
  }
  return copy;
}
