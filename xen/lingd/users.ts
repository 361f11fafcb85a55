import type { Domid } from '../hypervisor.js';
import { XenstoreError } from '../xenstore/errors.js';
import { type Limits, Policy } from './policy.js';
import { TokenBucket } from './token-bucket.js';

/** What is counted of a user. */
export type Countable = 'connections' | 'domains' | 'grants' | 'channels' | 'descriptors';

/** Connections beside those of domains: they are about to become domains, or to hear why not. */
const NEWCOMERS = 16;
/** With so many users known, those of whom nothing is to be known are forgotten. */
const MANY_USERS = 256;

/** A user of the box: what all of its domains have together, and what they may have. */
export class User {
  limits: Limits;
  /** Of the messages of all its connections. */
  readonly pace: TokenBucket;
  readonly #used: Record<Countable, number> = {
    connections: 0,
    domains: 0,
    grants: 0,
    channels: 0,
    descriptors: 0,
  };

  #refusedAt = Number.NEGATIVE_INFINITY;

  constructor(
    readonly uid: number,
    limits: Limits,
  ) {
    this.limits = limits;
    this.pace = new TokenBucket(() => this.limits);
  }

  /** `EDQUOT` when that would be more than it may have; it has as many as before then. */
  take(what: Countable, count = 1): void {
    if (this.#used[what] + count > this.#limitOf(what)) throw new XenstoreError('EDQUOT');
    this.count(what, count);
  }

  /** Whether there was one left for it. */
  tryToTake(what: Countable): boolean {
    if (this.#used[what] >= this.#limitOf(what)) return false;
    this.count(what);
    return true;
  }

  /** It has them, whatever it may have. */
  count(what: Countable, count = 1): void {
    this.#used[what] += count;
  }

  giveBack(what: Countable, count = 1): void {
    this.#used[what] -= count;
  }

  used(what: Countable): number {
    return this.#used[what];
  }

  /** Not again within a minute. */
  isNewsToRefuse(): boolean {
    const isNews = performance.now() - this.#refusedAt > 60_000;
    if (isNews) this.#refusedAt = performance.now();
    return isNews;
  }

  get isForgettable(): boolean {
    return Object.values(this.#used).every((count) => count === 0) && this.pace.isFull;
  }

  #limitOf(what: Countable): number {
    return what === 'connections' ? this.limits.domains + NEWCOMERS : this.limits[what];
  }
}

/** The users that lingd has to do with. */
export class Users {
  #policy = new Policy();
  readonly #users = new Map<number, User>();
  /** Whose the domains are, also those that are expected back. */
  readonly #owners = new Map<Domid, User>();

  of(uid: number): User {
    const known = this.#users.get(uid);
    if (known) return known;
    if (this.#users.size >= MANY_USERS) this.#forgetSome();
    const user = new User(uid, this.#policy.limitsOf(uid));
    this.#users.set(uid, user);
    return user;
  }

  /** From now on that is what they may have. What they have stays theirs. */
  obey(policy: Policy): void {
    this.#policy = policy;
    for (const user of this.#users.values()) user.limits = policy.limitsOf(user.uid);
  }

  /** One of the domains that are counted of the user has that domid. */
  own(domid: Domid, user: User): void {
    this.#owners.set(domid, user);
  }

  /** The domain is none any more. */
  disown(domid: Domid): void {
    this.#owners.get(domid)?.giveBack('domains');
    this.#owners.delete(domid);
  }

  #forgetSome(): void {
    for (const [uid, user] of this.#users) if (user.isForgettable) this.#users.delete(uid);
  }
}
