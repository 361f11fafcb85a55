/**
 * The Linux hypervisor: one small OS process of a user that gives out domids, grants of memory, event channels and
 * Xenstore. Packets between domains never pass through it.
 */
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { acceptUnix, type Credentials, closeFd, listenUnix, peerCredentials } from '../../native/index.js';
import { type Watch, Watcher } from '../../native/watcher.js';
import {
  decodeNumbers,
  encodeNumbers,
  HYPERCALL_HELLO,
  HYPERCALL_RESUME,
  SECRET_BYTES,
} from '../hypercall.js';
import { type Domid, isDomid } from '../hypervisor.js';
import {
  domainSocket,
  isStill,
  leaseFiles,
  lockRunDirectory,
  openToOthers,
  xenstoreSocket,
} from '../run-directory.js';
import { identify, isAmong, isListenedOn, removeIfAmong } from '../socket-file.js';
import { sweepRunDirectory } from '../sweep.js';
import { type Limits, UnixChannel } from '../unix-channel.js';
import { XenstoreError } from '../xenstore/errors.js';
import type { Quota } from '../xenstore/quota.js';
import type { XenstoreServer } from '../xenstore/server.js';
import { type Packet, XS_ERROR } from '../xenstore/wire.js';
import type { HandedSockets } from './activation.js';
import { DomainConnection } from './domain-connection.js';
import { domainName, makeHome, recordCredentials } from './domain-home.js';
import { EventChannels } from './event-channels.js';
import { GrantTable } from './grant-table.js';
import { Legacy } from './legacy.js';
import { type Log, NO_LOG } from './log.js';
import { isMaster, Policy, PolicyError, readPolicy } from './policy.js';
import { type LingdStatus, type StatusSource, statusControls } from './status.js';
import { type User, Users } from './users.js';

/** How long whoever started this may take to connect, in milliseconds. */
const FIRST_CLIENT = 2000;

export interface LingdOptions {
  readonly directory: string;
  /** How long to stay when nobody is connected, in milliseconds; Infinity to stay for ever. */
  readonly linger: number;
  /** What a domain may use up of the Xenstore, where it differs from {@link QUOTA}. */
  readonly quota?: Partial<Quota>;
  /** The file that says which other users may become domains, and what each user may have. Without: none. */
  readonly policy?: string;
  /** The lock on the directory, from whoever has it and starts this: a domain, which knows of no policy. */
  readonly lock?: number;
  /** Sockets to serve instead of own ones in the directory; taken over. */
  readonly sockets?: HandedSockets;
  /** What to call itself. */
  readonly version?: string;
  readonly log?: Log;
  /** A domain has come or gone. */
  readonly onChange?: () => void;
}

/**
 * What a domain may use up of the Xenstore. Xen's figures are for a few devices; these are for a thousand tubes, and
 * their directories.
 */
const QUOTA = {
  nodes: 32_768,
  watches: 4096,
  transactions: 1024,
  outstanding: 256,
  nodeSize: 65_536,
  memory: 32 * 1024 * 1024,
};

/** With how many bytes of answers and events on their way to a client its requests wait. */
const MUCH_UNSENT = 1024 * 1024;
/** What a tool of domain 0 may leave unread before it is cut off; domains have their quota of memory. */
const MOST_UNSENT = 16 * 1024 * 1024;

/** How long to look, and how often, whether a lingd takes over or no domain is left, in milliseconds. */
const LAST_LOOK = 1000;
const LOOK_AGAIN = 20;

/** After so many newcomers the others get a turn. */
const ACCEPTED_AT_ONCE = 32;
const OUT_OF_DESCRIPTORS: ReadonlySet<string | undefined> = new Set(['EMFILE', 'ENFILE']);
/** After how many milliseconds to try again. */
const ACCEPT_AGAIN = 50;

/** So many references and ports of a domain are those of one lingd, so that none of an earlier one means another's. */
const REFERENCES_OF_EPOCH = 2 ** 20;
const EPOCHS = 2048;

