/**
 * The Linux hypervisor: one small OS process of a user that gives out domids, grants of memory, event channels and
 * Xenstore. Packets between domains never pass through it.
 */
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeFd } from '../../native/index.js';
import { Watcher } from '../../native/watcher.js';
import {
  domainSocket,
  isStill,
  leaseFiles,
  lockRunDirectory,
  openToOthers,
  xenstoreSocket,
} from '../run-directory.js';
import { isAmong, isListenedOn } from '../socket-file.js';
import { sweepRunDirectory } from '../sweep.js';
import type { Quota } from '../xenstore/quota.js';
import type { XenstoreServer } from '../xenstore/server.js';
import type { HandedSockets } from './activation.js';
import { EventChannels } from './event-channels.js';
import { GrantTable } from './grant-table.js';
import { Legacy } from './legacy.js';
import { Listeners } from './listeners.js';
import { type Log, NO_LOG } from './log.js';
import { Policy, PolicyError, readPolicy } from './policy.js';
import { Reception } from './reception.js';
import { type LingdStatus, type StatusSource, statusControls } from './status.js';
import { Users } from './users.js';

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

/** How long to look, and how often, whether a lingd takes over or no domain is left, in milliseconds. */
const LAST_LOOK = 1000;
const LOOK_AGAIN = 20;

/** So many references and ports of a domain are those of one lingd, so that none of an earlier one means another's. */
const REFERENCES_OF_EPOCH = 2 ** 20;
const EPOCHS = 2048;

/** Somebody else listens where this lingd would. */
export class ListenerError extends Error {
  readonly code = 'ERR_LINGD_LISTENER';
}

export class Lingd {
  readonly #options: LingdOptions;
  readonly #log: Log;
  readonly #since = new Date();
  readonly #lock: number;
  readonly #legacy: Legacy;
  readonly #xenstore: XenstoreServer;
  readonly #watcher = Watcher.onLoop();
  readonly #listeners: Listeners;
  readonly #reception: Reception;
  readonly #grants: GrantTable;
  readonly #channels: EventChannels;
  readonly #users = new Users();
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
      onReleased: (domid) => this.#users.disown(domid),
    });
    this.#xenstore = this.#legacy.xenstore;
    const first = (this.#legacy.epoch % EPOCHS) * REFERENCES_OF_EPOCH;
    this.#grants = new GrantTable(first);
    this.#channels = new EventChannels(first);
    this.#xenstore.mkdir('/local/domain');
    this.#xenstore.setPerms('/local/domain', ['r0']);
    this.#listeners = new Listeners(this.#watcher, log);
    this.#reception = new Reception({
      ...{ watcher: this.#watcher, legacy: this.#legacy, users: this.#users, log },
      ...{ grants: this.#grants, channels: this.#channels },
      onConnections: () => this.#armIdle(),
      onDomains: () => options.onChange?.(),
      onError: (code) => this.#listeners.noticeShortage(code),
    });
    this.#listen();
    for (const [domid, uid] of this.#legacy.members()) {
      const user = this.#users.of(uid);
      user.count('domains');
      this.#users.own(domid, user);
    }
    this.#obey(this.#firstPolicy());
    this.#legacy.begin(this.#listeners.own, () => this.#armIdle());
    log.info('serving', {
      ...{ directory, version: options.version },
      ...{ restarts: this.#legacy.epoch, activated: sockets !== undefined },
    });
    this.#armIdle(FIRST_CLIENT);
  }

  get status(): LingdStatus {
    const { directory, version = '', sockets } = this.#options;
    return {
      ...{ pid: process.pid, version, directory, activated: sockets !== undefined },
      restarts: this.#legacy.epoch,
      since: this.#since.toISOString(),
      logLevel: this.#log.level,
      requests: this.#reception.requests,
      connections: this.#reception.connections,
      domains: this.#xenstore.introducedDomids().length,
      awaited: this.#legacy.awaited,
    };
  }

  /** Whether there is something to read again, or a service manager that may ask for it all the same. */
  get isReloadable(): boolean {
    return this.#legacy.policy !== undefined || this.#options.sockets !== undefined;
  }

  /** Reads the policy again, if there is one; one that is bad changes nothing, but is told of. */
  reloadPolicy(): void {
    const { policy } = this.#legacy;
    if (policy === undefined || this.#stopping) return;
    try {
      this.#obey(readPolicy(policy));
      this.#log.info('policy read again');
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      this.#log.warn('policy not read again: the one of before goes on', { why: error.message });
    }
  }

  /**
   * Ends every connection and removes what lingd has made in the file system; but what it remembers stays there for the
   * next lingd, if there are domains that could come back. Can be called more than once.
   */
  stop(why = 'asked to'): Promise<void> {
    this.#stopping ??= this.#stop(why);
    return this.#stopping;
  }

  async #stop(why: string): Promise<void> {
    this.#log.info('stopping', { why, domains: this.#reception.domains });
    this.#reception.catchUp();
    const { directory } = this.#options;
    const isOurs = isStill(directory, this.#lock);
    this.#legacy.close();
    clearTimeout(this.#idle);
    this.#listeners.close(isOurs);
    this.#reception.close();
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

  #listen(): void {
    const { directory, sockets } = this.#options;
    const { socket, domain } = sockets ?? {
      socket: this.#listeners.bind(xenstoreSocket(directory)),
      domain: this.#listeners.bind(domainSocket(directory)),
    };
    this.#listeners.listen(socket, (fd) => this.#reception.connectTool(fd));
    this.#listeners.listen(domain, (fd) => this.#reception.connectDomain(fd));
  }

  #statusSource(): StatusSource {
    const lingd = this;
    return {
      log: this.#log,
      get xenstore() {
        return lingd.#xenstore;
      },
      status: () => this.status,
      connectedSince: (domid) => this.#reception.connectedSince(domid),
      grants: (domid) => this.#grants.count(domid),
      channels: (domid) => this.#channels.count(domid),
    };
  }

  #firstPolicy(): Policy {
    const { policy } = this.#legacy;
    try {
      return policy === undefined ? new Policy() : readPolicy(policy);
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      this.#log.warn('policy not read: nobody but its own user and root is let in', { why: error.message });
      return new Policy();
    }
  }

  #obey(policy: Policy): void {
    this.#users.obey(policy);
    const { directory, sockets } = this.#options;
    // Those of a service manager have the modes that it gives them.
    if (sockets || !isAmong(domainSocket(directory), this.#listeners.own)) return;
    openToOthers(directory, policy.admitsOthers, this.#legacy.madeDirectory);
  }

  /** Whenever somebody has come or gone. */
  #armIdle(atLeast = 0): void {
    clearTimeout(this.#idle);
    const { linger } = this.#options;
    const isNeeded = this.#reception.connections > 0 || !this.#legacy.isComplete;
    if (linger === Number.POSITIVE_INFINITY || isNeeded) return;
    this.#idle = setTimeout(() => void this.stop('nobody is connected'), Math.max(linger, atLeast));
  }
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
