/** The keeper of a tube on the side that accepts it. */
import type { Port } from '../actors/identifiers.js';
import { TUBE_OPEN } from '../ports/drivers/tube.js';
import type { Self } from '../ports/self.js';
import {
  acceptorHandshake,
  CONNECTED,
  type Handshake,
  type HandshakeAction,
  type HandshakeEvent,
  INITIALISED,
  INITIALISING,
  tubeKeys,
} from '../xen/tube-handshake.js';
import * as gen_server from './gen-server.js';
import { type Caller, encode, Keeper, type TubeOptions } from './tube-keeper.js';
import { forgetInviter } from './tube-residue.js';
import * as xenstore from './xenstore.js';

/** From the server: hand the tube to this caller of accept. */
export type Accepted = ['accepted', Caller];

/** Runs the side that accepts, up to the end of the tube. */
export async function keepAcceptor(self: Self, options: TubeOptions): Promise<void> {
  await new Acceptor(self, options).run();
}

class Acceptor extends Keeper {
  protected readonly own = this.keys.tip;
  protected readonly theirs = this.keys.nock;
  #accepted: Caller | undefined;
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
    this.#accepted = message[1] as Caller;
    return { type: 'ACCEPTED' };
  }

  protected async removeOwn(): Promise<void> {
    if (this.#greeted) await xenstore.delete(this.self, this.own);
    await forgetInviter(this.self, this.options.peer, this.own);
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
    const { tip, nock } = this.keys;
    const asked = await this.ringOfPeer(nock);
    if (asked[0] === 'error') return this.fail(asked[1]);
    const { ring } = this.options;
    const size = ring === 'ling' || asked[1] === undefined ? undefined : Math.min(ring, asked[1]);
    const port = this.openPort();
    const answer = await this.control(port, TUBE_OPEN, encode(this.options.peer, ...(size ? [size] : [])));
    if (answer?.[0] !== 0) return this.fail(this.exitReasonOf(port) ?? 'einval');
    const offered = await this.writeTogether(tip, {
      [`${tip}/ring-ref`]: answer.readUInt32BE(1),
      [`${tip}/event-channel-tx`]: answer.readUInt32BE(5),
      [`${tip}/event-channel-rx`]: answer.readUInt32BE(9),
      ...(size && { [`${tip}/ring`]: size }),
      [`${tip}/state`]: INITIALISED,
    });
    return offered === 'ok' ? { type: 'OFFERED' } : this.fail(offered[1]);
  }

  async #handOver(): Promise<HandshakeEvent> {
    const { self } = this;
    const port = this.port as Port;
    const caller = this.#accepted as Caller;
    this.#accepted = undefined;
    // An opener that has given up is no tube, even if its word of that is still on the way.
    const peer = await this.peerEvent();
    if (peer === undefined) return this.fail('econnreset');
    if (peer.type !== 'PEER_CONNECTED') return peer;
    // In the same turn in which it is given the port.
    if (!self.is_process_alive(caller.from[0])) return { type: 'NOBODY_THERE' };
    this.give(port, caller);
    const connected = await this.setState(CONNECTED);
    if (connected !== 'ok') return this.fail(connected[1]);
    self.send(this.options.server, ['served', self.pid]);
    gen_server.reply(self, caller.from, ['ok', port]);
    return { type: 'HANDED_OVER' };
  }
}