/** With what a request is refused that would use up too much. */
const TOO_MUCH: ReadonlySet<string> = new Set(['ENOSPC', 'E2BIG', 'ENOMEM', 'EDQUOT']);
/** With what a client's end is told that has ended just so. */
const GONE: ReadonlySet<string | undefined> = new Set(['EPIPE', 'ECONNRESET']);

/** Somebody else listens where this lingd would. */
export class ListenerError extends Error {
  readonly code = 'ERR_LINGD_LISTENER';
}

/** Who has connected to `domain`. */
interface Visitor {
  readonly channel: UnixChannel;
  readonly user: User;
  readonly credentials: Credentials;
}

export class Lingd {
  readonly #options: LingdOptions;
  readonly #log: Log;
  readonly #since = new Date();
  readonly #lock: number;
  readonly #legacy: Legacy;
  readonly #xenstore: XenstoreServer;
  readonly #watcher = Watcher.onLoop();
  readonly #listeners: { fd: number; watch: Watch }[] = [];
  readonly #grants: GrantTable;
  readonly #channels: EventChannels;
  readonly #users = new Users();
  readonly #domains = new Map<Domid, DomainConnection>();
  /** Whose the domains are, also those that are expected back. */
  readonly #owners = new Map<Domid, User>();
  readonly #connections = new Set<UnixChannel>();
  /** As of socket-file.ts: those that are to be removed. */
  readonly #ownSockets: string[] = [];
  #requests = 0;
  #outOfDescriptors = false;
  #idle: NodeJS.Timeout | undefined;
  #stopping: Promise<void> | undefined;

  /**
   * Serves a run directory; undefined when another lingd serves it already. Throws what the system throws, or PolicyError.
   */
  static start(options: LingdOptions): Lingd | undefined {
    const { directory, lock, policy } = options;
    // Before anything is made.
    if (policy !== undefined) readPolicy(policy);
    const locked = lock === undefined ? lockRunDirectory(directory) : { lock, made: false };
    return locked && Lingd.#serve(options, locked.lock, locked.made);
  }

