import type { Caller } from './domains.js';
import { XenstoreError } from './errors.js';
import type { Change } from './operations.js';
import { absolutePath, homePath, isRelative, resolveWatchPath, selfAndAncestors } from './path.js';
import { canRead, type Permissions } from './permissions.js';
import { PAYLOAD_MAX } from './wire.js';

/** Who registers watches: a connection. */
export interface Watcher {
  readonly caller: Caller;
  /** Tells of an event: `path` as the watch put it, absolute or relative, and the watch's token. */
  notify(path: string, token: string): void;
}

/** A watch that is registered. */
export class Watch {
  /** How much to cut off the path of an event, so that a relative watch gets relative paths. */
  readonly #prefix: number;

  constructor(
    /** Absolute, or the name of an event. */
    readonly path: string,
    readonly token: string,
    readonly watcher: Watcher,
    /** Ascends in order of registration, which is the order of being told. */
    readonly order: number,
    relative: boolean,
  ) {
    this.#prefix = relative ? homePath(watcher.caller.domain.domid).length + 1 : 0;
  }

  /** Whether its events cannot be told from those of another watch. */
  saysTheSame(other: Watch): boolean {
    return other.watcher === this.watcher && other.token === this.token && other.#prefix === this.#prefix;
  }

  /** Tells the watcher of `path`. An event too long for a packet is lost. */
  notify(path: string): void {
    const shown = path.slice(this.#prefix);
    if (shown.length + this.token.length + 2 > PAYLOAD_MAX) return;
    this.watcher.notify(shown, this.token);
  }

  /** In bytes, for the quota. */
  get size(): number {
    return this.path.length + this.token.length;
  }
}

/** All watches of all connections. */
export class Watches {
  readonly #byPath = new Map<string, Watch[]>();
  readonly #byWatcher = new Map<Watcher, Set<Watch>>();
  #registered = 0;

  /** `EINVAL` for a bad path, `EEXIST` when the watcher has this path with this token already. */
  add(watcher: Watcher, text: string, token: string): Watch {
    const path = resolveWatchPath(text, watcher.caller.domain.domid);
    if (this.#find(watcher, path, token) !== undefined) throw new XenstoreError('EEXIST');
    this.#registered += 1;
    const watch = new Watch(path, token, watcher, this.#registered, isRelative(text));
    this.#byPath.set(path, [...(this.#byPath.get(path) ?? []), watch]);
    this.#byWatcher.set(watcher, (this.#byWatcher.get(watcher) ?? new Set()).add(watch));
    return watch;
  }

  /** Takes back the watch of that path, said absolutely or relatively, and token; `ENOENT` when there is none. */
  remove(watcher: Watcher, text: string, token: string): Watch {
    const path = absolutePath(text, watcher.caller.domain.domid);
    const watch = this.#find(watcher, path, token);
    if (watch === undefined) throw new XenstoreError('ENOENT');
    this.#drop(watch);
    return watch;
  }

  /** Takes back all watches of a watcher and returns them. */
  removeAll(watcher: Watcher): Watch[] {
    const watches = [...(this.#byWatcher.get(watcher) ?? [])];
    for (const watch of watches) this.#drop(watch);
    return watches;
  }

  /**
   * Tells of each change the watches at its path and above, in order of registration; of a node that went along
   * with one above it, only the watches on just that node. Whoever would be told the same twice is told once.
   */
  fire(changes: readonly Change[]): void {
    if (this.#byPath.size === 0) return;
    for (const { path, exact, visibleBy } of changes) {
      const at = exact ? [path] : [...selfAndAncestors(path)];
      const concerned = at.flatMap((each) => this.#byPath.get(each) ?? []);
      concerned.sort((a, b) => a.order - b.order);
      const mayHear = ({ watcher }: Watch) => visibleBy.some((list) => canRead(watcher.caller, list));
      const audience = concerned.filter(mayHear);
      for (const [index, watch] of audience.entries()) {
        if (!audience.slice(0, index).some((earlier) => earlier.saysTheSame(watch))) watch.notify(path);
      }
    }
  }

  /** Tells of `@introduceDomain` or `@releaseDomain` those who have leave to hear it. */
  fireSpecial(name: string, permissions: Permissions): void {
    for (const watch of this.#byPath.get(name) ?? []) {
      if (canRead(watch.watcher.caller, permissions)) watch.notify(name);
    }
  }

  #find(watcher: Watcher, path: string, token: string): Watch | undefined {
    return this.#byPath.get(path)?.find((watch) => watch.watcher === watcher && watch.token === token);
  }

  /** Lists are replaced, not changed, since somebody told of an event may take watches back meanwhile. */
  #drop(watch: Watch): void {
    const others = this.#byPath.get(watch.path)!.filter((other) => other !== watch);
    if (others.length > 0) this.#byPath.set(watch.path, others);
    else this.#byPath.delete(watch.path);
    const own = this.#byWatcher.get(watch.watcher)!;
    own.delete(watch);
    if (own.size === 0) this.#byWatcher.delete(watch.watcher);
  }
}
