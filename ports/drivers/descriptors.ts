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
    const written = port.sizeq() > 0 ? 0 : this.#write(ends.output, pieces);
    if (written === undefined || written === all) return;
    if (port.sizeq() === 0) port.select(ends.output, ERL_DRV_WRITE | ERL_DRV_USE_NO_CALLBACK, true);
    // A copy, as the data stay the sender's.
    port.enqv([Buffer.concat(pieces)], written);
    this.#queueChanged();
  }

  ready_output(output: number): void {
    const { port } = this;
    const written = this.#write(output, port.peekq());
    if (written === undefined) return;
    if (port.deq(written) === 0) port.select(output, ERL_DRV_WRITE, false);
    this.#queueChanged();
  }

  ready_input(input: number): void {
    const { port } = this;
    let bytes: Buffer | undefined;
    try {
      bytes = readSome(input);
    } catch (error) {
      return port.failure_posix(error as PosixError);
    }
    if (bytes?.length === 0) return this.#endOfInput(input);
    if (bytes === undefined) return;
    if (this.#packets === undefined) port.output(bytes);
    else for (const packet of this.#packets.push(bytes)) port.output(packet);
  }

  timeout(): void {
    if (!this.#isAlwaysReady) return;
    this.port.set_timer(0);
    this.ready_input(this.ends.input as number);
  }

  stop(): void {
    const { input, output } = this.ends;
    const events = ERL_DRV_READ | ERL_DRV_WRITE | ERL_DRV_USE_NO_CALLBACK;
    for (const fd of new Set([input, output])) {
      if (fd !== undefined) this.port.select(fd, events, false);
    }
  }

  /** Nothing more will come in. */
  protected eof(): void {
    this.port.failure_eof();
  }

  #endOfInput(input: number): void {
    if (this.#isAlwaysReady) this.port.cancel_timer();
    else this.port.select(input, ERL_DRV_READ, false);
    this.eof();
  }

  /** How many bytes there was room for; undefined when that has ended the port. */
  #write(output: number, pieces: readonly Uint8Array[]): number | undefined {
    try {
      return writevSync(output, pieces.slice(0, MOST_PIECES));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
      this.port.failure_posix(error as PosixError);
      return undefined;
    }
  }

  #queueChanged(): void {
    const { busyLimitsPort } = this.options;
    if (busyLimitsPort === 'disabled') return;
    const [low, high] = busyLimitsPort;
    const size = this.port.sizeq();
    if (this.#isBusy ? size >= Math.min(low, high) : size < high) return;
    this.#isBusy = !this.#isBusy;
    this.port.set_busy(this.#isBusy);
  }
}
