/** The sockets that lingd listens on, and who comes there: its own in its directory, or those that it has been handed. */
import fs from 'node:fs';
import { acceptUnix, closeConnection, closeFd, listenUnix } from '../../native/index.js';
import type { Watch, Watcher } from '../../native/watcher.js';
import { identify, removeIfAmong } from '../socket-file.js';
import { isOutOfDescriptors } from './descriptors.js';
import type { Log } from './log.js';

/** After so many newcomers the others get a turn. */
const ACCEPTED_AT_ONCE = 32;
/** After how many milliseconds to try again. */
const ACCEPT_AGAIN = 50;

export class Listeners {
  readonly #watcher: Watcher;
  readonly #log: Log;
  readonly #listening: { fd: number; watch: Watch }[] = [];
  readonly #files: string[] = [];
  readonly #identities: string[] = [];
  #isShort = false;
  #isClosed = false;

  constructor(watcher: Watcher, log: Log) {
    this.#watcher = watcher;
    this.#log = log;
  }

  /** Which those are that were made here, as of `socket-file.ts`. */
  get own(): readonly string[] {
    return this.#identities;
  }

  /** Makes a socket there; its descriptor is to be listened on. */
  bind(file: string): number {
    // Whoever held the lock before is gone, so one that is still there is nobody's.
    fs.rmSync(file, { force: true });
    const fd = listenUnix(file);
    this.#files.push(file);
    this.#identities.push(identify(file));
    return fd;
  }

  /**
   * `connect` gets the descriptor of each who comes, and is to close it. Where it throws EMFILE or ENFILE it is given the same
   * one again later.
   */
  listen(fd: number, connect: (fd: number) => void): void {
    const watch = this.#watcher.watch(fd, () => {
      watch.arm();
      this.#accept(fd, connect);
    });
    watch.arm();
    this.#listening.push({ fd, watch });
  }

  /** Looks whether that is why something could not be done: then it is told, once until somebody has been accepted again. */
  noticeShortage(code: string | undefined): boolean {
    if (!isOutOfDescriptors(code)) return false;
    if (!this.#isShort) this.#log.warn('out of descriptors: some requests and clients have to wait');
    this.#isShort = true;
    return true;
  }

  /** Nobody else is accepted. The sockets that were made here are removed, unless their directory is others' by now. */
  close(isOurs: boolean): void {
    this.#isClosed = true;
    for (const file of isOurs ? this.#files : []) removeIfAmong(file, this.#identities);
    for (const { fd, watch } of this.#listening) {
      watch.close();
      closeFd(fd);
    }
  }

  /** `client` has been accepted before, when there was no descriptor for what else it takes. */
  #accept(listener: number, connect: (fd: number) => void, client?: number): void {
    if (this.#isClosed) {
      if (client !== undefined) closeConnection(client);
      return;
    }
    let next = client;
    try {
      for (let accepted = 0; accepted < ACCEPTED_AT_ONCE; accepted++) {
        next ??= acceptUnix(listener);
        if (next === -1) return;
        connect(next);
        next = undefined;
        this.#isShort = false;
      }
      setImmediate(() => this.#accept(listener, connect));
    } catch (error) {
      if (!this.noticeShortage((error as NodeJS.ErrnoException).code)) throw error;
      // Whoever waits is served as soon as somebody has left.
      setTimeout(() => this.#accept(listener, connect, next), ACCEPT_AGAIN).unref();
    }
  }
}
