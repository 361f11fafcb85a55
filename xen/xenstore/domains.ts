/**
 * A domain as the Xenstore knows it, for one life: when a domid is given out again, its next owner is another
 * object. Permission entries hold on to the object, so those of an earlier life are dead without anyone having to
 * find and strike them.
 */
export class Domain {
  introduced = false;
  /** Its life is over. */
  ended = false;
  /** It has shut down or crashed, which was announced, and has not been resumed since. */
  shutDown = false;
  /** The domain in whose name this one may act as well (SET_TARGET): a device model's guest. */
  target: Domain | undefined = undefined;
  /** The paths of the nodes it owns, so that its end need not search the tree for them. */
  readonly owned = new Set<string>();
  /** What its nodes and watches take, in bytes. */
  memory = 0;
  watches = 0;
  transactions = 0;

  constructor(readonly domid: number) {}

  /** How many nodes it owns. */
  get nodes(): number {
    return this.owned.size;
  }
}

/** Who asks: a domain, and whether checks and quotas are waived for it. */
export interface Caller {
  readonly domain: Domain;
  readonly privileged: boolean;
}

/** The domains alive now. Domain 0 always is. */
export class Domains {
  readonly #alive = new Map<number, Domain>();
  readonly #exists: (domid: number) => boolean;

  /** `exists` answers for domains that the hypervisor has and nobody has introduced yet. */
  constructor(exists: (domid: number) => boolean) {
    this.#exists = exists;
    this.ensure(0).introduced = true;
  }

  /** The domain of that number; undefined when there is none. */
  find(domid: number): Domain | undefined {
    return this.#alive.get(domid) ?? (this.#exists(domid) ? this.ensure(domid) : undefined);
  }

  /** The domain of that number, which begins its life here if need be. */
  ensure(domid: number): Domain {
    const known = this.#alive.get(domid);
    if (known !== undefined) return known;
    const domain = new Domain(domid);
    this.#alive.set(domid, domain);
    return domain;
  }

  /** The domain of that number if it has been introduced. */
  introduced(domid: number): Domain | undefined {
    const domain = this.#alive.get(domid);
    return domain?.introduced ? domain : undefined;
  }

  /** All but domain 0 that have been introduced. */
  allIntroduced(): Domain[] {
    return [...this.#alive.values()].filter(({ domid, introduced }) => domid !== 0 && introduced);
  }

  /** Ends the domain's life. */
  forget(domain: Domain): void {
    domain.introduced = false;
    domain.ended = true;
    this.#alive.delete(domain.domid);
    for (const other of this.#alive.values()) {
      if (other.target === domain) other.target = undefined;
    }
  }
}
