import { type Backlog, type Store, XenstoreConnection } from './connection.js';
import { type ControlCommands, type ControlContext, control } from './control.js';
import { type Caller, type Domain, Domains } from './domains.js';
import { XenstoreError } from './errors.js';
import {
  type Change,
  makeNode,
  readNode,
  removeNode,
  type Scope,
  setNodePermissions,
  writeNode,
} from './operations.js';
import {
  childPath,
  INTRODUCE_DOMAIN,
  parentPath,
  RELEASE_DOMAIN,
  resolvePath,
  selfAndAncestors,
} from './path.js';
import { OWNER, type Permissions, parsePermissions, rightsOf, WRITE } from './permissions.js';
import { DEFAULT_QUOTA, type Quota } from './quota.js';
import { recordPermissions, restorePermissions, type StoreRecord } from './record.js';
import { type Node, Tree } from './tree.js';
import { Watches } from './watches.js';
import type { Packet } from './wire.js';

export { XenstoreConnection };

export interface XenstoreServerOptions {
  /** What unprivileged domains may use up, where it differs from xenstored's defaults. */
  readonly quota?: Partial<Quota>;
  /**
   * Whether the hypervisor has a domain that was not introduced here yet: then an INTRODUCE of it succeeds and
   * permissions can name it. Without this only domains introduced or connected exist.
   */
  readonly domainExists?: (domid: number) => boolean;
  /** Told of every change, as it happens, so that another server can {@link XenstoreServer.restore} it. */
  readonly onRecord?: (record: StoreRecord) => void;
  /** What CONTROL can be asked besides `quota` and `help`. */
  readonly controls?: ControlCommands;
}

/** What a domain has of the Xenstore. */
export interface Usage {
  readonly nodes: number;
  readonly watches: number;
  readonly transactions: number;
  /** Of its nodes and watches, in bytes. */
  readonly memory: number;
  /** Answers that are on their way to it. */
  readonly outstanding: number;
}

export interface ConnectOptions {
  readonly domid: number;
  /** No checks of rights, no quotas: what domain 0 is, and nobody else should be. */
  readonly privileged: boolean;
  /**
   * Takes answers and events, in order. It is called from within `handle`, also those of other connections, so it
   * must not throw.
   */
  readonly send: (packet: Packet) => void;
  /** What was sent and not taken yet. Without it, all is taken at once. */
  readonly backlog?: Backlog;
  /** The server has ended the connection, because its domain was released: nothing will be answered any more. */
  readonly onReleased?: () => void;
}

/** What the domid DOMID_SELF is in Xen: an own name for "whoever asks". */
const DOMID_SELF = 0x7ff0;

/**
 * The Xenstore: a tree of small values with permissions, transactions and watches, through which domains find each
 * other. It behaves as Xen's C xenstored 4.17 does. Pure: it takes packets and sends packets, at once; sockets,
 * rings and their framing are somebody else's.
 *
 * Its own methods act as domain 0, and tell watches as any request does.
 */
export class XenstoreServer {
  readonly #domains: Domains;
  readonly #tree: Tree;
  readonly #watches = new Watches();
  #quota: Quota;
  readonly #connections = new Map<XenstoreConnection, ConnectOptions>();
  /** Who is here, in order of arrival: introduced domains, whatever their connections, and the tools of domain 0. */
  readonly #arrivals = new Set<XenstoreConnection | Domain>();
  readonly #specialPermissions: Map<string, Permissions>;
  readonly #domain0: Caller;
  readonly #store: Store;
  /** Where domain 0 has set it at run time. */
  #quotaSet: Partial<Quota> = {};
  readonly #record: (record: StoreRecord) => void;
  readonly #controls: ControlCommands;

