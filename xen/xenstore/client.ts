import type { PacketChannel } from './channel.js';
import { XenstoreError } from './errors.js';
import * as wire from './wire.js';

export interface Answer {
  readonly payload: Buffer;
  readonly fds: number[];
}

export interface RequestOptions {
  readonly txId?: number;
  readonly fds?: readonly number[];
}

export interface ClientOptions {
  /** Takes what a watch's callback threw. Without it that becomes an uncaught exception. */
  readonly onError?: (error: unknown) => void;
  /** Takes descriptors that came with what nobody waits for, or could not be sent, so that they can be closed. */
  readonly onStrayFds?: (fds: readonly number[]) => void;
}

/** A watch that is set. */
export interface WatchHandle {
  readonly path: string;
  /** Ends the watch. Its callback is not called again, from this call on. */
  unwatch(): Promise<void>;
}

interface Outstanding {
  readonly type: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

const NUL = Buffer.alloc(1);
/** How often a transaction or a listing is begun again when others keep changing what it touches. */
const ATTEMPTS = 100;

/**
 * A Xenstore client. Requests are pipelined: each is sent at once, none waits for the answer of another, and answers
 * may come in any order. An error answer rejects with a {@link XenstoreError} of its code. When the channel ends,
 * everything outstanding is rejected with `ECONNRESET`, and all later calls with `ENOTCONN`.
 *
 * Paths are absolute or relative to the home of the client's domain. `tx` is what {@link transactionStart} gave.
 */
export class XenstoreClient {
  /** Settled when the channel has ended, by either side: with what went wrong, or undefined. Never rejected. */
  readonly closed: Promise<Error | undefined>;
  readonly #channel: PacketChannel;
  readonly #onError: (error: unknown) => void;
  readonly #onStrayFds: (fds: readonly number[]) => void;
  readonly #outstanding = new Map<number, Outstanding>();
  readonly #callbacks = new Map<string, (path: string) => void>();
  #lastRequest = 0;
  #lastToken = 0;
  #ended: Error | undefined = undefined;
  #settleClosed!: (error: Error | undefined) => void;

  constructor(channel: PacketChannel, { onError = throwLater, onStrayFds = () => {} }: ClientOptions = {}) {
    this.#channel = channel;
    this.#onError = onError;
    this.#onStrayFds = onStrayFds;
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    channel.onPacket = (packet, fds) => this.#receive(packet, fds);
    channel.onClose = (error) => this.#end(error);
  }

  /** A node's value. `ENOENT` when there is no such node, `EACCES` when it is not for this domain to see. */
  async read(path: string, tx?: number): Promise<Buffer> {
    return this.#ask(wire.XS_READ, text(path), tx);
  }

  /** A node's value as UTF-8 text. */
  async readString(path: string, tx?: number): Promise<string> {
    return (await this.read(path, tx)).toString();
  }

  /** Sets a node's value, text as UTF-8; makes the node and its parents where missing. */
  async write(path: string, value: string | Uint8Array, tx?: number): Promise<void> {
    await this.#ask(wire.XS_WRITE, Buffer.concat([text(path), Buffer.from(value)]), tx);
  }

  /** Makes a node and its parents where missing; one that is there stays as it is. */
  async mkdir(path: string, tx?: number): Promise<void> {
    await this.#ask(wire.XS_MKDIR, text(path), tx);
  }

  /** Removes a node and all below it; `ENOENT` only when not even its parent is there. */
  async rm(path: string, tx?: number): Promise<void> {
    await this.#ask(wire.XS_RM, text(path), tx);
  }

  /** The names of a node's children, in the server's order; as many as there are. */
  async directory(path: string, tx?: number): Promise<string[]> {
    try {
      return wire.splitStrings(await this.#ask(wire.XS_DIRECTORY, text(path), tx));
    } catch (error) {
      if (codeOf(error) !== 'E2BIG') throw error;
      return this.#directoryInParts(path, tx).catch((partError: unknown) => {
        // oxenstored has no request for parts: that it is too big is all there is to say.
        throw codeOf(partError) === 'ENOSYS' ? error : partError;
      });
    }
  }

