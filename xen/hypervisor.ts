/**
 * What a domain asks of its hypervisor: memory that another domain may map, doorbells between two domains, and
 * the Xenstore through which they find each other.
 *
 * `linux` (lingd, see linux-hypervisor.ts) implements it with memfds, socket pairs and a Unix socket; Xen itself has
 * the same operations on /dev/xen/*. Everything here is asynchronous, fails with an Error that has a `code`, and
 * belongs to this domain: when the domain ends, in whatever way, the hypervisor ends all of it.
 */
import type { SharedPages } from '../native/index.js';
import type { Watcher } from '../native/watcher.js';
import type { XenstoreClient } from './xenstore/client.js';

/** The number of a domain, 0 to 32751. */
export type Domid = number;

/** The first number that can not be a domain's (Xen's DOMID_FIRST_RESERVED). */
export const DOMID_FIRST_RESERVED = 0x7ff0;

export function isDomid(value: unknown): value is Domid {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < DOMID_FIRST_RESERVED;
}

/** Pages of this domain that one other domain may map. */
export interface Grant {
  /** One reference a page; what the other domain names them by. */
  readonly refs: readonly number[];
  readonly pages: SharedPages;
  /** Nobody can map them any more; who has mapped them keeps them. */
  end(): void;
}

/** One side of an event channel. */
export interface EventChannel {
  /** This domain's number for it; what the other domain binds to. */
  readonly port: number;
  /** The end of the doorbell that wakes the other side, and is rung by it. A descriptor, the caller's from now on. */
  readonly doorbell: number;
  /** Closes the descriptor, for one whom nobody took over. */
  discard(): void;
  /** Forgets the channel at the hypervisor; does not close the descriptor. */
  close(): void;
}

export interface Hypervisor {
  readonly domid: Domid;
  readonly xenstore: XenstoreClient;
  /** Where the descriptors of this domain are waited on. */
  readonly watcher: Watcher;
  grant(peer: Domid, pages: number): Promise<Grant>;
  /** Maps pages that `granter` has granted to this domain, one behind the other. */
  map(granter: Domid, refs: readonly number[]): Promise<SharedPages>;
  allocateChannel(peer: Domid): Promise<EventChannel>;
  bindChannel(remote: Domid, remotePort: number): Promise<EventChannel>;
  /**
   * How often the hypervisor has ended and begun anew. What was granted or allocated before, and not yet mapped or
   * bound, is gone then, and what was just being asked for may have failed with `ECONNRESET`; what two domains share
   * already is theirs.
   */
  readonly epoch: number;
  /** Resolves when the hypervisor is gone for good, with the reason unless close() was called. */
  readonly closed: Promise<Error | undefined>;
  close(): Promise<void>;
}