  /** With the nodes xenstored starts with: `/`, `/tool` and `/tool/xenstored`. */
  constructor(options: XenstoreServerOptions = {}) {
    const { quota, domainExists = () => false, onRecord = () => {}, controls = new Map() } = options;
    this.#record = onRecord;
    this.#controls = controls;
    this.#quota = { ...DEFAULT_QUOTA, ...quota };
    this.#domains = new Domains(domainExists);
    this.#domain0 = { domain: this.#domains.ensure(0), privileged: true };
    const nobodyElse = parsePermissions(['n0'], this.#domains);
    this.#tree = new Tree(nobodyElse, (path, node) => onRecord(nodeRecord(path, node)));
    this.#specialPermissions = new Map([
      [INTRODUCE_DOMAIN, nobodyElse],
      [RELEASE_DOMAIN, nobodyElse],
    ]);
    this.#store = this.#face();
    this.mkdir('/tool/xenstored');
  }

  /** A new client. Its domain need not be introduced. */
  connect(options: ConnectOptions): XenstoreConnection {
    const caller = { domain: this.#domains.ensure(options.domid), privileged: options.privileged };
    const connection = new XenstoreConnection(this.#store, caller, options.send, options.backlog);
    this.#connections.set(connection, options);
    if (options.domid === 0) this.#arrivals.add(connection);
    return connection;
  }

  /**
   * Makes a domain known and fires `@introduceDomain`. It gets no nodes by that. One that is known already loses
   * its watches and transactions, and nothing is fired; except domain 0, whose many clients are no one's to reset.
   */
  introduce(domid: number): void {
    if (domid === 0) return;
    const domain = this.#domains.ensure(domid);
    if (domain.introduced) {
      for (const connection of this.#connectionsOf(domain)) connection.reset();
      return;
    }
    domain.introduced = true;
    this.#arrivals.add(domain);
    this.#record(['introduced', domid]);
    this.#fireSpecial(INTRODUCE_DOMAIN);
  }

  /**
   * Ends a domain: its connections are closed, every node it owns goes, with all that is below, permission entries
   * that name it mean nobody from now on, and `@releaseDomain` fires last. `ENOENT` for a domain not introduced.
   */
  release(domid: number): void {
    const domain = this.#domains.introduced(domid);
    if (domain === undefined) throw new XenstoreError('ENOENT');
    this.#record(['released', domid]);
    for (const connection of this.#connectionsOf(domain)) {
      const { onReleased } = this.#connections.get(connection)!;
      connection.close();
      onReleased?.();
    }
    this.#domains.forget(domain);
    this.#arrivals.delete(domain);
    this.#removeNodesOf(domain);
    this.#fireSpecial(RELEASE_DOMAIN);
  }

  /**
   * A domain has shut down or crashed but is still there: fires `@releaseDomain`, once until it is resumed.
   * `ENOENT` for a domain not introduced.
   */
  shutDown(domid: number): void {
    const domain = this.#domains.introduced(domid);
    if (domain === undefined) throw new XenstoreError('ENOENT');
    if (domain.shutDown) return;
    domain.shutDown = true;
    this.#fireSpecial(RELEASE_DOMAIN);
  }

  /** A domain that had shut down runs again. `ENOENT` for a domain not introduced. */
  resume(domid: number): void {
    const domain = this.#domains.introduced(domid);
    if (domain === undefined) throw new XenstoreError('ENOENT');
    domain.shutDown = false;
  }

  /** What unprivileged domains may use up now. */
  get quota(): Quota {
    return this.#quota;
  }

  /** The first may act in the name of the second as well. `ENOENT` for a domain not introduced. */
  setTarget(domid: number, target: number): void {
    const domain = this.#domains.introduced(domid);
    const other = this.#domains.introduced(target);
    if (domain === undefined || other === undefined) throw new XenstoreError('ENOENT');
    domain.target = other;
    this.#record(['target', domid, target]);
  }

  isIntroduced(domid: number): boolean {
    return domid === DOMID_SELF || this.#domains.introduced(domid) !== undefined;
  }

  /** Those that have been introduced, without domain 0. */
  introducedDomids(): number[] {
    return this.#domains.allIntroduced().map(({ domid }) => domid);
  }

  /** Undefined for a domain not introduced. */
  usage(domid: number): Usage | undefined {
    const domain = this.#domains.introduced(domid);
    if (domain === undefined) return undefined;
    const { nodes, watches, transactions, memory } = domain;
    return { nodes, watches, transactions, memory, outstanding: this.#outstanding(domain) };
  }

  /** A node's value, undefined when there is no such node. */
  read(path: string): Buffer | undefined {
    return this.#tree.get(resolvePath(path, 0))?.value;
  }

  /** The names of a node's children, in order of creation; `ENOENT` when there is no such node. */
  directory(path: string): string[] {
    return [...readNode(this.#scope, resolvePath(path, 0)).children];
  }

  /** Sets a value, text as UTF-8; makes the node and its parents where missing. */
  write(path: string, value: string | Uint8Array): void {
    this.#apply(writeNode(this.#scope, resolvePath(path, 0), Buffer.from(value)));
  }

  /** Makes a node and its parents where missing; otherwise nothing happens. */
  mkdir(path: string): void {
    this.#apply(makeNode(this.#scope, resolvePath(path, 0)));
  }

  /** Removes a node and all below it; `ENOENT` only when not even its parent is there. */
  rm(path: string): void {
    this.#apply(removeNode(this.#scope, resolvePath(path, 0)));
  }

  /** `permissions` are entries such as `['n5', 'r0']`; `ENOENT` without such a node or such an owner. */
  setPerms(path: string, permissions: readonly string[]): void {
    const parsed = parsePermissions(permissions, this.#domains);
    this.#apply(setNodePermissions(this.#scope, resolvePath(path, 0), parsed));
  }

  /** What there is, as records from which a new server can be made that has the same. */
  *records(): Generator<StoreRecord> {
    const domains = this.#domains.allIntroduced();
    // What a server begins with may be gone here, or have been made again after others.
    yield ['removed', '/tool'];
    yield ['quota', this.#quotaSet];
    for (const { domid } of domains) yield ['introduced', domid];
    for (const { domid, target } of domains) if (target) yield ['target', domid, target.domid];
    for (const [name, permissions] of this.#specialPermissions) {
      yield ['special', name, recordPermissions(permissions)];
    }
    for (const [path, node] of this.#tree.all()) yield nodeRecord(path, node);
  }

  /**
   * Does what a record says, for a new server that nobody has connected to; they have to come in their order. Throws a
   * {@link XenstoreError} for what no server has told.
   */
  restore(record: StoreRecord): void {
    switch (record[0]) {
      case 'introduced':
        return this.introduce(record[1]);
      case 'released':
        return this.release(record[1]);
      case 'target':
        return this.setTarget(record[1], record[2]);
      case 'quota':
        return this.#setQuota(record[1]);
      case 'special':
        return this.#restoreSpecial(record[1], record[2]);
      case 'node':
        return this.#restoreNode(record[1], Buffer.from(record[2], 'latin1'), record[3]);
      case 'removed':
        // It may have gone with a domain, or with another node.
        if (this.#tree.get(record[1]) !== undefined) this.#tree.remove(record[1]);
    }
  }

  #setQuota(quota: Partial<Quota>): void {
    this.#quota = { ...this.#quota, ...quota };
    this.#quotaSet = { ...this.#quotaSet, ...quota };
    this.#record(['quota', quota]);
  }

  #restoreSpecial(name: string, entries: readonly string[]): void {
    if (!this.#specialPermissions.has(name)) throw new XenstoreError('EINVAL');
    this.#specialPermissions.set(name, restorePermissions(entries, this.#domains));
  }

  #restoreNode(text: string, value: Buffer, entries: readonly string[]): void {
    const path = resolvePath(text, 0);
    const permissions = restorePermissions(entries, this.#domains);
    // A client that lists a long directory in parts must not take this tree for the one before it.
    this.#tree.skipGenerations(Date.now());
    if (this.#tree.get(path) !== undefined) {
      this.#tree.edit(path, (node) => {
        node.value = value;
        node.permissions = permissions;
      });
    } else if (this.#tree.get(parentPath(path)!) !== undefined) this.#tree.create(path, permissions, value);
    else throw new XenstoreError('ENOENT');
  }

  /** What connections may touch. */
  #face(): Store {
    const server = this;
    return {
      tree: this.#tree,
      watches: this.#watches,
      domains: this.#domains,
      get quota() {
        return server.#quota;
      },
      introduce: (domid) => this.introduce(domid),
      release: (domid) => this.release(domid),
      cameNext: (...args) => this.#cameNext(...args),
      resume: (domid) => this.resume(domid),
      setTarget: (...args) => this.setTarget(...args),
      isIntroduced: (domid) => this.isIntroduced(domid),
      setSpecialPermissions: (...args) => this.#setSpecialPermissions(...args),
      control: (command, args) => control(this.#controlContext(), command, args),
      forget: (connection) => {
        this.#connections.delete(connection);
        this.#arrivals.delete(connection);
      },
    };
  }

  #controlContext(): ControlContext {
    return {
      quota: this.#quota,
      setQuota: (quota) => this.#setQuota(quota),
      findDomain: (domid) => this.#domains.find(domid),
      outstanding: (domain) => this.#outstanding(domain),
      more: this.#controls,
    };
  }

  #outstanding(domain: Domain): number {
    return this.#connectionsOf(domain)
      .map((connection) => this.#connections.get(connection)?.backlog?.answers ?? 0)
      .reduce((sum, answers) => sum + answers, 0);
  }

  get #scope(): Scope {
    return { view: this.#tree, caller: this.#domain0, quota: this.#quota };
  }

  #apply(changes: readonly Change[]): void {
    this.#watches.fire(changes);
  }

  #fireSpecial(name: string): void {
    this.#watches.fireSpecial(name, this.#specialPermissions.get(name)!);
  }

  #connectionsOf(domain: Domain): XenstoreConnection[] {
    return [...this.#connections.keys()].filter(({ caller }) => caller.domain === domain);
  }

  #cameNext(domid: number, connection: XenstoreConnection): boolean {
    const arrivals = [...this.#arrivals];
    return arrivals[arrivals.indexOf(connection) + 1] === this.#domains.introduced(domid);
  }

  /** In the order of the tree; what lies below another goes with that one. */
  #removeNodesOf(domain: Domain): void {
    const onTheWay = new Set([...domain.owned].flatMap((path) => [...selfAndAncestors(path)]));
    const visit = (path: string) => {
      if (path !== '/' && domain.owned.has(path)) this.#apply(removeNode(this.#scope, path));
      else for (const name of [...this.#tree.get(path)!.children]) descend(childPath(path, name));
    };
    const descend = (path: string) => {
      if (onTheWay.has(path)) visit(path);
    };
    visit('/');
  }

  #setSpecialPermissions(caller: Caller, name: string, permissions: Permissions): void {
    const before = this.#specialPermissions.get(name);
    if (before === undefined) throw new XenstoreError('EINVAL');
    const needed = WRITE | OWNER;
    if ((rightsOf(caller, before) & needed) !== needed) throw new XenstoreError('ENOENT');
    this.#specialPermissions.set(name, permissions);
    this.#record(['special', name, recordPermissions(permissions)]);
  }
}

function nodeRecord(path: string, node: Node | undefined): StoreRecord {
  if (node === undefined) return ['removed', path];
  return ['node', path, node.value.toString('latin1'), recordPermissions(node.permissions)];
}