  /** A node's permission list, the owner first: entries such as `n5`, `r0`. */
  async getPerms(path: string, tx?: number): Promise<string[]> {
    return wire.splitStrings(await this.#ask(wire.XS_GET_PERMS, text(path), tx));
  }

  async setPerms(path: string, permissions: readonly string[], tx?: number): Promise<void> {
    await this.#ask(wire.XS_SET_PERMS, text(path, ...permissions), tx);
  }

  /**
   * Calls back with the path of every change at `path` or below, as the server says it: relative when `path` is.
   * The first call comes at once, for `path` itself, and possibly before the promise is settled. Changes are
   * reported in their order and never merged. `path` may also be `@introduceDomain` or `@releaseDomain`.
   */
  async watch(path: string, callback: (path: string) => void): Promise<WatchHandle> {
    this.#lastToken += 1;
    const token = String(this.#lastToken);
    this.#callbacks.set(token, callback);
    try {
      await this.#ask(wire.XS_WATCH, text(path, token));
    } catch (error) {
      this.#callbacks.delete(token);
      throw error;
    }
    return { path, unwatch: () => this.#unwatch(path, token) };
  }

  /** Begins a transaction and returns its id. It ends with {@link transactionEnd}, or with the channel. */
  async transactionStart(): Promise<number> {
    const tx = wire.transactionId(await this.#ask(wire.XS_TRANSACTION_START, text('')));
    // With 0, or what becomes it, all that is meant for the transaction would be done at once.
    if (tx === undefined)
      throw new wire.XenstoreProtocolError('the answer is not the number of a transaction');
    return tx;
  }

  /** Commits, or drops what was done. `EAGAIN`: somebody else changed a node it touched, and nothing was done. */
  async transactionEnd(tx: number, commit: boolean): Promise<void> {
    await this.#ask(wire.XS_TRANSACTION_END, text(commit ? 'T' : 'F'), tx);
  }

  /**
   * Runs `body` in a transaction and commits it; runs it again, in a new one, as long as that meets a conflicting
   * change (up to `attempts` times, then `EAGAIN`). What `body` throws drops the transaction and is thrown on.
   */
  async transaction<T>(body: (tx: number) => Promise<T> | T, attempts = ATTEMPTS): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#tryTransaction(body);
      } catch (error) {
        if (codeOf(error) !== 'EAGAIN' || attempt >= attempts) throw error;
      }
    }
  }

  /** The home of a domain, whether or not there is such a domain. */
  async getDomainPath(domid: number): Promise<string> {
    return this.#askString(wire.XS_GET_DOMAIN_PATH, text(String(domid)));
  }

  /** Only for domain 0; `EACCES` for others. */
  async isDomainIntroduced(domid: number): Promise<boolean> {
    return (await this.#askString(wire.XS_IS_DOMAIN_INTRODUCED, text(String(domid)))) === 'T';
  }

  /**
   * Sends a request of any type and gives its answer, which has to be of the same type. The descriptors go along,
   * taken over even where this fails; those of the answer are the caller's.
   */
  request(type: number, payload: Buffer, { txId = 0, fds }: RequestOptions = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const refusal = this.#refusal(payload);
      if (refusal) {
        if (fds) this.#onStrayFds(fds);
        throw refusal;
      }
      const reqId = this.#freeRequestId();
      // Before sending, as a channel in memory answers at once.
      this.#outstanding.set(reqId, { type, resolve, reject });
      try {
        this.#channel.send({ type, reqId, txId, payload: paddedFor(type, payload) }, fds);
      } catch (error) {
        this.#outstanding.delete(reqId);
        throw error;
      }
    });
  }

  /** Ends the channel. */
  close(): void {
    if (this.#ended !== undefined) return;
    this.#end(undefined);
    this.#channel.close();
  }

  #refusal(payload: Buffer): XenstoreError | undefined {
    if (this.#ended !== undefined) return new XenstoreError('ENOTCONN', undefined, { cause: this.#ended });
    return payload.length > wire.PAYLOAD_MAX ? new XenstoreError('E2BIG') : undefined;
  }

  async #ask(type: number, payload: Buffer, txId = 0): Promise<Buffer> {
    return (await this.request(type, payload, { txId })).payload;
  }

  async #askString(type: number, payload: Buffer): Promise<string> {
    const string = wire.onlyString(await this.#ask(type, payload));
    if (string === undefined)
      throw new wire.XenstoreProtocolError(`the answer to type ${type} is not a string`);
    return string;
  }

