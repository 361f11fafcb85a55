import type { gen_server, Pid, Port } from '../../lib/index.js';
import { Assembler, packetCount } from './chunks.js';
import { encodeMessage } from './message.js';

/** What has gone through a tube. Bytes are those of packets. */
export interface Traffic {
  packetsSent: number;
  packetsReceived: number;
  bytesSent: number;
  bytesReceived: number;
  /** Packets that found a tube full, of those that are open; pacing by can_send makes it 0. */
  drops: number;
}

export function noTraffic(): Traffic {
  return { packetsSent: 0, packetsReceived: 0, bytesSent: 0, bytesReceived: 0, drops: 0 };
}

/** A call that somebody of this domain wants to make. */
export interface Call {
  readonly from: gen_server.From;
  readonly message: Buffer;
  /** On the clock of `performance.now()`: nobody waits for the value any more. */
  readonly deadline: number;
}

/** A message on its way into the tube. */
interface Parcel {
  readonly message: Buffer;
  readonly packets: number;
  /** The next of its packets to send. */
  next: number;
  /** Whom to tell when the last one is sent. */
  readonly sender: gen_server.From | undefined;
}

/** All that a postman knows of its tube, and hands to the next one. */
export class Link {
  /** The peer's name, once it has said it. */
  peer: string | undefined;
  /** A call of the peer is being served. */
  isServing = false;
  /** The peer has talked nonsense; nothing that it says counts any more. */
  isBroken = false;
  /** How many packets the last can_send still allows. */
  slots = 0;
  /** A can_send has been asked for and not been answered. */
  isAsking = false;
  /** The call the peer has not answered yet, and those that wait for their turn. */
  calling: Call | undefined;
  readonly calls: Call[] = [];
  readonly parcels: Parcel[] = [];
  readonly assembler: Assembler;
  readonly traffic = noTraffic();

  constructor(
    readonly tube: Port,
    /** The navel this belongs to. */
    readonly server: Pid,
    options: { readonly name: string; readonly limit: number },
    /** Who has asked for this connection, until the peer has said its name. */
    public connecting?: gen_server.From,
  ) {
    this.assembler = new Assembler(options.limit);
    this.post(encodeMessage(['$iam', options.name]));
  }

  post(message: Buffer, sender?: gen_server.From): void {
    this.parcels.push({ message, packets: packetCount(message.length), next: 0, sender });
  }
  /** Takes out everybody who waits for the tube: it is gone. */
  takeWaiting(): gen_server.From[] {
    const calls = [...(this.calling ? [this.calling] : []), ...this.calls.splice(0)];
    this.calling = undefined;
    const senders = this.parcels.splice(0).map(({ sender }) => sender);
    return [...calls.map(({ from }) => from), ...senders.filter((sender) => sender !== undefined)];
  }
}
