/** What a lingd leaves to the next one if it ends before its domains: the Xenstore, and who the domains are. */
import { DOMID_FIRST_RESERVED, type Domid } from '../hypervisor.js';
import { stateFile } from '../run-directory.js';
import type { ControlCommands } from '../xenstore/control.js';
import type { Quota } from '../xenstore/quota.js';
import type { StoreRecord } from '../xenstore/record.js';
import { XenstoreServer } from '../xenstore/server.js';
import { domainName, releaseDomain } from './domain-home.js';
import { Leases } from './leases.js';
import type { Log } from './log.js';
import { Roster, type RosterRecord } from './roster.js';
import { readState, StateFile, type StateHeader, type StateRecord } from './state-file.js';

export interface LegacyOptions {
  readonly directory: string;
  readonly madeDirectory: boolean;
  /** The absolute path of the file with the policy; `inherited` is that of the lingd before, if there was one. */
  readonly policy: string | 'inherited' | undefined;
  readonly quota: Partial<Quota>;
  /** Whether what is in the directory is this lingd's still: somebody may have removed it, and others made it again. */
  readonly isOurs: () => boolean;
  readonly controls: ControlCommands;
  /** Also told what went wrong with it; lingd serves all the same. */
  readonly log: Log;
  /** A domain is none any more. */
  readonly onReleased: (domid: Domid) => void;
}

/** How often to look for domains that are expected and cannot come back any more, in milliseconds. */
const LOOK_FOR_LOST = 100;

export class Legacy {
  readonly #options: LegacyOptions;
  readonly #leases: Leases;
  readonly #header: StateHeader;
  #lastDomid = 0;
  #roster: Roster;
  #state: StateFile | undefined;
  #xenstore: XenstoreServer;
  #search: NodeJS.Timeout | undefined;

  /** Takes over from a lingd that has ended before its domains, if there was one. Throws what the system throws. */
  constructor(options: LegacyOptions) {
    this.#options = options;
    this.#leases = new Leases(options.directory);
    this.#roster = this.#newRoster();
    this.#xenstore = this.#newXenstore();
    this.#header = this.#recover();
  }

  get xenstore(): XenstoreServer {
    return this.#xenstore;
  }

  /** How many lingds there have been since the first that a domain of now may remember. */
  get epoch(): number {
    return this.#header.epoch;
  }

  /** Whether a lingd has made the run directory. */
  get madeDirectory(): boolean {
    return this.#header.madeDirectory;
  }

  /** The file with the policy. */
  get policy(): string | undefined {
    return this.#header.policy;
  }

  /** The domains that can come back, and whose they are. */
  members(): Iterable<[domid: Domid, uid: number]> {
    return this.#roster.members();
  }

  /** Whether no domain is expected back. */
  get isComplete(): boolean {
    return this.#roster.isComplete;
  }

  /** How many domains are expected back. */
  get awaited(): number {
    return this.#roster.awaited.length;
  }

