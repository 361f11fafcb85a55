import { closeFd, createEventFd, dupFd } from '../../native/index.js';
import type { Domid } from '../hypervisor.js';
import { XenstoreError } from '../xenstore/errors.js';
import { makeDescriptors } from './descriptors.js';
import type { User } from './users.js';

interface Channel {
  readonly peer: Domid;
  /** What the binding side will get; undefined once it has. */
  offer: Doorbells | undefined;
}

export interface Doorbells {
  readonly kick: number;
  readonly wait: number;
}

interface Table {
  /** Whose they are. */
  readonly user: User;
  readonly channels: Map<number, Channel>;
  next: number;
}

const MOST_CHANNELS = 4096;
/** Of a channel that is not bound. */
const BELLS = 2;

/** The event channels of every domain. An unbound one keeps two eventfds here, a bound one nothing. */
export class EventChannels {
  readonly #domains = new Map<Domid, Table>();

  /** `first` is the first port of each domain: another one for each lingd, as domains may remember older ones. */
  constructor(private readonly first: number) {}

  /** An unbound channel that `peer` may bind, of a domain of that user. The descriptors are the caller's to close. */
  allocate(user: User, owner: Domid, peer: Domid): { port: number } & Doorbells {
    const channel: Channel = { peer, offer: undefined };
    const port = this.#add(user, owner, channel);
    try {
      user.take('descriptors', BELLS);
      channel.offer = makeOffer(user);
      const { offer } = channel;
      const own = makeDescriptors([() => dupFd(offer.wait), () => dupFd(offer.kick)]);
      return { port, ...toDoorbells(own) };
    } catch (error) {
      this.close(owner, port);
      throw error;
    }
  }

  /** The other side of an unbound channel of `remote`, once. The descriptors are the caller's to close. */
  bind(user: User, binder: Domid, remote: Domid, remotePort: number): { port: number } & Doorbells {
    const table = this.#domains.get(remote);
    const channel = table?.channels.get(remotePort);
    if (!table || channel?.peer !== binder) throw new XenstoreError('EACCES');
    if (!channel.offer) throw new XenstoreError('EBUSY');
    const port = this.#add(user, binder, { peer: remote, offer: undefined });
    const offer = channel.offer;
    channel.offer = undefined;
    table.user.giveBack('descriptors', BELLS);
    return { port, ...offer };
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

function toDoorbells([kick, wait]: number[]): Doorbells {
  return { kick: kick as number, wait: wait as number };
}

/** For two descriptors that the user has been counted; if they cannot be made, it is not any more. */
function makeOffer(user: User): Doorbells {
  try {
    return toDoorbells(makeDescriptors([createEventFd, createEventFd]));
  } catch (error) {
    user.giveBack('descriptors', BELLS);
    throw error;
  }
}

function withdraw(user: User, channel: Channel): void {
  user.giveBack('channels');
  if (!channel.offer) return;
  user.giveBack('descriptors', BELLS);
  closeFd(channel.offer.kick);
  closeFd(channel.offer.wait);
}
