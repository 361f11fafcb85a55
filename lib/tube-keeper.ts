/**
 * The process behind one tube on one side: it runs the handshake, hands the port over, and removes the tube's
 * directory when either side is done with it. It waits for its own peer only. What differs between the two sides is
 * in tube-opener.ts and tube-acceptor.ts.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Pid, type Port } from '../actors/identifiers.js';
import { isTuple } from '../actors/term.js';
import { TUBE_HANGUP, TUBE_SETOPTS } from '../ports/drivers/tube.js';
import type { Ring, TubeOption } from '../ports/drivers/tube-options.js';
import { isRingSize } from '../ports/drivers/tube-resources.js';
import type { Self } from '../ports/self.js';
import type { Domid } from '../xen/hypervisor.js';
import {
  FINAL_STATES,
  type Handshake,
  type HandshakeAction,
  type HandshakeEvent,
  type HandshakeState,
  peerEvent,
  type TubeKeys,
} from '../xen/tube-handshake.js';
import { isDisconnection } from './disconnection.js';
import type { From } from './gen-server.js';
import type { Done, Result } from './result.js';
import * as xenstore from './xenstore.js';

export interface TubeOptions {
  readonly me: Domid;
  readonly peer: Domid;
  readonly tid: number;
  /** What the rings are to be at most. */
  readonly ring: Ring;
  /** How long the peer may take for its part of the handshake, in milliseconds. */
  readonly timeout: number;
  /** The tube_server that wants this tube. */
  readonly server: Pid;
}

/** Who waits for a tube, and what options it is to have. */
export interface Caller {
  readonly from: From;
  readonly options: readonly TubeOption[];
}

/** From the server to a keeper: close the tube. */
export type CloseRequest = ['close'];

export abstract class Keeper {
  protected readonly keys: TubeKeys;
  protected port: Port | undefined;
  /** Whether the peer has ever said anything. */
  protected peerSeen = false;
  /** How many packets had come when the peer closed; undefined before. */
  protected received: number | undefined;
  /** Nobody on this side has asked for its end. */
  protected isWanted = true;
  /** Why the handshake has failed, where something better is known than its final state. */
  protected failure: string | undefined;
  /** Told to end, for this reason: so does the port. */
  #told: { readonly reason: unknown } | undefined;
  readonly #handshake: Handshake;
  readonly #deadline: number;
  #state: HandshakeState;

  constructor(
    protected readonly self: Self,
    protected readonly options: TubeOptions,
    handshake: Handshake,
    keys: TubeKeys,
  ) {
    this.keys = keys;
    this.#handshake = handshake;
    this.#deadline = performance.now() + options.timeout;
    this.#state = handshake.initialState;
  }

  /** The directory this side writes and removes, and the one it reads. */
  protected abstract readonly own: string;
  protected abstract readonly theirs: string;
  protected abstract act(action: HandshakeAction): Promise<HandshakeEvent | undefined>;
  /** A message that only this side knows. */
  protected abstract understand(message: unknown): HandshakeEvent | undefined;
  /** Removes what this side has to at the end: its own directory, and nothing else that the peer will. */
  protected abstract removeOwn(): Promise<void>;
  /** The tube is gone on this side, and the directory with it: for whoever is still to be told why. */
  over(_reason: string): void {}

  async run(): Promise<void> {
    this.self.process_flag('trap_exit', true);
    let event = await this.#actAll();
    while (!FINAL_STATES.has(this.#state.value)) {
      event ??= await this.#next();
      this.#state = this.#handshake.transition(this.#state, event);
      event = await this.#actAll();
    }
    await this.#cleanUp();
    if (this.#told) this.self.exit(this.#told.reason);
  }

  /** The actions of the state just entered; what the last of them says has happened. */
  async #actAll(): Promise<HandshakeEvent | undefined> {
    let event: HandshakeEvent | undefined;
    for (const { type } of this.#state.actions) event = await this.#tryTo(type as HandshakeAction);
    return event;
  }

  async #tryTo(action: HandshakeAction): Promise<HandshakeEvent | undefined> {
    if (action !== 'hangUp') return this.act(action);
    // What the peer had sent is delivered before the owner hears of the end.
    if (this.port && this.isOpen(this.port)) {
      const answer = await this.control(this.port, TUBE_HANGUP, Buffer.alloc(0));
      this.received = answer?.readUInt32BE(1) ?? 0;
    }
    return undefined;
  }

  async #next(): Promise<HandshakeEvent> {
    for (;;) {
      const patient = this.#state.value === 'connected' || this.#state.value === 'pending';
      // Asked before there is a look at the mailbox, which a peer can keep from ever being empty.
      if (!patient && this.isLate) return { type: 'TIMEOUT' };
      const after = patient ? 'infinity' : Math.ceil(this.#deadline - performance.now());
      const message = await this.self.receive(isAny, { after });
      if (message === undefined) return { type: 'TIMEOUT' };
      const event = await this.#toEvent(message);
      if (event) return event;
    }
  }

  async #toEvent(message: unknown): Promise<HandshakeEvent | undefined> {
    if (!isTuple(message)) return undefined;
    const [kind, subject] = message;
    if (kind === 'watch') {
      // One look answers all that is there.
      while ((await this.self.receive(isWatch, { after: 0 })) !== undefined);
      return this.peerEvent();
    }
    // A port that fails has a reason that says more than what its driver had answered.
    if (kind === 'EXIT' && subject === this.port) {
      if (message[2] !== 'normal' && typeof message[2] === 'string') this.failure ??= message[2];
      return { type: 'ABANDONED' };
    }
    if (kind === 'EXIT' && subject instanceof Pid && message[2] !== 'normal') {
      this.#told = { reason: message[2] };
      return { type: 'ABANDONED' };
    }
    if (kind === 'close') {
      this.isWanted = false;
      return { type: 'ABANDONED' };
    }
    return this.understand(message);
  }