  async #unwatch(path: string, token: string): Promise<void> {
    this.#callbacks.delete(token);
    await this.#ask(wire.XS_UNWATCH, text(path, token));
  }

  async #tryTransaction<T>(body: (tx: number) => Promise<T> | T): Promise<T> {
    const tx = await this.transactionStart();
    let result: T;
    try {
      result = await body(tx);
    } catch (error) {
      // Should this fail too, the transaction is gone already; what the body threw is the better report.
      await this.transactionEnd(tx, false).catch(() => undefined);
      throw error;
    }
    await this.transactionEnd(tx, true);
    return result;
  }

  /** Piece by piece; from the start again when the directory was changed between two pieces. */
  async #directoryInParts(path: string, tx?: number): Promise<string[]> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const names = await this.#tryDirectoryInParts(path, tx);
      if (names !== undefined) return names;
    }
    throw new XenstoreError('EAGAIN', 'EAGAIN: the directory is changed faster than it can be listed');
  }

  async #tryDirectoryInParts(path: string, tx?: number): Promise<string[] | undefined> {
    const pieces: Buffer[] = [];
    let generation: string | undefined;
    for (let offset = 0; ; ) {
      const part = await this.#ask(wire.XS_DIRECTORY_PART, text(path, String(offset)), tx);
      const start = part.indexOf(0) + 1;
      if (start === 0) throw new wire.XenstoreProtocolError('a part of a directory has no generation');
      const partGeneration = part.toString('latin1', 0, start);
      generation ??= partGeneration;
      if (partGeneration !== generation) return undefined;
      const isLast = part.length === start || (part.at(-1) === 0 && part.at(-2) === 0);
      const piece = part.subarray(start, isLast ? Math.max(start, part.length - 1) : undefined);
      pieces.push(piece);
      offset += piece.length;
      if (isLast) return wire.splitStrings(Buffer.concat(pieces));
    }
  }

  #freeRequestId(): number {
    do this.#lastRequest = (this.#lastRequest + 1) >>> 0;
    while (this.#outstanding.has(this.#lastRequest));
    return this.#lastRequest;
  }

  #receive(packet: wire.Packet, fds: number[]): void {
    const outstanding = packet.type === wire.XS_WATCH_EVENT ? undefined : this.#outstanding.get(packet.reqId);
    if (packet.type === outstanding?.type) {
      this.#outstanding.delete(packet.reqId);
      outstanding.resolve({ payload: packet.payload, fds });
      return;
    }
    if (fds.length > 0) this.#onStrayFds(fds);
    if (packet.type === wire.XS_WATCH_EVENT) this.#notify(packet.payload);
    if (outstanding === undefined) return;
    this.#outstanding.delete(packet.reqId);
    outstanding.reject(errorOf(packet, outstanding.type));
  }

  #notify(payload: Buffer): void {
    const [path, token] = wire.splitStrings(payload);
    // Without a callback, it was under way when the watch was taken back.
    const callback = token === undefined ? undefined : this.#callbacks.get(token);
    try {
      callback?.(path!);
    } catch (error) {
      this.#onError(error);
    }
  }

  #end(error: Error | undefined): void {
    if (this.#ended !== undefined) return;
    const reset = new XenstoreError('ECONNRESET', 'ECONNRESET: the channel to the Xenstore has ended', {
      cause: error,
    });
    this.#ended = error ?? reset;
    this.#callbacks.clear();
    const outstanding = [...this.#outstanding.values()];
    this.#outstanding.clear();
    for (const { reject } of outstanding) reject(reset);
    this.#settleClosed(error);
  }
}

/**
 * Strings with a NUL after each, as UTF-8: a character Xenstore has no use for is refused by the server then, while
 * one byte of it could pass for another. `EINVAL` for a string that has a NUL inside.
 */
function text(...strings: string[]): Buffer {
  if (strings.some((string) => string.includes('\0'))) throw new XenstoreError('EINVAL');
  return Buffer.from(strings.map((string) => `${string}\0`).join(''));
}

/** What a packet means that answers a request, but not with its type. */
export function errorOf({ type, payload }: wire.Packet, asked: number): XenstoreError {
  if (type !== wire.XS_ERROR) {
    return new wire.XenstoreProtocolError(`a request of type ${asked} was answered with type ${type}`);
  }
  return new XenstoreError(wire.splitStrings(payload)[0] || 'EIO');
}

/** Xen's oxenstored does not answer a request of no payload until it has got more bytes: then one NUL goes. */
function paddedFor(type: number, payload: Buffer): Buffer {
  return payload.length === 0 && type < wire.FIRST_HYPERCALL ? NUL : payload;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof XenstoreError ? error.code : undefined;
}

/** A fault of a callback is not the packet loop's, and must not go unseen either. */
function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
