/**
 * A channel to the Xenstore that outlives its connections: when one is lost, the next takes its place, and its user
 * sees requests that take longer, and events of its watches.
 *
 *     connected --connection lost--> renewing --renewed--> connected
 *         |                             |  \--given up--> ended (onClose)
 *         +-----------close-------------+
 *
 * The server that is behind the next connection has the nodes of the one before it, and nothing else. So watches are set
 * again, as they were, and each calls back once, as it does when it is new. Requests without an answer are sent again,
 * unless the server before has done what they ask for: then they are answered. A transaction that was not committed is
 * lost, and all that is asked for in it is answered EAGAIN, as if somebody else had been quicker. Requests that are not
 * the Xenstore's are answered ECONNRESET. What is asked for while there is no connection waits for the next.
 */
import type { PacketChannel } from './channel.js';
import * as wire from './wire.js';

interface Request {
  readonly packet: wire.Packet;
  /** Its descriptors; undefined when it has been sent. */
  waiting: readonly number[] | undefined;
}

export interface Renewal {
  readonly connection: PacketChannel;
  /** The numbers of the latest requests that have changed something, under which they were sent. */
  readonly done: ReadonlySet<number>;
}

export interface LastingOptions {
  /** Gives a connection to a server that knows this domain again; rejects when there will be none. */
  renew(signal: AbortSignal): Promise<Renewal>;
  onLost?(): void;
  onRenewed?(): void;
  /** Takes descriptors that can not be sent any more, so that they can be closed. */
  onStrayFds?(fds: readonly number[]): void;
}

export class LastingChannel implements PacketChannel {
  onPacket: PacketChannel['onPacket'] = () => {};
  onClose: PacketChannel['onClose'] = () => {};

  readonly #options: LastingOptions;
  readonly #stop = new AbortController();
  #connection: PacketChannel | undefined;
  #ended = false;
  /** By the numbers under which they are sent, in the order in which they were asked for. */
  readonly #requests = new Map<number, Request>();
  #lastRequest = 0;
  /** What was asked for, by itself: a path and a token. */
  readonly #watches = new Map<string, Buffer>();
  /** The server's numbers of the open transactions, by those that the user knows; undefined for one that is lost. */
  readonly #transactions = new Map<number, number | undefined>();
  #lastTransaction = 0;

  /** Begins with a connection on which nothing is under way. */
  constructor(connection: PacketChannel, options: LastingOptions) {
    this.#options = options;
    this.#attach(connection);
  }

