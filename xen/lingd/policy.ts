/**
 * Who may become a domain of a lingd, and what each user may have of it. A file of JSON says so (docs/lingd.md):
 *
 *     { "users": { "alice": { "domains": 20 }, "1001": {}, "*": { "domains": 2, "messages": 1000 } } }
 */
import fs from 'node:fs';
import { isMaster } from '../own-user.js';
import { uidOf } from './user-name.js';

/** What a user may have, over all domains together. */
export interface Limits {
  readonly domains: number;
  /** Pages that are granted. */
  readonly grants: number;
  /** Ends of event channels. */
  readonly channels: number;
  /** Descriptors that lingd keeps: one for each piece of memory that is granted, two for a channel until it is bound. */
  readonly descriptors: number;
  /** How many messages are taken in a second, and how many at once after a silence. */
  readonly messages: number;
  readonly burst: number;
}

/** Of lingd's own user and of root, where the policy says nothing of them. */
export const UNLIMITED: Limits = {
  domains: Number.POSITIVE_INFINITY,
  grants: Number.POSITIVE_INFINITY,
  channels: Number.POSITIVE_INFINITY,
  descriptors: Number.POSITIVE_INFINITY,
  messages: Number.POSITIVE_INFINITY,
  burst: Number.POSITIVE_INFINITY,
};

/** Of users who may not become domains. They get an answer, but not as many as they can ask for. */
export const REFUSED: Limits = {
  domains: 0,
  grants: 0,
  channels: 0,
  descriptors: 0,
  messages: 20,
  burst: 20,
};

/** Of users who may, where the policy says nothing else. */
const ALLOWED: Limits = {
  domains: 256,
  grants: 262_144,
  channels: 16_384,
  descriptors: 16_384,
  messages: Number.POSITIVE_INFINITY,
  burst: Number.POSITIVE_INFINITY,
};

/** The file is no policy, or not one to be trusted. The message names it, and what is wrong in it. */
export class PolicyError extends Error {
  readonly code = 'ERR_LINGD_POLICY';
}

/** Stands for all users whom the policy does not name, but lingd's own and root. */
const OTHERS = '*';
/** No policy is as long as that, in bytes. */
const MOST_BYTES = 1024 * 1024;
const MOST = 0x7fff_ffff;

export class Policy {
  readonly #named: ReadonlyMap<number, Limits>;
  readonly #others: Limits;

  /** `named` by user id. */
  constructor(named: ReadonlyMap<number, Limits> = new Map(), others: Limits = REFUSED) {
    this.#named = named;
    this.#others = others;
  }

  limitsOf(uid: number): Limits {
    return this.#named.get(uid) ?? (isMaster(uid) ? UNLIMITED : this.#others);
  }

  /** Whether anybody but lingd's own user and root may become a domain. */
  get admitsOthers(): boolean {
    const named = [...this.#named].some(([uid, { domains }]) => domains > 0 && !isMaster(uid));
    return named || this.#others.domains > 0;
  }
}

/** Throws PolicyError. */
export function readPolicy(file: string): Policy {
  return parsePolicy(file, readTrusted(file));
}

/** What is in a file that nobody but lingd's own user and root can have written. */
function readTrusted(file: string): string {
  const refuse = (why: string): never => {
    throw new PolicyError(`${file} ${why}`);
  };
  try {
    // A link can be somebody else's, also to a policy that is none of this lingd.
    if (!isMaster(fs.lstatSync(file).uid)) refuse('belongs to another user');
    // Something else than a file could make this wait.
    const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK | fs.constants.O_NOCTTY);
    try {
      const status = fs.fstatSync(fd);
      if (!status.isFile()) refuse('is no file');
      if (!isMaster(status.uid)) refuse('belongs to another user');
      if (status.mode & 0o022) refuse('can be written by other users');
      if (status.size > MOST_BYTES) refuse('is too long for a policy');
      return fs.readFileSync(fd, 'utf8');
    } finally {
      fs.closeSync(fd);
    }
  } catch (error) {
    if (error instanceof PolicyError) throw error;
    throw new PolicyError(`${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`, {
      cause: error,
    });
  }
}

function parsePolicy(file: string, text: string): Policy {
  const refuse = (why: string): never => {
    throw new PolicyError(`${file}: ${why}`);
  };
  let policy: unknown;
  try {
    policy = JSON.parse(text);
  } catch (error) {
    refuse((error as Error).message);
  }
  if (!isObject(policy)) return refuse('expected {"users": {...}}');
  const [stranger] = Object.keys(policy).filter((key) => key !== 'users');
  if (stranger !== undefined) refuse(`${stranger} is no part of a policy`);
  if (!isObject(policy.users)) return refuse('users: expected an object');
  const named = new Map<number, Limits>();
  let others = REFUSED;
  for (const [name, given] of Object.entries(policy.users)) {
    const key = `users.${name}`;
    const limits = parseLimits(given, (where, why) => refuse(`${key}${where}: ${why}`));
    if (name === OTHERS) others = limits;
    else {
      const uid = uidOf(name);
      if (uid === undefined) return refuse(`${key}: there is no such user`);
      if (named.has(uid)) refuse(`${key}: that user is named twice`);
      named.set(uid, limits);
    }
  }
  return new Policy(named, others);
}

function parseLimits(given: unknown, refuse: (where: string, why: string) => never): Limits {
  if (!isObject(given)) return refuse('', 'expected an object of limits');
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(ALLOWED, name))
      refuse(`.${name}`, `is no limit; expected ${Object.keys(ALLOWED).join(', ')}`);
    // A user of no messages would wait for ever, and not know why.
    const least = name === 'messages' || name === 'burst' ? 1 : 0;
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > MOST)
      refuse(`.${name}`, `expected a whole number from ${least} to ${MOST}`);
  }
  const limits = given as Partial<Limits>;
  if (limits.burst !== undefined && limits.messages === undefined)
    refuse('.burst', 'is of messages, which are not limited');
  // What may come in a second may come at once.
  return { ...ALLOWED, burst: limits.messages ?? ALLOWED.burst, ...limits };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
