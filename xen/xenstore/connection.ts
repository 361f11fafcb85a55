import { onlyArgument, onlyDomid, strings } from './arguments.js';
import type { Caller, Domains } from './domains.js';
import { XenstoreError } from './errors.js';
import { leadingDomid, leadingNumber } from './number.js';
import {
  type Change,
  makeNode,
  readNode,
  removeNode,
  type Scope,
  setNodePermissions,
  writeNode,
} from './operations.js';
import { homePath, isSpecial, resolvePath } from './path.js';
import { formatPermissions, type Permissions, parsePermissions } from './permissions.js';
import type { Quota } from './quota.js';
import { Transaction } from './transaction.js';
import type { Node, Tree } from './tree.js';
import type { Watch, Watcher, Watches } from './watches.js';
import * as wire from './wire.js';

/** What the connections of a server share. */
export interface Store {
  readonly tree: Tree;
  readonly watches: Watches;
  readonly domains: Domains;
  readonly quota: Quota;
  introduce(domid: number): void;
  release(domid: number): void;
  /** Whether nobody arrived between the connection and the introduction of the domain. */
  cameNext(domid: number, connection: XenstoreConnection): boolean;
  resume(domid: number): void;
  setTarget(domid: number, target: number): void;
  isIntroduced(domid: number): boolean;
  setSpecialPermissions(caller: Caller, name: string, permissions: Permissions): void;
  control(command: string, args: readonly string[]): string;
  /** The connection is over. */
  forget(connection: XenstoreConnection): unknown;
}

/** What was sent to a client that has not taken it yet. */
export interface Backlog {
  readonly bytes: number;
  /** Answers among it. */
  readonly answers: number;
  /** Whether an event of just this payload is among it. */
  holdsEvent(payload: Buffer): boolean;
}

/** What to answer: a payload; or nothing but OK, possibly with something still to be done after the answer. */
type Outcome = Buffer | (() => void) | undefined;

const OK = wire.joinStrings(['OK']);

/**
 * One client of the server. Requests are answered in order, each before {@link handle} returns; the events that a
 * request causes, also those for this very connection, are sent before its answer.
 */
export class XenstoreConnection implements Watcher {
  readonly #transactions = new Map<number, Transaction>();
  #lastTransaction = 0;
  #closed = false;

  /** Made by `XenstoreServer.connect`. */
  constructor(
    private readonly store: Store,
    readonly caller: Caller,
    private readonly send: (packet: wire.Packet) => void,
    private readonly backlog?: Backlog,
  ) {}