  send(packet: wire.Packet, fds: readonly number[] = []): void {
    if (this.#ended) return this.#options.onStrayFds?.(fds);
    const refusal = this.#refusal(packet);
    if (refusal !== undefined) {
      this.#options.onStrayFds?.(fds);
      return this.#answer(packet, refusal);
    }
    this.#lastRequest = nextFree(this.#lastRequest, this.#requests);
    this.#requests.set(this.#lastRequest, { packet, waiting: fds });
    if (this.#connection) this.#transmit(this.#connection, this.#lastRequest);
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stop.abort();
    this.#dropWaiting();
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.close();
  }

  #attach(connection: PacketChannel): void {
    this.#connection = connection;
    connection.onPacket = (packet, fds) => this.#receive(packet, fds);
    connection.onClose = () => this.#lose(connection);
    this.#watchAgain(connection);
    // It can end under what is sent.
    for (const id of this.#requests.keys())
      if (this.#connection === connection) this.#transmit(connection, id);
  }

  #watchAgain(connection: PacketChannel): void {
    for (const payload of this.#watches.values()) {
      this.#lastRequest = nextFree(this.#lastRequest, this.#requests);
      connection.send({ type: wire.XS_WATCH, reqId: this.#lastRequest, txId: 0, payload });
    }
  }

  #transmit(connection: PacketChannel, id: number): void {
    const request = this.#requests.get(id) as Request;
    const { packet, waiting: fds } = request;
    if (fds === undefined) return;
    request.waiting = undefined;
    const txId = packet.txId === 0 ? 0 : (this.#transactions.get(packet.txId) as number);
    if (packet.type === wire.XS_TRANSACTION_END) this.#transactions.delete(packet.txId);
    connection.send({ ...packet, reqId: id, txId }, fds);
  }

  #receive(packet: wire.Packet, fds: number[]): void {
    if (packet.type === wire.XS_WATCH_EVENT) return this.onPacket(packet, fds);
    const request = this.#requests.get(packet.reqId);
    this.#requests.delete(packet.reqId);
    // Without one, it is about a watch that was set again.
    if (request === undefined) return this.#options.onStrayFds?.(fds);
    const { reqId, txId, payload: asked } = request.packet;
    let { payload } = packet;
    if (packet.type === wire.XS_WATCH) this.#watches.set(asked.toString('latin1'), asked);
    else if (packet.type === wire.XS_UNWATCH) this.#watches.delete(asked.toString('latin1'));
    else if (packet.type === wire.XS_TRANSACTION_START) payload = this.#open(payload);
    this.onPacket({ type: packet.type, reqId, txId, payload }, fds);
  }

  /** Under a number that no transaction has that somebody may still remember. */
  #open(payload: Buffer): Buffer {
    const id = wire.transactionId(payload);
    // It is the user's to complain.
    if (id === undefined) return payload;
    this.#lastTransaction = nextFree(this.#lastTransaction, this.#transactions);
    this.#transactions.set(this.#lastTransaction, id);
    return wire.joinStrings([String(this.#lastTransaction)]);
  }

  /** The answer to what the server would take for something else, or for the same as once more. */
  #refusal({ type, txId, payload }: wire.Packet): 'OK' | 'EAGAIN' | 'ENOENT' | undefined {
    if (txId === 0) return undefined;
    if (!this.#transactions.has(txId)) return 'ENOENT';
    if (this.#transactions.get(txId) !== undefined) return undefined;
    if (type !== wire.XS_TRANSACTION_END) return 'EAGAIN';
    this.#transactions.delete(txId);
    return wire.onlyString(payload) === 'F' ? 'OK' : 'EAGAIN';
  }

  #answer(to: wire.Packet, result: string): void {
    const type = result === 'OK' ? to.type : wire.XS_ERROR;
    this.onPacket({ ...to, type, payload: wire.joinStrings([result]) }, []);
  }

  #lose(connection: PacketChannel): void {
    if (connection !== this.#connection) return;
    this.#connection = undefined;
    for (const tx of this.#transactions.keys()) this.#transactions.set(tx, undefined);
    this.#options.onLost?.();
    this.#settle(afterLoss);
    if (!this.#ended) void this.#renew();
  }

  /** Answers some of the requests that were sent. */
  #settle(toResult: (request: wire.Packet, id: number) => string | undefined): void {
    const settled: [wire.Packet, string][] = [];
    for (const [id, { packet, waiting }] of this.#requests) {
      const result = waiting ? undefined : toResult(packet, id);
      if (result === undefined) continue;
      this.#requests.delete(id);
      settled.push([packet, result]);
    }
    // Who hears of it may ask for more, or close.
    for (const [packet, result] of settled) this.#answer(packet, result);
  }

  async #renew(): Promise<void> {
    try {
      const { connection, done } = await this.#options.renew(this.#stop.signal);
      if (this.#ended) return connection.close();
      this.#settle((packet, id) => afterRenewal(packet, done.has(id)));
      if (this.#ended) return connection.close();
      for (const request of this.#requests.values()) request.waiting ??= [];
      this.#attach(connection);
    } catch (error) {
      return this.#giveUp(error as Error);
    }
    this.#options.onRenewed?.();
  }

  #giveUp(error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#dropWaiting();
    this.onClose(error);
  }

  #dropWaiting(): void {
    for (const { waiting } of this.#requests.values()) if (waiting) this.#options.onStrayFds?.(waiting);
    this.#requests.clear();
  }
}

/** What is answered at once to a request without an answer whose server is gone; undefined: that is seen later. */
function afterLoss({ type, txId, payload }: wire.Packet): 'OK' | 'EAGAIN' | 'ECONNRESET' | undefined {
  if (type >= wire.FIRST_HYPERCALL) return 'ECONNRESET';
  if (txId === 0 || isCommit(type, payload)) return undefined;
  return type === wire.XS_TRANSACTION_END ? 'OK' : 'EAGAIN';
}

/** What is answered when there is a server again, which has been told what was done; undefined: it is asked again. */
function afterRenewal({ type, payload }: wire.Packet, isDone: boolean): 'OK' | 'EAGAIN' | undefined {
  if (isCommit(type, payload)) return isDone ? 'OK' : 'EAGAIN';
  return isDone ? 'OK' : undefined;
}

function isCommit(type: number, payload: Buffer): boolean {
  return type === wire.XS_TRANSACTION_END && wire.onlyString(payload) !== 'F';
}

/** The number after the last, or a later one: from 1 up to what 32 bits hold, and not one that is used. */
function nextFree(last: number, used: ReadonlyMap<number, unknown>): number {
  let next = last;
  do next = (next + 1) >>> 0 || 1;
  while (used.has(next));
  return next;
}
