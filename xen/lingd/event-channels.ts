import { closeFd, createEventFd, dupFd } from '../../native/index.js';
import type { Domid } from '../hypervisor.js';
import { XenstoreError } from '../xenstore/errors.js';
import { makeDescriptors } from './descriptors.js';

interface Channel {
  readonly peer: Domid;
  /** What the binding side will get; undefined once it has. */
  offer: Doorbells | undefined;
}

export interface Doorbells {
  readonly kick: number;
  readonly wait: number;
}

const MOST_CHANNELS = 4096;

/** The event channels of every domain. An unbound one keeps two eventfds here, a bound one nothing. */
export class EventChannels {
  readonly #domains = new Map<Domid, { channels: Map<number, Channel>; next: number }>();

  /** `first` is the first port of each domain: another one for each lingd, as domains may remember older ones. */
  constructor(private readonly first: number) {}

  /** An unbound channel that `peer` may bind. The descriptors are the caller's to close. */
  allocate(owner: Domid, peer: Domid): { port: number } & Doorbells {
    const channel: Channel = { peer, offer: undefined };
    const port = this.#add(owner, channel);
    try {
      const offer = toDoorbells(makeDescriptors([createEventFd, createEventFd]));
      channel.offer = offer;
      const own = makeDescriptors([() => dupFd(offer.wait), () => dupFd(offer.kick)]);
      return { port, ...toDoorbells(own) };
    } catch (error) {
      this.close(owner, port);
      throw error;
    }
  }

  /** The other side of an unbound channel of `remote`, once. The descriptors are the caller's to close. */
  bind(binder: Domid, remote: Domid, remotePort: number): { port: number } & Doorbells {
    const channel = this.#domains.get(remote)?.channels.get(remotePort);
    if (channel?.peer !== binder) throw new XenstoreError('EACCES');
    if (!channel.offer) throw new XenstoreError('EBUSY');
    const port = this.#add(binder, { peer: remote, offer: undefined });
    const offer = channel.offer;
    channel.offer = undefined;
    return { port, ...offer };
  }

  close(owner: Domid, port: number): void {
    const channels = this.#domains.get(owner)?.channels;
    const channel = channels?.get(port);
    if (!channels || !channel) throw new XenstoreError('ENOENT');
    channels.delete(port);
    withdraw(channel);
  }

  closeAllOf(owner: Domid): void {
    for (const channel of this.#domains.get(owner)?.channels.values() ?? []) withdraw(channel);
    this.#domains.delete(owner);
  }

  /** How many ends of channels a domain has. */
  count(owner: Domid): number {
    return this.#domains.get(owner)?.channels.size ?? 0;
  }

  #add(owner: Domid, channel: Channel): number {
    let table = this.#domains.get(owner);
    if (!table) {
      table = { channels: new Map(), next: 1 + this.first };
      this.#domains.set(owner, table);
    }
    if (table.channels.size >= MOST_CHANNELS) throw new XenstoreError('ENOSPC');
    const port = table.next++;
    table.channels.set(port, channel);
    return port;
  }
}

function toDoorbells([kick, wait]: number[]): Doorbells {
  return { kick: kick as number, wait: wait as number };
}

function withdraw(channel: Channel): void {
  if (!channel.offer) return;
  closeFd(channel.offer.kick);
  closeFd(channel.offer.wait);
}
