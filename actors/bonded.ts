import { Actor, demonitor } from './actor.js';
import { isNameOnNode, type NameOnNode } from './destination.js';
import { badarg, ErlangError, ErlangExit, ErlangThrow } from './errors.js';
import { formatShort } from './format.js';
import { Pid, Port, Reference } from './identifiers.js';
import { Links } from './links.js';
import { Monitor, type MonitorOption, Monitors, parseMonitorOptions } from './monitors.js';
import { parseFlags } from './options.js';
import type { Receiver } from './signal.js';

/** The part of `self` that ties a process to others, and that ends processes: see {@link Process}. */
export abstract class Bonded extends Actor {
  /**
   * With a reason alone: raises it as an {@link ErlangExit}, which ends this process unless it is caught. With a pid
   * or port: sends it an exit signal and answers true; `kill` cannot be trapped, `normal` ends nobody but oneself.
   */
  exit(reason: unknown): never;
  exit(destination: Pid | Port, reason: unknown): true;
  exit(...args: [unknown] | [Pid | Port, unknown]): true {
    this.ensureAlive();
    if (args.length === 1) throw new ErlangExit(args[0]);
    const [destination, reason] = args;
    checkProcessOrPort(destination);
    destination.receiver?.signal({ type: 'exit', from: this.pid, reason, linked: false });
    this.ensureAlive();
    return true;
  }

  /** Raises an {@link ErlangError}: something is wrong with the program. */
  error(reason: unknown): never {
    this.ensureAlive();
    throw new ErlangError(reason);
  }

  /** Raises an {@link ErlangThrow}, as a plain `throw` of a value does: for somebody up the stack to catch. */
  throw(value: unknown): never {
    this.ensureAlive();
    throw new ErlangThrow(value);
  }

  /**
   * True, also where the link was there already, and for oneself, who needs none. To one that has exited: noproc as
   * an error, or when exits are trapped as a message.
   */
  link(other: Pid | Port): true {
    this.ensureAlive();
    checkProcessOrPort(other);
    if (other === this.pid) return true;
    if (other.receiver === undefined) {
      if (!this.trapExit) throw new ErlangError('noproc');
      this.message(['EXIT', other, 'noproc']);
      return true;
    }
    this.links ??= new Links();
    this.links.add(other);
    other.receiver.signal({ type: 'link', from: this.pid });
    this.ensureAlive();
    return true;
  }

  /** No exit signal comes over this link any more; one that has become a message stays in the mailbox. */
  unlink(other: Pid | Port): true {
    this.ensureAlive();
    checkProcessOrPort(other);
    if (this.links?.delete(other)) other.receiver?.signal({ type: 'unlink', from: this.pid });
    return true;
  }

  /**
   * When it ends: a message `['DOWN', ref, kind, object, reason]`, where the object is the identifier, or
   * `[name, node]` where a name was given. At once, with reason noproc, when there is no such process or port.
   */
  monitor(kind: 'process', item: Pid | string | NameOnNode, options?: readonly MonitorOption[]): Reference;
  monitor(kind: 'port', item: Port | string | NameOnNode, options?: readonly MonitorOption[]): Reference;
  monitor(kind: 'process' | 'port', item: unknown, options: readonly MonitorOption[] = []): Reference {
    this.ensureAlive();
    if (kind !== 'process' && kind !== 'port') {
      throw badarg(`what is monitored is a 'process' or a 'port', not ${formatShort(kind)}`);
    }
    const { alias, tag } = parseMonitorOptions(options);
    const Kind = kind === 'process' ? Pid : Port;
    const { object, receiver, missing } = this.findMonitored(Kind, item);
    const ref = this.runtime.makeReference(this.mailbox);
    // Nobody outlives oneself, so there is nothing to monitor, and no alias either.
    if (receiver === this) return ref;
    if (alias !== undefined) this.addAlias(ref, alias);
    this.monitors ??= new Monitors();
    const monitor = new Monitor(ref, this.pid, kind, object, receiver?.id, tag);
    this.monitors.add(monitor);
    if (receiver !== undefined) receiver.signal(monitor);
    else this.signal({ type: 'down', monitor, reason: missing });
    this.ensureAlive();
    return ref;
  }

  /**
   * Without effect for a reference that is no monitor of this process. `flush` takes a `'DOWN'` message of it out of
   * the mailbox; with `info` the answer is whether the monitor was still there.
   */
  demonitor(ref: Reference, options: readonly ('flush' | 'info')[] = []): boolean {
    this.ensureAlive();
    checkReference(ref);
    parseFlags(options, ['flush', 'info']);
    const monitor = this.endMonitor(ref);
    demonitor(monitor);
    if (monitor === undefined && options.includes('flush'))
      this.mailbox.take((message) => isEndOf(ref, message));
    return options.includes('info') ? monitor !== undefined : true;
  }

  /** A reference that messages to this process can be sent to, until unalias; with `reply`, until the first one. */
  alias(options: readonly ('explicit_unalias' | 'reply')[] = []): Reference {
    this.ensureAlive();
    parseFlags(options, ['explicit_unalias', 'reply']);
    const ref = this.runtime.makeReference(this.mailbox);
    // The last one counts.
    this.addAlias(ref, options.at(-1) ?? 'explicit_unalias');
    return ref;
  }

  /** Answers whether it was an active alias of this process. What came through it before stays in the mailbox. */
  unalias(ref: Reference): boolean {
    this.ensureAlive();
    checkReference(ref);
    return this.endAlias(ref);
  }

  private findMonitored(Kind: typeof Pid | typeof Port, item: unknown): Monitored {
    if (item instanceof Kind) return { object: item, receiver: item.receiver, missing: 'noproc' };
    const object = typeof item === 'string' ? ([item, this.runtime.node] as const) : item;
    if (!isNameOnNode(object)) {
      const kind = Kind === Pid ? 'pid' : 'port';
      throw badarg(`${formatShort(item)} is no ${kind}, no name and no [name, node]`);
    }
    const [name, node] = object;
    if (node !== this.runtime.node && this.runtime.node === NO_NODE)
      throw badarg('this is not part of a cluster');
    if (node !== this.runtime.node) return { object, receiver: undefined, missing: 'noconnection' };
    const receiver = this.runtime.registry.whereis(name);
    return { object, receiver: receiver?.id instanceof Kind ? receiver : undefined, missing: 'noproc' };
  }
}

/** The name of a node that is part of no cluster. */
const NO_NODE = 'nonode@nohost';

interface Monitored {
  readonly object: Pid | Port | NameOnNode;
  readonly receiver: Receiver | undefined;
  /** The reason of the down signal where there is nobody. */
  readonly missing: 'noproc' | 'noconnection';
}

/** Raises badarg. */
export function checkProcessOrPort(term: unknown): asserts term is Pid | Port {
  if (!(term instanceof Pid) && !(term instanceof Port)) {
    throw badarg(`${formatShort(term)} is no pid and no port`);
  }
}

/** Raises badarg. */
export function checkReference(term: unknown): asserts term is Reference {
  if (!(term instanceof Reference)) throw badarg(`${formatShort(term)} is no reference`);
}

/** Whatever tag the monitor has. */
function isEndOf(ref: Reference, message: unknown): boolean {
  return Array.isArray(message) && message.length === 5 && message[1] === ref;
}
