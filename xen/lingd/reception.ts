/** Whoever connects: tools of domain 0, newcomers, domains that come back, and those that have to leave again. */
import { type Credentials, closeConnection, closeFd, isMemory, peerCredentials } from '../../native/index.js';
import type { Watcher } from '../../native/watcher.js';
import {
  decodeNumbers,
  encodeNumbers,
  HYPERCALL_HELLO,
  HYPERCALL_RESUME,
  SECRET_BYTES,
} from '../hypercall.js';
import { type Domid, isDomid } from '../hypervisor.js';
import { isMaster } from '../own-user.js';
import { type Limits, UnixChannel } from '../unix-channel.js';
import { XenstoreError } from '../xenstore/errors.js';
import type { XenstoreServer } from '../xenstore/server.js';
import { type Packet, XS_ERROR } from '../xenstore/wire.js';
import { DomainConnection } from './domain-connection.js';
import { domainName, makeHome, recordCredentials } from './domain-home.js';
import type { EventChannels } from './event-channels.js';
import type { GrantTable } from './grant-table.js';
import type { Legacy } from './legacy.js';
import type { Log } from './log.js';
import type { User, Users } from './users.js';

/** What lingd has for those who connect, and wants to know of them. */
export interface House {
  readonly watcher: Watcher;
  readonly log: Log;
  readonly legacy: Legacy;
  readonly users: Users;
  readonly grants: GrantTable;
  readonly channels: EventChannels;
  /** Somebody has connected or gone. */
  readonly onConnections: () => void;
  /** A domain has come or gone. */
  readonly onDomains: () => void;
  /** A request has been answered with that error. */
  readonly onError: (code: string) => void;
}

/** Who has connected to `domain`. */
interface Visitor {
  readonly channel: UnixChannel;
  readonly user: User;
  readonly credentials: Credentials;
}

/** With how many bytes of answers and events on their way to a client its requests wait. */
const MUCH_UNSENT = 1024 * 1024;
/** What a tool of domain 0 may leave unread before it is cut off; domains have their quota of memory. */
const MOST_UNSENT = 16 * 1024 * 1024;

/** With what a request is refused that would use up too much. */
const TOO_MUCH: ReadonlySet<string> = new Set(['ENOSPC', 'E2BIG', 'ENOMEM', 'EDQUOT']);
/** With what a client's end is told that has ended just so. */
const GONE: ReadonlySet<string | undefined> = new Set(['EPIPE', 'ECONNRESET']);

export class Reception {
  readonly #house: House;
  readonly #log: Log;
  readonly #xenstore: XenstoreServer;
  readonly #connections = new Set<UnixChannel>();
  readonly #domains = new Map<Domid, DomainConnection>();
  #requests = 0;

  constructor(house: House) {
    this.#house = house;
    this.#log = house.log;
    this.#xenstore = house.legacy.xenstore;
  }

  /** How many requests there have been. */
  get requests(): number {
    return this.#requests;
  }

  /** Of tools and of domains. */
  get connections(): number {
    return this.#connections.size;
  }

  /** How many domains are connected. */
  get domains(): number {
    return this.#domains.size;
  }

  /** In milliseconds since 1970; undefined for a domain that is not. */
  connectedSince(domid: Domid): number | undefined {
    return this.#domains.get(domid)?.since;
  }

  /** Takes what has come: some may have left already, and lingd been told to end before it could see that. */
  catchUp(): void {
    for (const channel of [...this.#connections]) channel.start();
  }

  /** Ends every connection. */
  close(): void {
    for (const channel of this.#connections) channel.close();
    for (const domain of this.#domains.values()) domain.end();
  }

  /** A client of the classic socket is a part of domain 0, as on Xen: nobody's but lingd's own user's and root's. */
  connectTool(fd: number): void {
    const { uid, pid } = peerCredentials(fd);
    if (!isMaster(uid)) return closeConnection(fd);
    const channel = this.#channel(fd, {
      bytes: MUCH_UNSENT,
      answers: () => Number.POSITIVE_INFINITY,
      most: MOST_UNSENT,
      takes: () => false,
    });
    const connection = this.#xenstore.connect({
      domid: 0,
      privileged: true,
      send: (packet) => channel.send(packet),
      backlog: channel,
    });
    this.#log.debug('tool connected', { process: pid, uid });
    channel.onPacket = (packet, fds) => {
      this.#requests++;
      fds.forEach(closeFd);
      connection.handle(packet);
    };
    channel.onClose = (error) => {
      connection.close();
      this.#forget(channel);
      this.#log.debug('tool gone', { process: pid, uid });
      this.#sayCutOff(error);
    };
    channel.start();
  }

