import type { Actor } from './actor.js';
import { type Crash, noteReported, printCrash } from './crash.js';
import { type Destination, isNameOnNode } from './destination.js';
import { badarg, RuntimeError } from './errors.js';
import { formatShort } from './format.js';
import { Origin, Pid, Port, Reference } from './identifiers.js';
import type { Mailbox } from './mailbox.js';
import { checkMessage } from './messages.js';
import { Process } from './process.js';
import { Registry } from './registry.js';
import type { Receiver } from './signal.js';
import { dropStrays, dropStraysNoMore } from './stray-programs.js';
import { Timers } from './timers.js';
import { WrittenReferences } from './written-references.js';

export interface RuntimeOptions<S extends Process> {
  /** The node's name; `nonode@nohost` as long as it is not part of a cluster. */
  readonly node?: string;
  /** What `self` is: a subclass of {@link Process} that adds functions for its program. */
  readonly Process?: new (
    ...birth: ConstructorParameters<typeof Process>
  ) => S;
  /**
   * Called once for each process that crashes, after its end, and with what supervisors report. Default: prints it on
   * stderr. What it raises is an uncaught exception, and then the crash is printed all the same.
   */
  readonly onCrash?: (crash: Crash) => void;
}

/** How many receives and sends there can be before timers and I/O get a turn; BEAM's own figure. */
const REDUCTIONS = 4000;
const SPAWN_REDUCTIONS = 20;
/** The budget is that of one process, and of so many at most where several share a turn. */
const SHARES = 4;

/**
 * One Erlang runtime: a node with its processes, ports, names and timers. A domain has one. It is alive until
 * {@link stop}, and as long as it has timers or a process in a receive with a timeout, so is the OS process.
 */
export class Runtime<S extends Process = Process> {
  readonly origin: Origin;
  readonly registry = new Registry();
  readonly timers = new Timers((name) => this.findProcess(name));
  private readonly onCrash: (crash: Crash) => void;
  /** What is left of the budget until timers and I/O must have a turn. */
  reductions = REDUCTIONS;

  private readonly ProcessClass: new (
    ...birth: ConstructorParameters<typeof Process>
  ) => S;
  private readonly actors = new Map<number, Actor>();
  private readonly ports = new Map<number, Port>();
  private readonly written = new WrittenReferences();
  private pidCount = 0;
  private portCount = 0;
  private referenceCount = 0;
  private uniqueIntegers = 0n;

  private dying: Actor[] = [];
  private starting: Actor[] = [];
  private heldBack: Actor[] = [];
  private turn: NodeJS.Immediate | undefined = undefined;
  private isStopped = false;

  constructor(options: RuntimeOptions<S> = {}) {
    this.origin = new Origin(options.node ?? 'nonode@nohost');
    this.ProcessClass = options.Process ?? (Process as typeof this.ProcessClass);
    this.onCrash = options.onCrash ?? printCrash;
    runtimes.set(this.origin.creation, this as unknown as Runtime);
    dropStrays();
  }

  get node(): string {
    return this.origin.node;
  }

  /**
   * Starts a process that runs `body`; it begins after the current call of JavaScript is through. What `body`
   * returns is awaited; then the process exits: `normal`, or with the reason that {@link exitReason} gives for what
   * was thrown.
   */
  spawn<A extends unknown[]>(body: (self: S, ...args: A) => unknown, ...args: A): Pid {
    if (typeof body !== 'function') throw badarg('what to run has to be a function');
    const process = this.makeProcess();
    process.start(body, args);
    return process.pid;
  }

  /** A process that does not run yet: `start` it. Raises ERR_RUNTIME_STOPPED after {@link stop}. */
  makeProcess(parent?: Process): S {
    this.ensureRunning();
    return new this.ProcessClass(this as unknown as Runtime, parent);
  }

  protected ensureRunning(): void {
    if (this.isStopped) throw new RuntimeError('ERR_RUNTIME_STOPPED', 'the runtime is stopped');
  }

  /** Sends from outside of any process; as `self.send`. */
  send<M>(destination: Destination, message: M): M {
    checkMessage(message);
    this.resolve(destination)?.message(message);
    return message;
  }

  /** The living processes, oldest first. */
  processes(): Pid[] {
    return Array.from(this.actors.values(), ({ pid }) => pid);
  }

  whereis(name: string): Pid | Port | undefined {
    return this.registry.whereis(name)?.id;
  }

  /**
   * Kills every process (reason `killed`) and cancels every timer; nothing of it runs, or keeps the OS process
   * alive, after. The `finally` blocks of the programs run soon after this returns. Ports hear of it as others do:
   * by the ends of those whom they are linked to.
   */
  stop(): void {
    if (!this.isStopped) dropStraysNoMore();
    this.isStopped = true;
    for (const actor of [...this.actors.values()]) actor.die('killed');
    this.timers.cancelAll();
    if (this.turn !== undefined) clearImmediate(this.turn);
    this.turn = undefined;
    this.heldBack = [];
    this.starting = [];
    runtimes.delete(this.origin.creation);
  }

  // ---- For processes and ports

