import { closeFd, connectUnix, receiveWithFds, sendWithFds } from '#native';
import { encodePacket, type Packet, PacketDecoder, XS_ERROR } from '#xen/xenstore/wire';
import { eventually } from './residue';

/** A connection in the hands of a test, which says and hears packets one by one. */
export class RawClient {
  readonly #fd: number;
  readonly #decoder = new PacketDecoder();
  readonly #chunk = Buffer.alloc(65_536);
  readonly #packets: Packet[] = [];
  readonly #fds: number[] = [];
  #open = true;
  #ended = false;

  constructor(socket: string) {
    this.#fd = connectUnix(socket);
  }

  /** Whether there was room for it in the socket. */
  send(type: number, payload: Buffer, fds: readonly number[] = []): boolean {
    const bytes = encodePacket({ type, reqId: 1, txId: 0, payload });
    return sendWithFds(this.#fd, bytes, fds) === bytes.length;
  }

  /** What it is answered: the payload; or the name of an error, or `closed`. */
  async ask(type: number, payload: Buffer, fds: readonly number[] = []): Promise<Buffer | string> {
    try {
      this.send(type, payload, fds);
    } catch {
      // lingd had closed it.
    }
    await eventually(() => this.heard > 0 || this.hasEnded, true);
    const answer = this.#packets.shift();
    if (!answer) return 'closed';
    return answer.type === XS_ERROR ? answer.payload.toString().replace('\0', '') : answer.payload;
  }

  /** The descriptors that have come, which go with this. */
  get fds(): readonly number[] {
    return this.#fds;
  }

  /** How many packets have come that were not asked for. */
  get heard(): number {
    this.#receive();
    return this.#packets.length;
  }

  get hasEnded(): boolean {
    this.#receive();
    return this.#ended;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#fds.splice(0).forEach(closeFd);
    closeFd(this.#fd);
  }

  #receive(): void {
    while (this.#open && !this.#ended) {
      const { bytes, closed, fds } = receiveWithFds(this.#fd, this.#chunk);
      this.#fds.push(...fds);
      this.#ended = closed;
      if (closed || bytes === 0) return;
      this.#packets.push(...this.#decoder.push(this.#chunk.subarray(0, bytes)));
    }
  }
}