  /** What the peer's state key says now; undefined when lingd is gone, and nobody can know. */
  protected async peerEvent(): Promise<HandshakeEvent | undefined> {
    const state = await xenstore.read_integer(this.self, `${this.theirs}/state`);
    if (state[0] === 'ok') {
      this.peerSeen = true;
      return peerEvent(state[1], true);
    }
    const directory = await xenstore.read(this.self, this.theirs);
    const isUnknown = directory[0] === 'error' && isDisconnection(directory[1]);
    return isUnknown ? undefined : peerEvent(undefined, directory[0] === 'ok');
  }

  async #cleanUp(): Promise<void> {
    const { self } = this;
    const outcome = this.#state.value;
    const wasThere = outcome === 'closed';
    // Where the peer may be about to map the pages: one that finds them gone finds that this side is gone.
    const removed = wasThere ? undefined : this.removeOwn();
    // Killed by now, this process is told so by what comes next.
    removed?.catch(() => {});
    if (this.port && this.isOpen(this.port)) {
      if (this.#told) self.exit(this.port, this.#told.reason);
      // With the peer gone it ends by itself, as soon as its owner has wanted all that was sent.
      else if (this.received === undefined) self.port_close(this.port);
    }
    await removed;
    await xenstore.unwatch(self, this.theirs);
    if (wasThere) await this.removeOwn();
    this.over(this.failure ?? (outcome === 'timedOut' ? 'timeout' : 'closed'));
  }

  // ---- What both sides do

  protected get isLate(): boolean {
    return performance.now() >= this.#deadline;
  }

  protected watchPeer(): Promise<Done> {
    return xenstore.watch(this.self, this.theirs);
  }

  protected setState(state: number): Promise<Done> {
    return xenstore.write(this.self, `${this.own}/state`, state);
  }

  protected fail(reason: string): HandshakeEvent {
    this.failure ??= reason;
    return { type: 'FAILED' };
  }

  /**
   * What the peer has written into its key `ring` as the size of packed rings; undefined for LING's layout, of which a peer
   * says nothing. `{error, einval}` for what is no size.
   */
  protected async ringOfPeer(directory: string): Promise<Result<number | undefined>> {
    const found = await xenstore.read_integer(this.self, `${directory}/ring`);
    if (found[0] === 'ok') return isRingSize(found[1]) ? found : ['error', 'einval'];
    if (found[1] === 'enoent') return ['ok', undefined];
    return found[1] === 'not_integer' ? ['error', 'einval'] : found;
  }

  /** Opens the port, with this process as its owner, who wants no packets: they wait for whom it is given to. */
  protected openPort(): Port {
    const port = this.self.open_port('tube', ['binary', ['tid', this.options.tid], ['active', false]]);
    this.port = port;
    this.self.send(this.options.server, ['port', this.self.pid, port]);
    return port;
  }

  /** Makes the caller its owner; from here on packets come out of it. */
  protected give(port: Port, { from, options }: Caller): void {
    this.self.port_connect(port, from[0]);
    this.self.port_call(port, TUBE_SETOPTS, [['active', true], ...options]);
  }

  protected isOpen(port: Port): boolean {
    return this.self.port_info(port, 'id') !== 'undefined';
  }

  /** Why a linked port has closed, if its 'EXIT' message is there already. */
  protected exitReasonOf(port: Port): string | undefined {
    const isExit = (message: unknown): message is ['EXIT', Port, unknown] =>
      isTuple(message) && message[0] === 'EXIT' && message[1] === port;
    // Not by receive, whose answer may be a promise.
    const exit = this.self.mailbox.take(isExit);
    return isExit(exit) && typeof exit[2] === 'string' ? exit[2] : undefined;
  }

  /** What the driver answers; undefined when that has ended the port. */
  protected async control(port: Port, operation: number, data: Buffer): Promise<Buffer | undefined> {
    try {
      return Buffer.from(await this.self.port_control(port, operation, data));
    } catch (error) {
      if ((error as { reason?: unknown }).reason === 'badarg') return undefined;
      throw error;
    }
  }

  /** All writes or none; `{error, timeout}` when others change the same nodes until time is up. */
  protected async writeTogether(
    directory: string,
    values: Readonly<Record<string, string | number>>,
  ): Promise<Done> {
    const { self } = this;
    for (;;) {
      const begun = await xenstore.transaction(self);
      if (begun[0] === 'error') return begun;
      const [, tx] = begun;
      const made = await xenstore.mkdir(self, directory, tx);
      const writes = Object.entries(values).map(([key, value]) => xenstore.write(self, key, value, tx));
      const failed = [made, ...(await Promise.all(writes))].find((done) => done !== 'ok');
      if (failed) await xenstore.rollback(self, tx);
      const done = failed ?? (await xenstore.commit(self, tx));
      if (done === 'ok' || done[1] !== 'eagain') return done;
      if (this.isLate) return ['error', 'timeout'];
      // Others write in the same directories; their transaction is through by now.
      await sleep(1);
    }
  }
}

/** A request of the tube driver: 32-bit big-endian numbers. */
export function encode(...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 4);
  numbers.forEach((number, i) => {
    bytes.writeUInt32BE(number, i * 4);
  });
  return bytes;
}

function isWatch(message: unknown): message is ['watch', string] {
  return isTuple(message) && message[0] === 'watch';
}

function isAny(_message: unknown): _message is unknown {
  return true;
}
