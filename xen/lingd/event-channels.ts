import { closeConnection, createDoorbell } from '../../native/index.js';
import type { Domid } from '../hypervisor.js';
import { XenstoreError } from '../xenstore/errors.js';
import type { User } from './users.js';

interface Channel {
  readonly peer: Domid;
  /** The end of the doorbell that the binding side will get; undefined once it has. */
  offer: number | undefined;
}

/** One side of a channel; the descriptor of its end of the doorbell is the caller's to close. */
export interface ChannelEnd {
  readonly port: number;
  readonly doorbell: number;
}

interface Table {
  /** Whose they are. */
  readonly user: User;
  readonly channels: Map<number, Channel>;
  next: number;
}

const MOST_CHANNELS = 4096;

/** The event channels of every domain. An unbound one keeps one end of its doorbell here, a bound one nothing. */
export class EventChannels {
  readonly #domains = new Map<Domid, Table>();

  /** `first` is the first port of each domain: another one for each lingd, as domains may remember older ones. */
  constructor(private readonly first: number) {}

  /** An unbound channel that `peer` may bind, of a domain of that user. */
  allocate(user: User, owner: Domid, peer: Domid): ChannelEnd {
    const channel: Channel = { peer, offer: undefined };
    const port = this.#add(user, owner, channel);
    try {
      const [doorbell, offer] = makeDoorbell(user);
      channel.offer = offer;
      return { port, doorbell };
    } catch (error) {
      this.close(owner, port);
      throw error;
    }
  }

  /** The other side of an unbound channel of `remote`, once. */
  bind(user: User, binder: Domid, remote: Domid, remotePort: number): ChannelEnd {
    const table = this.#domains.get(remote);
    const channel = table?.channels.get(remotePort);
    if (!table || channel?.peer !== binder) throw new XenstoreError('EACCES');
    if (channel.offer === undefined) throw new XenstoreError('EBUSY');
    const port = this.#add(user, binder, { peer: remote, offer: undefined });
    const doorbell = channel.offer;
    channel.offer = undefined;
    table.user.giveBack('descriptors');
    return { port, doorbell };
  }

  close(owner: Domid, port: number): void {
    const table = this.#domains.get(owner);
    const channel = table?.channels.get(port);
    if (!table || !channel) throw new XenstoreError('ENOENT');
    table.channels.delete(port);
    withdraw(table.user, channel);
  }

  closeAllOf(owner: Domid): void {
    const table = this.#domains.get(owner);
    for (const channel of table?.channels.values() ?? []) withdraw((table as Table).user, channel);
    this.#domains.delete(owner);
  }

  /** How many ends of channels a domain has. */
  count(owner: Domid): number {
    return this.#domains.get(owner)?.channels.size ?? 0;
  }

  #add(user: User, owner: Domid, channel: Channel): number {
    let table = this.#domains.get(owner);
    if (!table) {
      table = { user, channels: new Map(), next: 1 + this.first };
      this.#domains.set(owner, table);
    }
    if (table.channels.size >= MOST_CHANNELS) throw new XenstoreError('ENOSPC');
    user.take('channels');
    const port = table.next++;
    table.channels.set(port, channel);
    return port;
  }
}

/** The user is counted one of its ends, as long as that is kept. */
function makeDoorbell(user: User): [own: number, offer: number] {
  user.take('descriptors');
  try {
    return createDoorbell();
  } catch (error) {
    user.giveBack('descriptors');
    throw error;
  }
}

function withdraw(user: User, channel: Channel): void {
  user.giveBack('channels');
  if (channel.offer === undefined) return;
  user.giveBack('descriptors');
  closeConnection(channel.offer);
}
