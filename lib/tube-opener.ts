/** The keeper of a tube on the side that opens it. */
import type { Port } from '../actors/identifiers.js';
import { TUBE_ATTACH } from '../ports/drivers/tube.js';
import type { Self } from '../ports/self.js';
import {
  CONNECTED,
  type Handshake,
  type HandshakeAction,
  type HandshakeEvent,
  INIT_WAIT,
  openerHandshake,
  tubeKeys,
} from '../xen/tube-handshake.js';
import { hypervisorOf } from './domain-runtime.js';
import * as gen_server from './gen-server.js';
import type { Done, Result } from './result.js';
import { type Caller, encode, Keeper, type TubeOptions } from './tube-keeper.js';
import { makeNock, removeNock } from './tube-nocks.js';
import * as xenstore from './xenstore.js';

/** Runs the side that opens; the caller gets its answer from here. */
export async function keepOpener(self: Self, options: TubeOptions, caller: Caller): Promise<void> {
  const hypervisor = hypervisorOf(self);
  for (;;) {
    const { epoch } = hypervisor;
    const opener = new Opener(self, options, caller);
    try {
      await opener.run();
    } catch (error) {
      // A fault of ours must not leave the caller waiting.
      opener.answer();
      throw error;
    }
    // What either side had got of lingd for this tube went with it, and the other side is about to find that out.
    if (opener.isInVain && hypervisor.epoch !== epoch) continue;
    return opener.answer();
  }
}

class Opener extends Keeper {
  protected readonly own = this.keys.nock;
  protected readonly theirs = this.keys.tip;
  readonly #caller: Caller;
  #answered = false;
  /** What to answer, if it could not be answered before the end. */
  #reason = 'closed';
  #watching = false;
  /** The tip that this side has made; from the peer's first word on it is the peer's. */
  #invited = false;
  /** It may have a nock. */
  #announced = false;

  constructor(self: Self, options: TubeOptions, caller: Caller) {
    super(self, options, openerHandshake as Handshake, tubeKeys(options.me, options.peer, options.tid));
    this.#caller = caller;
    self.monitor('process', caller.from[0]);
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
    if (message[0] !== 'DOWN' || this.#answered) return undefined;
    this.isWanted = false;
    return { type: 'ABANDONED' };
  }

  protected async removeOwn(): Promise<void> {
    const { peer, tid } = this.options;
    if (this.#announced) await removeNock(this.self, peer, tid);
    if (this.#invited && !this.peerSeen) await xenstore.delete(this.self, this.keys.tip);
  }

  override over(reason: string): void {
    this.#reason = reason;
  }

  /** There was no tube, and nobody has been told so; though somebody would like one. */
  get isInVain(): boolean {
    return !this.#answered && this.isWanted && !this.#wasThere;
  }

  /** Tells who waits how it has ended, if they do not know of a tube yet. */
  answer(): void {
    this.#answer(this.#wasThere ? ['ok', this.port as Port] : ['error', this.#reason]);
  }

  /** The other side had accepted, sent and closed before this side could see it: that was a tube all the same. */
  get #wasThere(): boolean {
    return this.port !== undefined && (this.received ?? 0) > 0;
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
    this.#announced = true;
    const own = await makeNock(self, this.options.peer, this.options.tid);
    if (own !== 'ok') return this.fail(own[1]);
    const announced = await this.writeTogether(nock, {
      [`${nock}/tip`]: tip,
      ...(this.options.ring !== 'ling' && { [`${nock}/ring`]: this.options.ring }),
      [`${nock}/state`]: INIT_WAIT,
      [`${tip}/nock`]: nock,
    });
    // It may have been taken away by a tube_server that has begun anew.
    if (announced !== 'ok') return this.fail(REFUSED.has(announced[1]) ? 'closed' : announced[1]);
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
    if (numbers.some((number) => !isU32(number))) return this.#failToAttach('einval');
    const ring = await this.ringOfPeer(this.keys.tip);
    if (ring[0] === 'error') return this.#failToAttach(ring[1]);
    const size = ring[1] === undefined ? [] : [ring[1]];
    // Nobody makes rings that were not asked for.
    const { ring: asked } = this.options;
    if (size.some((made) => asked === 'ling' || made > asked)) return this.#failToAttach('einval');
    const port = this.openPort();
    const answer = await this.control(port, TUBE_ATTACH, encode(this.options.peer, ...numbers, ...size));
    if (answer?.[0] !== 0) return this.#failToAttach(this.exitReasonOf(port) ?? 'einval');
    // The other side may send as soon as it sees that this one is connected.
    if (!self.is_process_alive(this.#caller.from[0])) {
      this.isWanted = false;
      return { type: 'ABANDONED' };
    }
    this.give(port, this.#caller);
    const connected = await this.setState(CONNECTED);
    return connected === 'ok' ? { type: 'ATTACHED' } : this.fail(connected[1]);
  }

  /** What the peer has offered goes with it; whoever comes too late to that has nothing to blame it for. */
  async #failToAttach(reason: string): Promise<HandshakeEvent> {
    const isGone = MISSING.has(reason) && (await this.peerEvent())?.type === 'PEER_GONE';
    return this.fail(isGone ? 'closed' : reason);
  }

  #answer(result: Result<Port>): void {
    if (this.#answered) return;
    this.#answered = true;
    gen_server.reply(this.self, this.#caller.from, result);
  }
}

/** What Xenstore answers where no domain, or none with a tube_server, can be invited. */
const REFUSED: ReadonlySet<string> = new Set(['enoent', 'eacces']);

/** What is answered for numbers, pages and channels that are not there, or not for this domain. */
const MISSING: ReadonlySet<string> = new Set(['einval', 'enoent', 'eacces']);

function isU32(number: number): boolean {
  return Number.isInteger(number) && number >= 0 && number <= 0xffff_ffff;
}