  /**
   * Who takes what is sent to `destination`; undefined for one that has exited, and for unknown names on nodes: all
   * this is silent. Raises badarg for a name nobody here has, and for what is no destination.
   */
  resolve(destination: unknown): Receiver | undefined {
    if (destination instanceof Pid || destination instanceof Port || destination instanceof Reference) {
      return destination.receiver;
    }
    if (typeof destination === 'string') {
      const receiver = this.registry.whereis(destination);
      if (receiver === undefined) throw badarg(`nobody is registered as ${destination}`);
      return receiver;
    }
    if (!isNameOnNode(destination))
      throw badarg(`the destination ${formatShort(destination)} is no pid, port, alias or name`);
    return destination[1] === this.node ? this.registry.whereis(destination[0]) : undefined;
  }

  makePid(actor: Actor): Pid {
    const count = ++this.pidCount;
    const pid = new Pid(this.origin, count % PIDS_PER_SERIAL, Math.floor(count / PIDS_PER_SERIAL));
    pid.receiver = actor;
    this.actors.set(count, actor);
    return pid;
  }

  /** A new port identifier that leads to `receiver` until {@link dropPort}. */
  makePort(receiver: Receiver): Port {
    const port = new Port(this.origin, ++this.portCount);
    port.receiver = receiver;
    this.ports.set(port.id, port);
    return port;
  }

  /** The port has ended: its identifier and its name lead nowhere. To tell its links and monitors is left to it. */
  dropPort(port: Port): void {
    if (port.receiver !== undefined) this.registry.release(port.receiver);
    port.receiver = undefined;
    this.ports.delete(port.id);
  }

  /** For the process with that mailbox. */
  makeReference(maker?: Mailbox): Reference {
    return new Reference(this.origin, ++this.referenceCount, maker);
  }

  uniqueInteger(): bigint {
    return ++this.uniqueIntegers;
  }

  /** It is being written out as bytes, so somebody may bring it back. */
  remember(ref: Reference): void {
    if (ref.isOriginal) this.written.add(ref);
  }

  /** Tells of a crash. What the listener raises is not the caller's fault, who may be a process. */
  report(crash: Crash): void {
    noteReported(crash);
    try {
      this.onCrash(crash);
    } catch (error) {
      printCrash(crash);
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  startSoon(actor: Actor): void {
    this.reductions -= SPAWN_REDUCTIONS;
    if (this.reductions <= 0) this.resumeLater(actor);
    else if (this.starting.push(actor) === 1) queueMicrotask(this.startAll);
  }

  /** Resumes `actor` after timers and I/O have had a turn. */
  resumeLater(actor: Actor): void {
    this.heldBack.push(actor);
    this.turn ??= setImmediate(this.nextTurn);
  }

  /**
   * Takes a process that has just died out of all tables, and has it tell the others. Where that makes others die,
   * they tell theirs after, one by one: a chain of links may be longer than the stack is deep.
   */
  bury(actor: Actor): void {
    this.actors.delete(actor.pid.id + actor.pid.serial * PIDS_PER_SERIAL);
    actor.pid.receiver = undefined;
    this.registry.release(actor);
    this.timers.cancelFor(actor.pid);
    if (this.dying.push(actor) > 1) return;
    try {
      for (const each of this.dying) each.tellOthers();
    } finally {
      this.dying = [];
    }
  }

  /** What a timer sends to the name of a port is lost, as in Erlang. */
  private findProcess(name: string): Receiver | undefined {
    const receiver = this.registry.whereis(name);
    return receiver?.id instanceof Pid ? receiver : undefined;
  }

  /** The living process with these numbers. */
  findPid(id: number, serial: number): Pid | undefined {
    return this.actors.get(id + serial * PIDS_PER_SERIAL)?.pid;
  }

  findPort(id: number): Port | undefined {
    return this.ports.get(id);
  }

  /** The reference with these words, if it has been {@link remember | written out} and is still in use. */
  findReference(words: readonly number[]): Reference | undefined {
    return this.written.find(words);
  }

  private readonly startAll = (): void => {
    const actors = this.starting;
    this.starting = [];
    for (const actor of actors) actor.resume();
  };

  private readonly nextTurn = (): void => {
    // Not more of them than the budget is for: the others wait for another turn of timers and I/O.
    const actors = this.heldBack.splice(0, REDUCTIONS);
    // Or else one that sends as much as it may would leave nothing to who receives it.
    this.reductions = REDUCTIONS * Math.min(actors.length, SHARES);
    this.turn = this.heldBack.length > 0 ? setImmediate(this.nextTurn) : undefined;
    for (const actor of actors) actor.resume();
  };
}

const PIDS_PER_SERIAL = 0x1000_0000;

const runtimes = new Map<number, Runtime>();

/**
 * The living runtime of this OS process that identifiers of this node and creation come from, so that a decoded
 * identifier can be the very object that its process, port or alias has.
 */
export function findRuntime(node: string, creation: number): Runtime | undefined {
  const runtime = runtimes.get(creation);
  return runtime?.node === node ? runtime : undefined;
}