  static #serve(options: LingdOptions, lock: number, madeDirectory: boolean): Lingd {
    try {
      return new Lingd(options, lock, madeDirectory);
    } catch (error) {
      closeFd(lock);
      if (madeDirectory) {
        for (const file of leaseFiles(options.directory)) fs.rmSync(file, { force: true });
        removeIfEmpty(options.directory);
      }
      throw error;
    }
  }

  private constructor(options: LingdOptions, lock: number, madeDirectory: boolean) {
    this.#options = options;
    this.#lock = lock;
    const { directory, sockets, log = NO_LOG } = options;
    this.#log = log;
    if (!sockets && isListenedOn(domainSocket(directory)))
      throw new ListenerError(`somebody else listens in ${directory}, as a service manager would`);
    const quota = { ...QUOTA, ...options.quota };
    const controls = statusControls(this.#statusSource());
    const isOurs = (): boolean => isStill(directory, lock);
    this.#legacy = new Legacy({
      ...{ directory, madeDirectory, quota, controls, isOurs, log },
      policy: policyOf(options),
      onReleased: (domid) => this.#disown(domid),
    });
    this.#xenstore = this.#legacy.xenstore;
    const first = (this.#legacy.epoch % EPOCHS) * REFERENCES_OF_EPOCH;
    this.#grants = new GrantTable(first);
    this.#channels = new EventChannels(first);
    this.#xenstore.mkdir('/local/domain');
    this.#xenstore.setPerms('/local/domain', ['r0']);
    const [socket, domain] = sockets
      ? [sockets.socket, sockets.domain]
      : [this.#bind(xenstoreSocket(directory)), this.#bind(domainSocket(directory))];
    this.#listen(socket, (fd) => this.#connectTool(fd));
    this.#listen(domain, (fd) => this.#connectDomain(fd));
    for (const [domid, uid] of this.#legacy.members()) {
      const user = this.#users.of(uid);
      user.count('domains');
      this.#owners.set(domid, user);
    }
    this.#obey(this.#firstPolicy());
    this.#legacy.begin(this.#ownSockets, () => this.#armIdle());
    log.info('serving', {
      ...{ directory, version: options.version },
      ...{ epoch: this.#legacy.epoch, activated: sockets !== undefined },
    });
    this.#armIdle(FIRST_CLIENT);
  }

  get status(): LingdStatus {
    const { directory, version = '', sockets } = this.#options;
    return {
      ...{ pid: process.pid, version, directory, activated: sockets !== undefined },
      epoch: this.#legacy.epoch,
      since: this.#since.toISOString(),
      logLevel: this.#log.level,
      requests: this.#requests,
      connections: this.#connections.size,
      domains: this.#xenstore.introducedDomids().length,
      awaited: this.#legacy.awaited,
    };
  }

  /** The file with the policy. */
  get policy(): string | undefined {
    return this.#legacy.policy;
  }

  /** Reads the policy again; one that is bad changes nothing, but is told of. */
  readonly reloadPolicy = (): void => {
    if (this.policy === undefined || this.#stopping) return;
    try {
      this.#obey(readPolicy(this.policy));
      this.#log.info('policy read again');
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      this.#log.warn(`${error.message}: the policy of before goes on`);
    }
  };

  /**
   * Ends every connection and removes what lingd has made in the file system; but what it remembers stays there for the
   * next lingd, if there are domains that could come back. Can be called more than once.
   */
  stop(why = 'asked to'): Promise<void> {
    this.#stopping ??= this.#stop(why);
    return this.#stopping;
  }

  async #stop(why: string): Promise<void> {
    this.#log.info('stopping', { why, domains: this.#domains.size });
    // Some may have left already, and lingd been told to end before it could see that.
    for (const channel of [...this.#connections]) channel.start();
    const { directory } = this.#options;
    const isOurs = isStill(directory, this.#lock);
    this.#legacy.close();
    clearTimeout(this.#idle);
    for (const socket of isOurs ? [domainSocket, xenstoreSocket] : [])
      removeIfAmong(socket(directory), this.#ownSockets);
    for (const { fd, watch } of this.#listeners) {
      watch.close();
      closeFd(fd);
    }
    for (const channel of this.#connections) channel.close();
    for (const domain of this.#domains.values()) domain.end();
    if (isOurs && this.#legacy.madeDirectory) removeIfEmpty(directory);
    await this.#watcher.close();
    closeFd(this.#lock);
    // Domains start the next one at once, but they may be ending instead, and too suddenly to remove anything. In sockets
    // of a service manager they wait for the end of this one.
    const patience = this.#options.sockets ? 0 : LAST_LOOK;
    for (let waited = 0; !sweepRunDirectory(directory) && waited < patience; waited += LOOK_AGAIN) {
      await sleep(LOOK_AGAIN);
    }
    this.#log.info('stopped');
  }

  #statusSource(): StatusSource {
    const lingd = this;
    return {
      log: this.#log,
      get xenstore() {
        return lingd.#xenstore;
      },
      status: () => this.status,
      connectedSince: (domid) => this.#domains.get(domid)?.since,
      grants: (domid) => this.#grants.count(domid),
      channels: (domid) => this.#channels.count(domid),
    };
  }

  #bind(file: string): number {
    // Whoever held the lock before is gone, so one that is still there is nobody's.
    fs.rmSync(file, { force: true });
    const fd = listenUnix(file);
    this.#ownSockets.push(identify(file));
    return fd;
  }

  #listen(fd: number, connect: (fd: number) => void): void {
    const watch = this.#watcher.watch(fd, () => {
      watch.arm();
      this.#accept(fd, connect);
    });
    watch.arm();
    this.#listeners.push({ fd, watch });
  }

  #accept(listener: number, connect: (fd: number) => void): void {
    if (this.#stopping) return;
    try {
      for (let accepted = 0; accepted < ACCEPTED_AT_ONCE; accepted++) {
        const client = acceptUnix(listener);
        if (client === -1) return;
        this.#outOfDescriptors = false;
        connect(client);
      }
      setImmediate(() => this.#accept(listener, connect));
    } catch (error) {
      if (!OUT_OF_DESCRIPTORS.has((error as NodeJS.ErrnoException).code)) throw error;
      this.#sayOutOfDescriptors();
      // Whoever waits is served as soon as somebody has left.
      setTimeout(() => this.#accept(listener, connect), ACCEPT_AGAIN).unref();
    }
  }

  #channel(fd: number, limits: Limits): UnixChannel {
    const channel = new UnixChannel(this.#watcher, fd, limits);
    channel.beforeSending = () => this.#legacy.flush();
    this.#connections.add(channel);
    clearTimeout(this.#idle);
    return channel;
  }

  /** A client of the classic socket is a part of domain 0, as on Xen: nobody's but lingd's own user's and root's. */
  #connectTool(fd: number): void {
    if (!isMaster(peerCredentials(fd).uid)) return closeFd(fd);
    const channel = this.#channel(fd, {
      bytes: MUCH_UNSENT,
      answers: () => Number.POSITIVE_INFINITY,
      most: MOST_UNSENT,
    });
    const connection = this.#xenstore.connect({
      domid: 0,
      privileged: true,
      send: (packet) => channel.send(packet),
      backlog: channel,
    });
    this.#log.debug('tool connected');
    channel.onPacket = (packet, fds) => {
      this.#requests++;
      fds.forEach(closeFd);
      connection.handle(packet);
    };
    channel.onClose = (error) => {
      connection.close();
      this.#forget(channel);
      this.#log.debug('tool gone');
      this.#sayCutOff(error);
    };
    channel.start();
  }

  /** Whether it is a new domain, or one that comes back, its first words say. */
  #connectDomain(fd: number): void {
    const credentials = peerCredentials(fd);
    const user = this.#users.of(credentials.uid);
    if (!user.tryToTake('connections')) return closeFd(fd);
    const channel = this.#channel(fd, {
      bytes: MUCH_UNSENT,
      answers: () => this.#xenstore.quota.outstanding,
      most: Number.POSITIVE_INFINITY,
      pace: user.pace,
    });
    const visitor = { channel, user, credentials };
    channel.onClose = (error) => {
      this.#leave(visitor);
      this.#sayCutOff(error);
    };
    channel.onPacket = (packet, fds) => {
      this.#requests++;
      const domain = packet.type === HYPERCALL_RESUME ? undefined : this.#admit(visitor, packet);
      if (domain && packet.type !== HYPERCALL_HELLO)
        this.#log.info('guest joined', { domid: domain.domid, uid: user.uid });
      if (domain) return domain.handle(packet, fds);
      fds.forEach(closeFd);
      if (packet.type === HYPERCALL_RESUME) this.#resume(visitor, packet);
    };
    channel.start();
  }

  /** As a new domain; or it hears why not, and has to leave. */
  #admit(visitor: Visitor, packet: Packet): DomainConnection | undefined {
    const { channel, user, credentials } = visitor;
    try {
      if (user.limits.domains === 0) throw new XenstoreError('EACCES', 'its user is not let in');
      const domid = this.#legacy.nextDomid();
      if (domid === undefined) throw new XenstoreError('ENOSPC', 'there is no domid left');
      user.take('domains');
      this.#owners.set(domid, user);
      const domain = this.#connect(visitor, domid);
      makeHome(this.#xenstore, domid, credentials);
      this.#options.onChange?.();
      return domain;
    } catch (error) {
      this.#refuse(visitor, packet, error);
      channel.close();
      this.#leave(visitor);
      return undefined;
    }
  }

  #resume(visitor: Visitor, packet: Packet): void {
    const { channel, credentials } = visitor;
    const [domid] = decodeNumbers(packet.payload) ?? [];
    try {
      if (!isDomid(domid) || packet.payload.length !== 4 + SECRET_BYTES) throw new XenstoreError('EINVAL');
      const done = this.#legacy.resume(domid, packet.payload.subarray(4), credentials.uid);
      this.#connect(visitor, domid);
      recordCredentials(this.#xenstore, domid, credentials);
      channel.send({ ...packet, payload: encodeNumbers(domid, ...done) });
      this.#log.info('domain returned', { domid, name: domainName(this.#xenstore, domid) });
      this.#options.onChange?.();
    } catch (error) {
      this.#refuse(visitor, packet, error, domid);
    }
  }

  #connect(visitor: Visitor, domid: Domid): DomainConnection {
    const { channel, user } = visitor;
    const end = (why: string): void => {
      const seconds = (Date.now() - domain.since) / 1000;
      this.#log.info('domain left', { domid, name: domainName(this.#xenstore, domid), seconds, why });
      this.#domains.delete(domid);
      domain.end();
      this.#leave(visitor);
      this.#options.onChange?.();
    };
    const domain = new DomainConnection(domid, {
      channel,
      user,
      xenstore: this.#xenstore,
      grants: this.#grants,
      channels: this.#channels,
      // A tool of domain 0 has sent the domain away; the server is still about it.
      onReleased: () =>
        queueMicrotask(() => {
          channel.close();
          end('domain 0 has released it');
        }),
      onHello: (name) => {
        const membership = this.#legacy.join(domid, user.uid);
        this.#log.info('domain joined', { domid, name, uid: user.uid });
        return membership;
      },
      onChange: (request) => this.#legacy.did(domid, request),
      onError: (request, code) => {
        if (TOO_MUCH.has(code)) this.#log.debug('request refused', { domid, request, error: code });
        if (OUT_OF_DESCRIPTORS.has(code)) this.#sayOutOfDescriptors();
      },
    });
    this.#domains.set(domid, domain);
    channel.onClose = (error) => {
      end(isCutOff(error) ? error.message : 'it has closed its connection');
      this.#sayCutOff(error, domid);
    };
    return domain;
  }

  #sayCutOff(error: Error | undefined, domid?: Domid): void {
    if (isCutOff(error)) this.#log.warn('connection cut off', { domid, why: error.message });
  }

  /** Once, until somebody has been accepted again. */
  #sayOutOfDescriptors(): void {
    if (!this.#outOfDescriptors) this.#log.warn('out of descriptors: some requests and clients have to wait');
    this.#outOfDescriptors = true;
  }

  /** Says why it cannot be a domain, or that one: anything but a refusal is a fault in lingd. */
  #refuse({ channel, user }: Visitor, packet: Packet, error: unknown, domid?: Domid): void {
    if (!(error instanceof XenstoreError)) throw error;
    const { uid } = user;
    const isNews = isMaster(uid) || user.isNewsToRefuse();
    const why =
      packet.type === HYPERCALL_RESUME ? `it is not the one to return: ${error.code}` : error.message;
    this.#log[isNews ? 'warn' : 'debug']('domain refused', { domid, uid, why });
    channel.send({ ...packet, type: XS_ERROR, payload: Buffer.from(`${error.code}\0`) });
  }

  #leave({ channel, user }: Visitor): void {
    user.giveBack('connections');
    this.#forget(channel);
  }

  #disown(domid: Domid): void {
    this.#owners.get(domid)?.giveBack('domains');
    this.#owners.delete(domid);
  }

  #firstPolicy(): Policy {
    try {
      return this.policy === undefined ? new Policy() : readPolicy(this.policy);
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      this.#log.warn(`${error.message}: nobody but its own user is let in`);
      return new Policy();
    }
  }

  #obey(policy: Policy): void {
    this.#users.obey(policy);
    const { directory, sockets } = this.#options;
    // Those of a service manager have the modes that it gives them.
    if (sockets || !isAmong(domainSocket(directory), this.#ownSockets)) return;
    openToOthers(directory, policy.admitsOthers, this.#legacy.madeDirectory);
  }

  #forget(channel: UnixChannel): void {
    this.#connections.delete(channel);
    this.#armIdle();
  }

  #armIdle(atLeast = 0): void {
    const { linger } = this.#options;
    const isNeeded = this.#connections.size > 0 || !this.#legacy.isComplete;
    if (linger === Number.POSITIVE_INFINITY || isNeeded) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.stop('nobody is connected'), Math.max(linger, atLeast));
  }
}

function isCutOff(error: Error | undefined): error is Error {
  return error !== undefined && !GONE.has((error as NodeJS.ErrnoException).code);
}

/** Who is started by a domain goes on with the policy of the one before. */
function policyOf({ policy, lock }: LingdOptions): string | undefined {
  if (policy !== undefined) return path.resolve(policy);
  return lock === undefined ? undefined : 'inherited';
}

function removeIfEmpty(directory: string): void {
  try {
    fs.rmdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
  }
}
