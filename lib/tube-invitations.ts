/**
 * The invitations to tubes that no process of this domain has accepted yet, by who has made them. Each takes pages and
 * channels of this side, so a peer that makes them without end has only so many answered at a time, and the others theirs.
 */
import type { Domid } from '../xen/hypervisor.js';

/** So many of one peer are answered at a time; further ones wait, in their order, until one of these is accepted or over. */
export const MOST_ANSWERED = 32;
/** So many of one peer wait; what comes above is not heard, and times out over there. */
export const MOST_WAITING = 16_384;

interface Inviter<Keeper> {
  /** By tid. */
  readonly answered: Set<number>;
  readonly waiting: Set<number>;
  /** Of those that are answered, for which all is done but that a process accepts. */
  readonly pending: Keeper[];
}

export class Invitations<Keeper> {
  /** Whose turn it is to be accepted comes first. */
  readonly #inviters = new Map<Domid, Inviter<Keeper>>();

  /** Whether it is to be answered now; otherwise {@link end} says when. */
  begin(peer: Domid, tid: number): boolean {
    const inviter = this.#inviters.get(peer) ?? { answered: new Set(), waiting: new Set(), pending: [] };
    this.#inviters.set(peer, inviter);
    const { answered, waiting } = inviter;
    const isNext = answered.size < MOST_ANSWERED;
    if (isNext) answered.add(tid);
    else if (waiting.size < MOST_WAITING) waiting.add(tid);
    return isNext;
  }

  /** One that was answered has been accepted, or is over. Answers the tid that is to begin instead, if there is one. */
  end(peer: Domid, tid: number): number | undefined {
    const inviter = this.#inviters.get(peer);
    if (!inviter?.answered.delete(tid)) return undefined;
    const [next] = inviter.waiting;
    if (next !== undefined) inviter.waiting.delete(next);
    else if (inviter.answered.size === 0) this.#inviters.delete(peer);
    return next;
  }

  /** That a process accepts is all that this one, which is answered, waits for. */
  addPending(peer: Domid, keeper: Keeper): void {
    this.#inviters.get(peer)?.pending.push(keeper);
  }

  removePending(peer: Domid, keeper: Keeper): void {
    const { pending = [] } = this.#inviters.get(peer) ?? {};
    const place = pending.indexOf(keeper);
    if (place !== -1) pending.splice(place, 1);
  }

  /** The next to be accepted: peers in turn, and of each in their order. */
  takePending(): Keeper | undefined {
    for (const [peer, inviter] of this.#inviters) {
      const keeper = inviter.pending.shift();
      if (keeper === undefined) continue;
      this.#inviters.delete(peer);
      this.#inviters.set(peer, inviter);
      return keeper;
    }
    return undefined;
  }
}
