/**
 * Who the domains are, so that under the lingd after one that has crashed they, and nobody else, have their domids
 * again. One that is expected back counts as alive; its nodes stay, and its tubes on the other side.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { SECRET_BYTES } from '../hypercall.js';
import type { Domid } from '../hypervisor.js';
import { ownUid } from '../own-user.js';
import { XenstoreError } from '../xenstore/errors.js';

export type RosterRecord =
  /** What the secret is known by, as base64, and whose the domain is; older lingds had none but their own user's. */
  | [kind: 'joined', domid: Domid, secretHash: string, uid?: number]
  /** The numbers of requests of the domain that have changed something. */
  | [kind: 'done', domid: Domid, requests: readonly number[]];

interface Member {
  readonly uid: number;
  readonly secretHash: Buffer;
  /** The last requests that have changed something, for it may not have got their answers. */
  done: number[];
  /** Until when it is expected back; undefined: it is here. */
  expected: number | undefined;
}

/** How long a domain that is there may take to come back, in milliseconds: it may be computing, or be stopped. */
const PATIENCE = 10_000;
/** How many requests a domain may have under way, and still be told of each whether it was done; they fit one packet. */
const MOST_DONE = 1000;

export class Roster {
  readonly #members = new Map<Domid, Member>();

  /** `isThere` says whether a domain of that user has not ended, also while it has no connection. */
  constructor(private readonly isThere: (domid: Domid, uid: number) => boolean) {}

  has(domid: Domid): boolean {
    return this.#members.has(domid);
  }

  /** Whether a domain has not ended. */
  isPresent(domid: Domid): boolean {
    const member = this.#members.get(domid);
    return member !== undefined && this.isThere(domid, member.uid);
  }

  /** The domains, and whose they are. */
  *members(): Generator<[domid: Domid, uid: number]> {
    for (const [domid, { uid }] of this.#members) yield [domid, uid];
  }

  /** A domain of that user has joined, or wants another secret. What to remember of it, and its secret, which nobody remembers. */
  join(domid: Domid, uid: number): { record: RosterRecord; secret: Buffer } {
    const secret = randomBytes(SECRET_BYTES);
    const member = { uid, secretHash: hash(secret), done: [], expected: undefined };
    this.#members.set(domid, member);
    return { record: toRecord(domid, member), secret };
  }

  /** A request of a domain has changed something. What to remember of that; nothing where it cannot come back. */
  did(domid: Domid, request: number): RosterRecord | undefined {
    const member = this.#members.get(domid);
    if (!member) return undefined;
    member.done.push(request);
    // Now and then, as that moves them all.
    if (member.done.length > 2 * MOST_DONE) member.done = member.done.slice(-MOST_DONE);
    return ['done', domid, [request]];
  }

  /** Of a domain of an earlier lingd, which is expected back. */
  restore(record: RosterRecord): void {
    const [kind, domid] = record;
    if (kind === 'done') {
      for (const request of record[2]) this.did(domid, request);
      return;
    }
    const secretHash = Buffer.from(record[2], 'base64');
    const uid = record[3] ?? ownUid();
    this.#members.set(domid, { uid, secretHash, done: [], expected: Date.now() + PATIENCE });
  }

  /**
   * A domain is back; answers which of its last requests have changed something. `ENOENT`: none of that domid is known, it
   * may have been waited for in vain. `EACCES`: that is not its secret, or not its user. `EBUSY`: it is here.
   */
  resume(domid: Domid, secret: Buffer, uid: number): number[] {
    const member = this.#members.get(domid);
    if (!member) throw new XenstoreError('ENOENT');
    if (!isEqual(hash(secret), member.secretHash) || uid !== member.uid) throw new XenstoreError('EACCES');
    if (member.expected === undefined) throw new XenstoreError('EBUSY');
    member.expected = undefined;
    return member.done.slice(-MOST_DONE);
  }

  leave(domid: Domid): void {
    this.#members.delete(domid);
  }

  /** Whether no domain is expected back. */
  get isComplete(): boolean {
    return this.awaited.length === 0;
  }

  /** Those that are expected back. */
  get awaited(): Domid[] {
    return [...this.#members].filter(([, { expected }]) => expected !== undefined).map(([domid]) => domid);
  }

  /** Those that are expected and cannot come any more, or have not come for too long. */
  lost(): Domid[] {
    const now = Date.now();
    return [...this.#members]
      .filter(
        ([domid, { expected, uid }]) =>
          expected !== undefined && (expected <= now || !this.isThere(domid, uid)),
      )
      .map(([domid]) => domid);
  }

  /** Whether any domain could come back if lingd ended now. */
  get hasSurvivors(): boolean {
    return [...this.members()].some(([domid]) => this.isPresent(domid));
  }

  *records(): Generator<RosterRecord> {
    for (const [domid, member] of this.#members) {
      yield toRecord(domid, member);
      yield ['done', domid, member.done.slice(-MOST_DONE)];
    }
  }
}

function toRecord(domid: Domid, { secretHash, uid }: Member): RosterRecord {
  return ['joined', domid, secretHash.toString('base64'), uid];
}

function isEqual(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

/** So that who can read what is remembered does not know the secret. */
function hash(secret: Buffer): Buffer {
  return createHash('sha256').update(secret).digest();
}
