/** Xenstore packets through a character device: how a domain on a real Xen talks to its Xenstore. */
import fs from 'node:fs';
import { closeFd } from '../native/index.js';
import type { Watch, Watcher } from '../native/watcher.js';
import type { PacketChannel } from './xenstore/channel.js';
import { encodePacket, type Packet, PacketDecoder } from './xenstore/wire.js';

/** Where Linux has it (Xen: libxenstore's places, in their order). */
export const XENBUS_DEVICES: readonly string[] = ['/dev/xen/xenbus', '/proc/xen/xenbus'];

const READS_AT_ONCE = 8;

const incoming = Buffer.allocUnsafe(64 * 1024);

/** A connection of its own for each that is opened. No descriptors go with its packets. */
export class DeviceChannel implements PacketChannel {
  onPacket: (packet: Packet, fds: number[]) => void = () => {};
  onClose: (error: Error | undefined) => void = () => {};

  readonly #fd: number;
  readonly #watch: Watch;
  readonly #decoder = new PacketDecoder();
  #outgoing: Buffer[] = [];
  #wantsRoom = false;
  #closed = false;

  /** Raises what the system says of the device. Set the callbacks, then start(). */
  constructor(watcher: Watcher, device: string) {
    this.#fd = fs.openSync(device, fs.constants.O_RDWR | fs.constants.O_NONBLOCK | fs.constants.O_NOCTTY);
    try {
      this.#watch = watcher.watch(this.#fd, () => this.#onReady());
    } catch (error) {
      fs.closeSync(this.#fd);
      throw error;
    }
  }

  start(): void {
    this.#onReady();
  }

  /** Sends it at once, behind what there was no room for. */
  send(packet: Packet, fds: readonly number[] = []): void {
    fds.forEach(closeFd);
    if (this.#closed) return;
    this.#outgoing.push(encodePacket(packet));
    if (!this.#wantsRoom) this.#flush();
  }

  close(): void {
    this.onClose = () => {};
    this.#end(undefined);
  }

  #onReady(): void {
    if (this.#closed) return;
    // Armed before the last look, which is the read that finds nothing.
    this.#watch.arm();
    try {
      this.#receiveSome();
    } catch (error) {
      this.#end(error as Error);
    }
    if (this.#wantsRoom) this.#flush();
  }

  #receiveSome(): void {
    for (let reads = 0; reads < READS_AT_ONCE; reads++) {
      const bytes = orAgain(() => fs.readSync(this.#fd, incoming));
      if (bytes === 'again' || this.#closed) return;
      if (bytes === 0) return this.#end(undefined);
      for (const packet of this.#decoder.push(incoming.subarray(0, bytes))) {
        if (!this.#closed) this.onPacket(packet, []);
      }
    }
    setImmediate(() => this.#onReady());
  }

  /** A packet a call: Linux takes what follows one in the same write for a part of it, and drops it. */
  #flush(): void {
    try {
      for (let next = this.#outgoing[0]; next !== undefined && !this.#closed; next = this.#outgoing[0]) {
        const bytes = next;
        const sent = orAgain(() => fs.writeSync(this.#fd, bytes));
        if (sent === 'again') break;
        if (sent === bytes.length) this.#outgoing.shift();
        else this.#outgoing[0] = bytes.subarray(sent);
      }
      this.#setWantsRoom(!this.#closed && this.#outgoing.length > 0);
    } catch (error) {
      this.#end(error as Error);
    }
  }

  #setWantsRoom(want: boolean): void {
    if (want === this.#wantsRoom) return;
    this.#wantsRoom = want;
    this.#watch.wantRoom(want);
  }

  #end(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.close();
    fs.closeSync(this.#fd);
    this.#outgoing = [];
    this.onClose(error);
  }
}

function orAgain(action: () => number): number | 'again' {
  try {
    return action();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 'again';
    throw error;
  }
}
