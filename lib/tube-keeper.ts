/**
 * The process behind one tube on one side: it runs the handshake, hands the port over, and removes the tube's
 * directory when either side is done with it. It waits for its own peer only.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pid, Port } from '../actors/identifiers.js';
import { isTuple } from '../actors/term.js';
import { TUBE_ATTACH, TUBE_HANGUP, TUBE_OPEN } from '../ports/drivers/tube.js';
import type { Self } from '../ports/self.js';
import type { Domid } from '../xen/hypervisor.js';
import {
  acceptorHandshake,
  CONNECTED,
  FINAL_STATES,
  type Handshake,
  type HandshakeAction,
  type HandshakeEvent,
  type HandshakeState,
  INIT_WAIT,
  INITIALISED,
  INITIALISING,
  openerHandshake,
  peerEvent,
  type TubeKeys,
  tubeKeys,
} from '../xen/tube-handshake.js';
import type { From } from './gen-server.js';
import * as gen_server from './gen-server.js';
import type { Done, Result } from './result.js';
import * as xenstore from './xenstore.js';

export interface TubeOptions {
  readonly me: Domid;
  readonly peer: Domid;
  readonly tid: number;
  /** How long the peer may take for its part of the handshake, in milliseconds. */
  readonly timeout: number;
  /** The tube_server that started this. */
  readonly server: Pid;
}

/** From the server to a keeper on the accepting side: hand the tube to this caller of accept. */
export type Accepted = ['accepted', From];
/** From the server to a keeper: close the tube. */
export type CloseRequest = ['close'];

/** Runs the side that opens; the caller gets its answer from here. */
export async function keepOpener(self: Self, options: TubeOptions, from: From): Promise<void> {
  const opener = new Opener(self, options, from);
  try {
    await opener.run();
  } finally {
    // A fault of ours must not leave the caller waiting.
    opener.over('closed');
  }
}

/** Runs the side that accepts, up to the end of the tube. */
export async function keepAcceptor(self: Self, options: TubeOptions): Promise<void> {
  await new Acceptor(self, options).run();
}

abstract class Keeper {
  protected readonly keys: TubeKeys;
  protected port: Port | undefined;
  /** Whether the peer has ever said anything. */
  protected peerSeen = false;
  /** Why the handshake has failed, where something better is known than its final state. */
  protected failure: string | undefined;
  readonly #handshake: Handshake;
  #state: HandshakeState;

  constructor(
    protected readonly self: Self,
    protected readonly options: TubeOptions,
    handshake: Handshake,
    keys: TubeKeys,
  ) {
    this.keys = keys;
    this.#handshake = handshake;
    this.#state = handshake.initialState;
  }

  /** The directory this side writes and removes, and the one it reads. */
  protected abstract readonly own: string;
  protected abstract readonly theirs: string;
  protected abstract act(action: HandshakeAction): Promise<HandshakeEvent | undefined>;
  /** A message that only this side knows. */
  protected abstract understand(message: unknown): HandshakeEvent | undefined;
  /** What this side has to remove at the end: its own directory, and nothing else that the peer will. */
  protected abstract leftovers(): string[];
  /** The tube is gone on this side: tell whoever is still to be told. */
  abstract over(reason: string): void;

  async run(): Promise<void> {
    const { self, options } = this;
    self.process_flag('trap_exit', true);
    const deadline = performance.now() + options.timeout;
    let event = await this.#actAll();
    while (!FINAL_STATES.has(this.#state.value)) {
      event ??= await this.#next(deadline);
      this.#state = this.#handshake.transition(this.#state, event);
      event = await this.#actAll();
    }
    await this.#cleanUp();
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
    if (this.port && this.self.port_info(this.port, 'id') !== 'undefined') {
      await this.self.port_control(this.port, TUBE_HANGUP, '');
    }
    return undefined;
  }

  async #next(deadline: number): Promise<HandshakeEvent> {
    for (;;) {
      const patient = this.#state.value === 'connected' || this.#state.value === 'pending';
      const after = patient ? 'infinity' : Math.max(0, Math.ceil(deadline - performance.now()));
      const message = await this.self.receive(isAny, { after });
      if (message === undefined) return { type: 'TIMEOUT' };
      const event = await this.#toEvent(message);
      if (event) return event;
    }
  }