  /** Whether it is a new domain, or one that comes back, its first words say. Throws what the system has no more of. */
  connectDomain(fd: number): void {
    const credentials = peerCredentials(fd);
    const user = this.#house.users.of(credentials.uid);
    if (!user.tryToTake('connections')) return closeConnection(fd);
    const limits = {
      bytes: MUCH_UNSENT,
      answers: () => this.#xenstore.quota.outstanding,
      most: Number.POSITIVE_INFINITY,
      pace: user.pace,
      takes: isMemory,
      pid: credentials.pid,
    };
    let channel: UnixChannel;
    try {
      channel = this.#channel(fd, limits);
    } catch (error) {
      // Whose the connection is then, Listeners says.
      user.giveBack('connections');
      throw error;
    }
    const visitor = { channel, user, credentials };
    channel.onClose = (error) => {
      this.#leave(visitor);
      this.#sayCutOff(error);
    };
    channel.onPacket = (packet, fds) => {
      this.#requests++;
      this.#welcome(visitor, packet, fds);
    };
    channel.start();
  }

  #channel(fd: number, limits: Limits): UnixChannel {
    const { watcher, legacy, onConnections } = this.#house;
    const channel = new UnixChannel(watcher, fd, limits);
    channel.beforeSending = () => legacy.flush();
    this.#connections.add(channel);
    onConnections();
    return channel;
  }

  /** Its first words. */
  #welcome(visitor: Visitor, packet: Packet, fds: number[]): void {
    if (packet.type === HYPERCALL_RESUME) {
      fds.forEach(closeFd);
      return this.#resume(visitor, packet);
    }
    const domain = this.#admit(visitor, packet);
    if (!domain) return fds.forEach(closeFd);
    if (packet.type !== HYPERCALL_HELLO)
      this.#log.info('guest joined', { domid: domain.domid, uid: visitor.user.uid });
    domain.handle(packet, fds);
  }

  /** As a new domain; or it hears why not, and has to leave. */
  #admit(visitor: Visitor, packet: Packet): DomainConnection | undefined {
    const { channel, user, credentials } = visitor;
    const { legacy, users, onDomains } = this.#house;
    try {
      if (user.limits.domains === 0) throw new XenstoreError('EACCES', 'its user is not let in');
      const domid = legacy.nextDomid();
      if (domid === undefined) throw new XenstoreError('ENOSPC', 'there is no domid left');
      if (!user.tryToTake('domains')) throw new XenstoreError('EDQUOT', 'its user has as many as it may');
      users.own(domid, user);
      const domain = this.#connect(visitor, domid);
      makeHome(this.#xenstore, domid, credentials);
      onDomains();
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
      const done = this.#house.legacy.resume(domid, packet.payload.subarray(4), credentials.uid);
      this.#connect(visitor, domid);
      recordCredentials(this.#xenstore, domid, credentials);
      channel.send({ ...packet, payload: encodeNumbers(domid, ...done) });
      this.#log.info('domain returned', { domid, name: domainName(this.#xenstore, domid) });
      this.#house.onDomains();
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
      this.#house.onDomains();
    };
    const domain = new DomainConnection(domid, {
      channel,
      user,
      xenstore: this.#xenstore,
      grants: this.#house.grants,
      channels: this.#house.channels,
      // A tool of domain 0 has sent the domain away; the server is still about it.
      onReleased: () =>
        queueMicrotask(() => {
          channel.close();
          end('domain 0 has released it');
        }),
      onHello: (name) => {
        const membership = this.#house.legacy.join(domid, user.uid);
        this.#log.info('domain joined', { domid, name, uid: user.uid });
        return membership;
      },
      onChange: (request) => this.#house.legacy.did(domid, request),
      onError: (request, code) => {
        if (TOO_MUCH.has(code)) this.#log.debug('request refused', { domid, request, error: code });
        this.#house.onError(code);
      },
    });
    this.#domains.set(domid, domain);
    channel.onPacket = (packet, fds) => {
      this.#requests++;
      domain.handle(packet, fds);
    };
    channel.onClose = (error) => {
      end(isCutOff(error) ? error.message : 'it has closed its connection');
      this.#sayCutOff(error, domid);
    };
    return domain;
  }

  #sayCutOff(error: Error | undefined, domid?: Domid): void {
    if (isCutOff(error)) this.#log.warn('connection cut off', { domid, why: error.message });
  }

  /** Says why it cannot be a domain, or that one: anything but a refusal is a fault in lingd. */
  #refuse({ channel, user }: Visitor, packet: Packet, error: unknown, domid?: Domid): void {
    if (!(error instanceof XenstoreError)) throw error;
    const { uid } = user;
    const isNews = isMaster(uid) || user.isNewsToRefuse();
    const why = packet.type === HYPERCALL_RESUME ? 'it is not the one to return' : error.message;
    this.#log[isNews ? 'warn' : 'debug']('domain refused', { domid, uid, error: error.code, why });
    channel.send({ ...packet, type: XS_ERROR, payload: Buffer.from(`${error.code}\0`) });
  }

  #leave({ channel, user }: Visitor): void {
    user.giveBack('connections');
    this.#forget(channel);
  }

  #forget(channel: UnixChannel): void {
    this.#connections.delete(channel);
    this.#house.onConnections();
  }
}

function isCutOff(error: Error | undefined): error is Error {
  return error !== undefined && !GONE.has((error as NodeJS.ErrnoException).code);
}
