/**
 * The Linux hypervisor: one small OS process of a user that gives out domids, grants of memory, event channels and
 * Xenstore. Packets between domains never pass through it.
 */
import fs from 'node:fs';
import { acceptUnix, closeFd, listenUnix, lockDirectory } from '../../native/index.js';
import { type Watch, Watcher } from '../../native/watcher.js';
import { DOMID_FIRST_RESERVED, type Domid } from '../hypervisor.js';
import { domainSocket, makeRunDirectory, xenstoreSocket } from '../run-directory.js';
import { type Limits, UnixChannel } from '../unix-channel.js';
import type { Quota } from '../xenstore/quota.js';
import { XenstoreServer } from '../xenstore/server.js';
import { DomainConnection } from './domain-connection.js';
import { EventChannels } from './event-channels.js';
import { GrantTable } from './grant-table.js';

/** How long whoever started this may take to connect, in milliseconds. */
const FIRST_CLIENT = 2000;

export interface LingdOptions {
  readonly directory: string;
  /** How long to stay when nobody is connected, in milliseconds; Infinity to stay for ever. */
  readonly linger: number;
  /** What a domain may use up of the Xenstore, where it differs from {@link QUOTA}. */
  readonly quota?: Partial<Quota>;
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

const OUT_OF_DESCRIPTORS: ReadonlySet<string | undefined> = new Set(['EMFILE', 'ENFILE']);
/** After how many milliseconds to try again. */
const ACCEPT_AGAIN = 50;

export class Lingd {
  readonly #options: LingdOptions;
  readonly #lock: number;
  readonly #madeDirectory: boolean;
  readonly #watcher = Watcher.onLoop();
  readonly #listeners: { fd: number; watch: Watch }[] = [];
  readonly #xenstore: XenstoreServer;
  readonly #grants = new GrantTable();
  readonly #channels = new EventChannels();
  readonly #domains = new Map<Domid, DomainConnection>();
  readonly #connections = new Set<UnixChannel>();
  #lastDomid = 0;
  #idle: NodeJS.Timeout | undefined;
  #stopping: Promise<void> | undefined;

  /** Serves a run directory; undefined when another lingd serves it already. Throws what the system throws. */
  static start(options: LingdOptions): Lingd | undefined {
    for (;;) {
      const made = makeRunDirectory(options.directory);
      const lock = lockDirectory(options.directory);
      if (lock === -1) return undefined;
      // A lingd that was just leaving may have removed the directory between the two.
      if (isStill(options.directory, lock)) return Lingd.#serve(options, lock, made);
      closeFd(lock);
    }
  }

  static #serve(options: LingdOptions, lock: number, madeDirectory: boolean): Lingd {
    try {
      return new Lingd(options, lock, madeDirectory);
    } catch (error) {
      closeFd(lock);
      if (madeDirectory) removeIfEmpty(options.directory);
      throw error;
    }
  }