  async #toEvent(message: unknown): Promise<HandshakeEvent | undefined> {
    if (!isTuple(message)) return undefined;
    const [kind, subject] = message;
    if (kind === 'watch') return this.#peerEvent();
    // A port that fails has a reason that says more than what its driver had answered.
    if (kind === 'EXIT' && subject === this.port) {
      if (message[2] !== 'normal' && typeof message[2] === 'string') this.failure ??= message[2];
      return { type: 'ABANDONED' };
    }
    if (kind === 'EXIT' && subject === this.options.server) return this.self.exit(message[2]);
    if (kind === 'close') return { type: 'ABANDONED' };
    return this.understand(message);
  }

  async #peerEvent(): Promise<HandshakeEvent> {
    const state = await xenstore.read_integer(this.self, `${this.theirs}/state`);
    if (state[0] === 'ok') {
      this.peerSeen = true;
      return peerEvent(state[1], true);
    }
    return peerEvent(undefined, (await xenstore.read(this.self, this.theirs))[0] === 'ok');
  }

  async #cleanUp(): Promise<void> {
    const { self } = this;
    const outcome = this.#state.value;
    if (this.port && self.port_info(this.port, 'id') !== 'undefined') self.port_close(this.port);
    await xenstore.unwatch(self, this.theirs);
    for (const directory of this.leftovers()) await xenstore.delete(self, directory);
    this.over(this.failure ?? (outcome === 'timedOut' ? 'timeout' : 'closed'));
  }

  // ---- What both sides do

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

  /** Opens the port, with this process as its owner. */
  protected openPort(): Port {
    const port = this.self.open_port('tube', ['binary']);
    this.port = port;
    this.self.send(this.options.server, ['port', this.self.pid, port]);
    return port;
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

  /** All writes or none. */
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
      if (failed) {
        await xenstore.rollback(self, tx);
        return failed;
      }
      const committed = await xenstore.commit(self, tx);
      if (committed === 'ok' || committed[1] !== 'eagain') return committed;
      // Others write in the same directories; their transaction is through by now.
      await sleep(1);
    }
  }
}

class Opener extends Keeper {
  protected readonly own = this.keys.nock;
  protected readonly theirs = this.keys.tip;
  #caller: Pid;
  /** Who called open; undefined once answered. */
  #from: From | undefined;
  #watching = false;
  /** The tip that this side has made; from the peer's first word on it is the peer's. */
  #invited = false;
  #announced = false;