  get domid(): number {
    return this.caller.domain.domid;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Takes a request and sends its answer; after the end of the connection there is none. */
  handle(request: wire.Packet): void {
    if (this.#closed) return;
    const outcome = this.#outcome(request);
    if (outcome instanceof XenstoreError) {
      this.#send(wire.XS_ERROR, request, wire.joinStrings([outcome.code]));
    } else if (typeof outcome === 'function') {
      this.#send(request.type, request, OK);
      outcome();
    } else {
      this.#send(request.type, request, outcome ?? OK);
    }
  }

  /** Ends the connection: its watches are taken back, its transactions dropped. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.reset();
    this.store.forget(this);
  }

  /** Takes back all watches and drops all transactions. */
  reset(): void {
    const { domain } = this.caller;
    for (const watch of this.store.watches.removeAll(this)) {
      domain.watches -= 1;
      domain.memory -= watch.size;
    }
    domain.transactions -= this.#transactions.size;
    this.#transactions.clear();
  }

  /**
   * As in xenstored, one that is waiting to be read already is not sent again, unless it is of a domain's coming or
   * going, of which each counts; and one that has no room in the domain's memory is lost.
   */
  notify(path: string, token: string): void {
    const payload = wire.joinStrings([path, token]);
    if (!isSpecial(path) && this.backlog?.holdsEvent(payload)) return;
    if (this.#hasRoomFor(payload)) this.#send(wire.XS_WATCH_EVENT, { reqId: 0, txId: 0 }, payload);
  }

  #hasRoomFor({ length }: Buffer): boolean {
    const { domain, privileged } = this.caller;
    const waiting = this.backlog?.bytes ?? 0;
    // To one that reads, it is on its way and no longer ours.
    return privileged || waiting === 0 || domain.memory + waiting + length <= this.store.quota.memory;
  }

  #send(type: number, { reqId, txId }: { reqId: number; txId: number }, payload: Buffer): void {
    if (!this.#closed) this.send({ type, reqId, txId, payload });
  }

  #outcome(request: wire.Packet): Outcome | XenstoreError {
    const perform = this.#requests.get(request.type);
    if (perform === undefined) return new XenstoreError('ENOSYS');
    if (FOR_PRIVILEGED.has(request.type) && !this.caller.privileged) return new XenstoreError('EACCES');
    try {
      // Before anything else is looked at, and also where it makes no difference.
      if (request.txId !== 0 && !OUT_OF_TRANSACTIONS.has(request.type)) this.#transaction(request.txId);
      const outcome = perform(request);
      const tooLong = outcome instanceof Buffer && outcome.length > wire.PAYLOAD_MAX;
      return tooLong ? new XenstoreError('E2BIG') : outcome;
    } catch (error) {
      if (error instanceof XenstoreError) return error;
      throw error;
    }
  }

  readonly #requests = new Map<number, (request: wire.Packet) => Outcome>([
    [wire.XS_CONTROL, (request) => this.#control(request)],
    [wire.XS_DIRECTORY, (request) => wire.joinStrings([...this.#read(request).children])],
    [wire.XS_READ, (request) => this.#read(request).value],
    [wire.XS_GET_PERMS, (request) => wire.joinStrings(formatPermissions(this.#read(request).permissions))],
    [wire.XS_WATCH, (request) => this.#watch(request)],
    [wire.XS_UNWATCH, (request) => this.#unwatch(request)],
    [wire.XS_TRANSACTION_START, (request) => this.#startTransaction(request)],
    [wire.XS_TRANSACTION_END, (request) => this.#endTransaction(request)],
    [wire.XS_INTRODUCE, (request) => this.#introduce(request)],
    [wire.XS_RELEASE, (request) => this.#release(request)],
    [wire.XS_GET_DOMAIN_PATH, (request) => wire.joinStrings([homePath(onlyDomid(request))])],
    [wire.XS_WRITE, (request) => this.#write(request)],
    [wire.XS_MKDIR, (request) => this.#change(request, makeNode)],
    [wire.XS_RM, (request) => this.#change(request, removeNode)],
    [wire.XS_SET_PERMS, (request) => this.#setPermissions(request)],
    [wire.XS_IS_DOMAIN_INTRODUCED, (request) => this.#isIntroduced(request)],
    [wire.XS_RESUME, (request) => void this.store.resume(this.#introducedDomid(request))],
    [wire.XS_SET_TARGET, (request) => this.#setTarget(request)],
    [wire.XS_RESET_WATCHES, () => void this.reset()],
    [wire.XS_DIRECTORY_PART, (request) => this.#directoryPart(request)],
  ]);

  /** Whom to check and where to look: the tree, or the transaction that the request names. */
  #scope({ txId }: wire.Packet): Scope & { transaction: Transaction | undefined } {
    const { tree, quota } = this.store;
    const transaction = txId === 0 ? undefined : this.#transaction(txId);
    return { view: transaction ?? tree, caller: this.caller, quota, transaction };
  }

  #transaction(id: number): Transaction {
    const transaction = this.#transactions.get(id);
    if (transaction === undefined) throw new XenstoreError('ENOENT');
    return transaction;
  }

  #resolve(text: string): string {
    return resolvePath(text, this.domid);
  }

  /** That a malformed request is ENOENT here and ENOMEM in {@link #change} is xenstored's way. */
  #read(request: wire.Packet): Node {
    return readNode(this.#scope(request), this.#resolve(onlyArgument(request, 'ENOENT')));
  }

  #change(request: wire.Packet, change: (scope: Scope, path: string) => Change[]): undefined {
    const path = this.#resolve(onlyArgument(request, 'ENOMEM'));
    this.#apply(request, (scope) => change(scope, path));
  }

  #write(request: wire.Packet): undefined {
    const end = request.payload.indexOf(0);
    if (end === -1) throw new XenstoreError('EINVAL');
    const path = this.#resolve(request.payload.toString('latin1', 0, end));
    const value = ownCopy(request.payload.subarray(end + 1));
    this.#apply(request, (scope) => writeNode(scope, path, value));
  }

  #setPermissions(request: wire.Packet): undefined {
    const [path, ...entries] = wire.splitStrings(request.payload);
    if (path === undefined || entries.length === 0) throw new XenstoreError('EINVAL');
    const { caller, store } = this;
    if (!caller.privileged && entries.length > store.quota.permissions) throw new XenstoreError('ENOSPC');
    const permissions = parsePermissions(entries, store.domains);
    if (isSpecial(path)) {
      store.setSpecialPermissions(caller, path, permissions);
      return;
    }
    const resolved = this.#resolve(path);
    this.#apply(request, (scope) => setNodePermissions(scope, resolved, permissions));
  }

  /** Makes a change and tells the watches, when it is made in a transaction not before its end. */
  #apply(request: wire.Packet, change: (scope: Scope) => Change[]): void {
    const scope = this.#scope(request);
    const changes = change(scope);
    if (scope.transaction !== undefined) scope.transaction.record(changes);
    else this.store.watches.fire(changes);
  }

  /**
   * A directory too long for one packet, from a byte offset on: the generation, then as many whole names as fit;
   * where nothing is left, one more NUL. A client whose generation changes under it starts again.
   */
  #directoryPart(request: wire.Packet): Buffer {
    const [path, offset] = strings(request, 2, 2);
    const node = readNode(this.#scope(request), this.#resolve(path!));
    const generation = wire.joinStrings([String(node.generation)]);
    const names = wire.joinStrings([...node.children]);
    const from = leadingNumber(offset!);
    // As an unsigned number, which it is for xenstored, a negative one is past every end.
    const rest = from < 0 ? names.subarray(names.length) : names.subarray(from);
    // One byte is kept for the NUL at the end, also where that does not come yet.
    const room = wire.PAYLOAD_MAX - generation.length - 1;
    if (rest.length <= room) return Buffer.concat([generation, rest, wire.joinStrings([''])]);
    return Buffer.concat([generation, rest.subarray(0, rest.lastIndexOf(0, room - 1) + 1)]);
  }

  /** Fires once as soon as it is set, right after the answer and whether or not there is such a node. */
  #watch(request: wire.Packet): Outcome {
    const [path, token] = strings(request, 2, 2);
    const watch = this.store.watches.add(this, path!, token!);
    const excess = this.#excess(watch);
    if (excess !== undefined) {
      this.store.watches.remove(this, path!, token!);
      throw new XenstoreError(excess);
    }
    this.caller.domain.watches += 1;
    this.caller.domain.memory += watch.size;
    return () => this.notify(path!, token!);
  }

  #excess(watch: Watch): 'E2BIG' | 'ENOMEM' | undefined {
    const { privileged, domain } = this.caller;
    const { quota } = this.store;
    if (privileged) return undefined;
    if (domain.watches > quota.watches) return 'E2BIG';
    return domain.memory + watch.size > quota.memory ? 'ENOMEM' : undefined;
  }

  #unwatch(request: wire.Packet): undefined {
    const [path, token] = strings(request, 2, 2);
    const watch = this.store.watches.remove(this, path!, token!);
    this.caller.domain.watches -= 1;
    this.caller.domain.memory -= watch.size;
  }

  #startTransaction({ txId }: wire.Packet): Buffer {
    if (txId !== 0) throw new XenstoreError('EBUSY');
    const { caller, store } = this;
    if (!caller.privileged && caller.domain.transactions > store.quota.transactions) {
      throw new XenstoreError('ENOSPC');
    }
    const id = this.#freeTransactionId();
    this.#transactions.set(id, new Transaction(store.tree, caller.privileged ? undefined : store.quota));
    caller.domain.transactions += 1;
    return wire.joinStrings([String(id)]);
  }

  #freeTransactionId(): number {
    do this.#lastTransaction = (this.#lastTransaction + 1) >>> 0;
    while (this.#lastTransaction === 0 || this.#transactions.has(this.#lastTransaction));
    return this.#lastTransaction;
  }

  #endTransaction({ txId, payload }: wire.Packet): undefined {
    const verdict = wire.onlyString(payload);
    if (verdict !== 'T' && verdict !== 'F') throw new XenstoreError('EINVAL');
    const transaction = this.#transaction(txId);
    this.#transactions.delete(txId);
    this.caller.domain.transactions -= 1;
    if (verdict === 'F') return;
    this.store.watches.fire(transaction.commit());
  }

  /** `domid`, the place of its ring, the port of its event channel: here neither of the latter means anything. */
  #introduce(request: wire.Packet): undefined {
    const [domid, , port] = strings(request, 3);
    if (leadingNumber(port!) <= 0) throw new XenstoreError('EINVAL');
    if (this.store.domains.find(leadingDomid(domid!)) === undefined) throw new XenstoreError('EINVAL');
    this.store.introduce(leadingDomid(domid!));
  }

  #isIntroduced(request: wire.Packet): Buffer {
    return wire.joinStrings([this.store.isIntroduced(onlyDomid(request)) ? 'T' : 'F']);
  }

  #setTarget(request: wire.Packet): undefined {
    const [domid, target] = strings(request, 2);
    this.store.setTarget(leadingDomid(domid!), leadingDomid(target!));
  }

  /**
   * As with any request its events come before the answer; but xenstored is still holding on to whom it will serve
   * next, so that one goes only after the answer.
   */
  #release(request: wire.Packet): Outcome {
    const domid = this.#introducedDomid(request);
    if (this.store.cameNext(domid, this)) return () => this.store.release(domid);
    this.store.release(domid);
    return undefined;
  }

  #introducedDomid(request: wire.Packet): number {
    const domid = onlyDomid(request);
    if (domid === 0) throw new XenstoreError('EINVAL');
    if (this.store.domains.introduced(domid) === undefined) throw new XenstoreError('ENOENT');
    return domid;
  }

  #control(request: wire.Packet): Buffer {
    const [command, ...args] = strings(request, 1);
    return wire.joinStrings([this.store.control(command!, args)]);
  }
}

/** Requests only for domain 0; all others get EACCES, whatever they sent along. */
const FOR_PRIVILEGED: ReadonlySet<number> = new Set([
  wire.XS_CONTROL,
  wire.XS_INTRODUCE,
  wire.XS_RELEASE,
  wire.XS_IS_DOMAIN_INTRODUCED,
  wire.XS_RESUME,
  wire.XS_SET_TARGET,
]);

/** Requests whose transaction id means nothing. */
const OUT_OF_TRANSACTIONS: ReadonlySet<number> = new Set([wire.XS_WATCH, wire.XS_UNWATCH]);

/** In memory of its own size, because it may be kept long: a view would keep a whole packet or pool alive. */
function ownCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