  /**
   * From now on, what happens is written down. Calls back when those that were expected have come, or cannot. `sockets`
   * are those that this lingd has made.
   */
  begin(sockets: readonly string[], onComplete: () => void): void {
    const { directory, isOurs, log } = this.#options;
    this.#state = new StateFile(
      stateFile(directory),
      () => [{ ...this.#header, sockets }, this.#records()],
      isOurs,
      ({ message: why }) => log.warn('domains could not come back after a crash', { why }),
    );
    if (this.isComplete) return;
    log.info('waiting for domains to return', { domains: this.awaited });
    this.#search = setInterval(() => {
      for (const domid of this.#roster.lost()) this.#giveUp(domid);
      if (!this.isComplete) return;
      clearInterval(this.#search);
      onComplete();
    }, LOOK_FOR_LOST);
  }

  #giveUp(domid: Domid): void {
    const why = this.#roster.isPresent(domid) ? 'it has not come in time' : 'it has ended';
    this.#options.log.info('domain given up', { domid, name: domainName(this.#xenstore, domid), why });
    releaseDomain(this.#xenstore, domid);
  }

  /** Before anybody is told of what has happened. */
  flush(): void {
    this.#state?.flush();
  }

  /**
   * Nothing is remembered from now on. Answers whether domains are there that will come to another lingd, for which all
   * is left as it is; otherwise nothing is left.
   */
  close(): boolean {
    clearInterval(this.#search);
    const isAwaited = this.#roster.hasSurvivors;
    this.#state?.close(isAwaited);
    this.#leases.close(isAwaited || !this.#options.isOurs());
    return isAwaited;
  }

  // ---- Domains

  /** Numbers go up and start again at 1, so that one that has ended is not reused while others remember it. */
  nextDomid(): Domid | undefined {
    for (let tries = 1; tries < DOMID_FIRST_RESERVED; tries++) {
      this.#lastDomid = (this.#lastDomid % (DOMID_FIRST_RESERVED - 1)) + 1;
      if (!this.#xenstore.isIntroduced(this.#lastDomid)) return this.#lastDomid;
    }
    return undefined;
  }

  /** A domain of that user has said hello: by the secret it can come back, as long as it has the lease, a descriptor. */
  join(domid: Domid, uid: number): { secret: Buffer; lease: number | undefined } {
    const lease = this.#leases.grant(domid, uid);
    const { record, secret } = this.#roster.join(domid, uid);
    this.#state?.add(record);
    return { secret, lease };
  }

  /** A request of a domain has changed something in the Xenstore. */
  did(domid: Domid, request: number): void {
    const record = this.#roster.did(domid, request);
    if (record) this.#state?.add(record);
  }

  /** A domain is back: see {@link Roster.resume}. */
  resume(domid: Domid, secret: Buffer, uid: number): number[] {
    return this.#roster.resume(domid, secret, uid);
  }

  // ---- Taking over

  #recover(): StateHeader {
    const { directory, madeDirectory, policy, log } = this.#options;
    try {
      const found = readState(stateFile(directory));
      if (!found) return this.#beginAnew();
      for (const record of found.records) this.#restore(record);
      // Guests that have never said hello cannot come back.
      const gone = this.#xenstore.introducedDomids().filter((domid) => !this.#roster.has(domid));
      for (const domid of [...gone, ...this.#roster.lost()]) this.#giveUp(domid);
      const { header } = found;
      return {
        epoch: header.epoch + 1,
        madeDirectory: madeDirectory || header.madeDirectory,
        policy: policy === 'inherited' ? header.policy : policy,
      };
    } catch (error) {
      log.warn('domains of before cannot come back', { why: (error as Error).message });
      return this.#beginAnew();
    }
  }

  #beginAnew(): StateHeader {
    this.#roster = this.#newRoster();
    this.#xenstore = this.#newXenstore();
    this.#lastDomid = 0;
    // Domains that nobody knows may have leases of numbers that others get.
    this.#leases.revokeAll();
    const { madeDirectory, policy } = this.#options;
    return { epoch: 0, madeDirectory, policy: policy === 'inherited' ? undefined : policy };
  }

  #restore(record: StateRecord): void {
    switch (record[0]) {
      case 'joined':
      case 'done':
        return this.#roster.restore(record satisfies RosterRecord);
      case 'lastDomid':
        this.#lastDomid = record[1];
        return;
      default:
        this.#xenstore.restore(record);
    }
  }

  *#records(): Generator<StateRecord> {
    yield* this.#xenstore.records();
    yield* this.#roster.records();
    yield ['lastDomid', this.#lastDomid];
  }

  #newRoster(): Roster {
    return new Roster((domid, uid) => this.#leases.isHeld(domid, uid));
  }

  #newXenstore(): XenstoreServer {
    return new XenstoreServer({
      quota: this.#options.quota,
      controls: this.#options.controls,
      onRecord: (record) => this.#onRecord(record),
    });
  }

  #onRecord(record: StoreRecord): void {
    if (record[0] === 'introduced') this.#lastDomid = record[1];
    if (record[0] === 'released') {
      this.#roster.leave(record[1]);
      this.#options.onReleased(record[1]);
    }
    this.#state?.add(record);
  }
}