  constructor(self: Self, options: TubeOptions, from: From) {
    super(self, options, openerHandshake as Handshake, tubeKeys(options.me, options.peer, options.tid));
    this.#from = from;
    this.#caller = from[0];
    self.monitor('process', this.#caller);
  }

  protected act(action: HandshakeAction): Promise<HandshakeEvent | undefined> {
    switch (action) {
      case 'announce':
        return this.#announce();
      case 'attach':
        return this.#attach();
      default:
        this.#answer(['ok', this.port as Port]);
        return Promise.resolve(undefined);
    }
  }

  protected understand(message: unknown[]): HandshakeEvent | undefined {
    // Once it has its tube, the caller's end is the port's business.
    return message[0] === 'DOWN' && this.#from ? { type: 'ABANDONED' } : undefined;
  }

  protected leftovers(): string[] {
    const { nock, tip } = this.keys;
    return [...(this.#announced ? [nock] : []), ...(this.#invited && !this.peerSeen ? [tip] : [])];
  }

  over(reason: string): void {
    this.#answer(['error', reason]);
  }

  async #announce(): Promise<HandshakeEvent | undefined> {
    const { self } = this;
    const { nock, tip } = this.keys;
    if ((await xenstore.read(self, nock))[0] === 'ok') return this.fail('exists');
    if ((await xenstore.read(self, tip))[0] === 'ok') {
      // The last tube of this name: the other side will remove it in a moment, and the watch will say so.
      await this.#watch();
      return undefined;
    }
    const made = await xenstore.mkdir(self, tip);
    if (made !== 'ok') return this.fail(REFUSED.has(made[1]) ? 'not_found' : made[1]);
    this.#invited = true;
    // Whatever was seen of the last tube of this name.
    this.peerSeen = false;
    // Made before the transaction, which would meet those of all other tubes to the same peer in their directory.
    const own = await xenstore.mkdir(self, nock);
    if (own !== 'ok') return this.fail(own[1]);
    this.#announced = true;
    const announced = await this.writeTogether(nock, {
      [`${nock}/tip`]: tip,
      [`${nock}/state`]: INIT_WAIT,
      [`${tip}/nock`]: nock,
    });
    if (announced !== 'ok') return this.fail(announced[1]);
    const watched = await this.#watch();
    return watched === 'ok' ? { type: 'ANNOUNCED' } : this.fail(watched[1]);
  }

  async #watch(): Promise<Done> {
    if (this.#watching) return 'ok';
    this.#watching = true;
    return this.watchPeer();
  }

  async #attach(): Promise<HandshakeEvent> {
    const { self } = this;
    const keys = ['ring-ref', 'event-channel-tx', 'event-channel-rx'];
    const found = await Promise.all(
      keys.map((key) => xenstore.read_integer(self, `${this.keys.tip}/${key}`)),
    );
    const numbers = found.map((result) => (result[0] === 'ok' ? result[1] : -1));
    if (numbers.some((number) => !isU32(number))) return this.fail('einval');
    const port = this.openPort();
    const answer = await this.control(port, TUBE_ATTACH, encode(this.options.peer, ...numbers));
    if (answer?.[0] !== 0) return this.fail(exitReasonOf(self, port) ?? 'einval');
    // The other side may send as soon as it sees that this one is connected.
    if (!self.is_process_alive(this.#caller)) return { type: 'ABANDONED' };
    self.port_connect(port, this.#caller);
    const connected = await this.setState(CONNECTED);
    return connected === 'ok' ? { type: 'ATTACHED' } : this.fail(connected[1]);
  }

  #answer(result: Result<Port>): void {
    const from = this.#from;
    this.#from = undefined;
    if (from) gen_server.reply(this.self, from, result);
  }
}

class Acceptor extends Keeper {
  protected readonly own = this.keys.tip;
  protected readonly theirs = this.keys.nock;
  #accepted: From | undefined;
  /** Before that the directory is nothing but the peer's invitation, who may be about to make the next one. */
  #greeted = false;

  constructor(self: Self, options: TubeOptions) {
    super(self, options, acceptorHandshake as Handshake, tubeKeys(options.peer, options.me, options.tid));
  }

  protected async act(action: HandshakeAction): Promise<HandshakeEvent | undefined> {
    switch (action) {
      case 'greet':
        return this.#greet();
      case 'offer':
        return this.#offer();
      case 'becomePending':
        this.self.send(this.options.server, ['pending', this.self.pid]);
        return undefined;
      default:
        return this.#handOver();
    }
  }

  protected understand(message: unknown[]): HandshakeEvent | undefined {
    if (message[0] !== 'accepted') return undefined;
    this.#accepted = message[1] as From;
    return { type: 'ACCEPTED' };
  }

  protected leftovers(): string[] {
    return this.#greeted ? [this.own] : [];
  }

  over(): void {
    // A caller whom the server had sent here would otherwise wait for nothing.
    if (this.#accepted) this.self.send(this.options.server, ['unserved', this.#accepted]);
  }

  async #greet(): Promise<HandshakeEvent | undefined> {
    const nock = await xenstore.read(this.self, `${this.keys.tip}/nock`);
    // Whoever may write below our data/tip may write nonsense; only the domain itself can answer at its own nock.
    if (nock[0] === 'error' || nock[1] !== this.keys.nock) return this.fail('einval');
    this.#greeted = true;
    const greeted = await this.setState(INITIALISING);
    if (greeted !== 'ok') return this.fail(greeted[1]);
    const watched = await this.watchPeer();
    return watched === 'ok' ? undefined : this.fail(watched[1]);
  }

  async #offer(): Promise<HandshakeEvent> {
    const { self } = this;
    const { tip } = this.keys;
    const port = this.openPort();
    const answer = await this.control(port, TUBE_OPEN, encode(this.options.peer));
    if (answer?.[0] !== 0) return this.fail(exitReasonOf(self, port) ?? 'einval');
    const offered = await this.writeTogether(tip, {
      [`${tip}/ring-ref`]: answer.readUInt32BE(1),
      [`${tip}/event-channel-tx`]: answer.readUInt32BE(5),
      [`${tip}/event-channel-rx`]: answer.readUInt32BE(9),
      [`${tip}/state`]: INITIALISED,
    });
    return offered === 'ok' ? { type: 'OFFERED' } : this.fail(offered[1]);
  }

  async #handOver(): Promise<HandshakeEvent> {
    const { self } = this;
    const port = this.port as Port;
    const from = this.#accepted as From;
    this.#accepted = undefined;
    if (!self.is_process_alive(from[0])) return { type: 'NOBODY_THERE' };
    self.port_connect(port, from[0]);
    const connected = await this.setState(CONNECTED);
    if (connected !== 'ok') return this.fail(connected[1]);
    gen_server.reply(self, from, ['ok', port]);
    return { type: 'HANDED_OVER' };
  }
}

/** What Xenstore answers where no domain, or none with a tube_server, can be invited. */
const REFUSED: ReadonlySet<string> = new Set(['enoent', 'eacces']);

function isAny(_message: unknown): _message is unknown {
  return true;
}

function isU32(number: number): boolean {
  return Number.isInteger(number) && number >= 0 && number <= 0xffff_ffff;
}

/** A request of the tube driver: 32-bit big-endian numbers. */
function encode(...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 4);
  numbers.forEach((number, i) => {
    bytes.writeUInt32BE(number, i * 4);
  });
  return bytes;
}

/** Why a linked port has closed, if its 'EXIT' message is there already. */
function exitReasonOf(self: Self, port: Port): string | undefined {
  const isExit = (message: unknown): message is ['EXIT', Port, unknown] =>
    isTuple(message) && message[0] === 'EXIT' && message[1] === port;
  const exit = self.receive(isExit, { after: 0 });
  return exit && !(exit instanceof Promise) && typeof exit[2] === 'string' ? exit[2] : undefined;
}