  private constructor(options: LingdOptions, lock: number, madeDirectory: boolean) {
    this.#options = options;
    this.#lock = lock;
    this.#madeDirectory = madeDirectory;
    this.#xenstore = new XenstoreServer({ quota: { ...QUOTA, ...options.quota } });
    this.#xenstore.mkdir('/local/domain');
    this.#xenstore.setPerms('/local/domain', ['r0']);
    const { directory } = options;
    // Whoever held the lock before is gone, so sockets that are still there are nobody's.
    for (const socket of [xenstoreSocket(directory), domainSocket(directory)])
      fs.rmSync(socket, { force: true });
    const any = { bytes: MUCH_UNSENT, answers: () => Number.POSITIVE_INFINITY, most: MOST_UNSENT };
    const few = { ...any, answers: () => this.#xenstore.quota.outstanding, most: Number.POSITIVE_INFINITY };
    this.#listen(xenstoreSocket(directory), any, (channel) => this.#connectTool(channel));
    this.#listen(domainSocket(directory), few, (channel) => this.#connectDomain(channel));
    this.#armIdle(FIRST_CLIENT);
  }

  /** Ends every connection and removes what lingd has made in the file system. Can be called more than once. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    clearTimeout(this.#idle);
    const { directory } = this.#options;
    fs.rmSync(domainSocket(directory), { force: true });
    fs.rmSync(xenstoreSocket(directory), { force: true });
    for (const { fd, watch } of this.#listeners) {
      watch.close();
      closeFd(fd);
    }
    for (const channel of this.#connections) channel.close();
    for (const domain of this.#domains.values()) domain.end();
    if (this.#madeDirectory) removeIfEmpty(directory);
    await this.#watcher.close();
    closeFd(this.#lock);
  }

  #listen(path: string, limits: Limits, connect: (channel: UnixChannel) => void): void {
    const fd = listenUnix(path);
    const watch = this.#watcher.watch(fd, () => {
      watch.arm();
      this.#accept(fd, limits, connect);
    });
    watch.arm();
    this.#listeners.push({ fd, watch });
  }

  #accept(listener: number, limits: Limits, connect: (channel: UnixChannel) => void): void {
    if (this.#stopping) return;
    try {
      for (let client = acceptUnix(listener); client !== -1; client = acceptUnix(listener)) {
        const channel = new UnixChannel(this.#watcher, client, limits);
        this.#connections.add(channel);
        clearTimeout(this.#idle);
        connect(channel);
        channel.start();
      }
    } catch (error) {
      if (!OUT_OF_DESCRIPTORS.has((error as NodeJS.ErrnoException).code)) throw error;
      // Whoever waits is served as soon as somebody has left.
      setTimeout(() => this.#accept(listener, limits, connect), ACCEPT_AGAIN).unref();
    }
  }

  /** A client of the classic socket is a part of domain 0, as on Xen. */
  #connectTool(channel: UnixChannel): void {
    const connection = this.#xenstore.connect({
      domid: 0,
      privileged: true,
      send: (packet) => channel.send(packet),
      backlog: channel,
    });
    channel.onPacket = (packet, fds) => {
      fds.forEach(closeFd);
      connection.handle(packet);
    };
    channel.onClose = () => {
      connection.close();
      this.#forget(channel);
    };
  }

  #connectDomain(channel: UnixChannel): void {
    const domid = this.#nextDomid();
    if (domid === undefined) {
      channel.close();
      this.#forget(channel);
      return;
    }
    const end = (): void => {
      this.#domains.delete(domid);
      domain.end();
      this.#forget(channel);
    };
    const domain = new DomainConnection(domid, {
      channel,
      xenstore: this.#xenstore,
      grants: this.#grants,
      channels: this.#channels,
      // A tool of domain 0 has sent the domain away; the server is still about it.
      onReleased: () =>
        queueMicrotask(() => {
          channel.close();
          end();
        }),
    });
    this.#domains.set(domid, domain);
    channel.onClose = end;
  }

  /** Numbers go up and start again at 1, so that one that has ended is not reused while others remember it. */
  #nextDomid(): Domid | undefined {
    for (let tries = 1; tries < DOMID_FIRST_RESERVED; tries++) {
      this.#lastDomid = (this.#lastDomid % (DOMID_FIRST_RESERVED - 1)) + 1;
      if (!this.#domains.has(this.#lastDomid)) return this.#lastDomid;
    }
    return undefined;
  }

  #forget(channel: UnixChannel): void {
    this.#connections.delete(channel);
    if (this.#connections.size === 0) this.#armIdle();
  }

  #armIdle(atLeast = 0): void {
    const { linger } = this.#options;
    if (linger === Number.POSITIVE_INFINITY) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.stop(), Math.max(linger, atLeast));
  }
}

function isStill(directory: string, lock: number): boolean {
  const now = fs.statSync(directory, { throwIfNoEntry: false });
  const held = fs.fstatSync(lock);
  return now?.ino === held.ino && now.dev === held.dev;
}

function removeIfEmpty(directory: string): void {
  try {
    fs.rmdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
  }
}
