import { randomInt } from 'node:crypto';
import type { Mailbox } from './mailbox.js';
import type { Monitor } from './monitors.js';
import type { Receiver } from './signal.js';

/**
 * Where identifiers come from: the name of a node and its `creation`, a number that differs between two
 * runtimes of the same name, so that an identifier of an earlier life never names something of this one.
 */
export class Origin {
  constructor(
    readonly node: string,
    readonly creation: number = randomInt(4, 0xffff_ffff),
  ) {}
}

abstract class Identifier {
  // Private, so that printing or comparing an identifier never walks through the runtime behind it.
  #receiver: Receiver | undefined = undefined;

  constructor(readonly origin: Origin) {}

  /**
   * Who takes signals sent to this identifier; undefined once it has exited, and for identifiers of other
   * nodes. Kept here rather than in a table, because every message sent looks it up.
   */
  get receiver(): Receiver | undefined {
    return this.#receiver;
  }

  set receiver(receiver: Receiver | undefined) {
    this.#receiver = receiver;
  }

  /** As {@link receiver}, of whatever it is: undefined of what is no identifier. */
  static receiverOf(term: unknown): Receiver | undefined {
    return typeof term === 'object' && term !== null && #receiver in term ? term.#receiver : undefined;
  }

  get node(): string {
    return this.origin.node;
  }

  abstract toString(): string;

  /** The text: for people and logs, not to be read back. */
  toJSON(): string {
    return this.toString();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

export const { receiverOf } = Identifier;

/** Where nothing says which messages are accepted, none is refused. */
// biome-ignore lint/suspicious/noExplicitAny: unknown would refuse every Pid that says what it accepts
export type AnyMessage = any;

/**
 * A process identifier. Within a domain one process has one Pid object: compare with `===`. `M` is what may be sent to
 * the process: a `Pid<A | B>` can stand where a `Pid<A>` is wanted.
 */
export class Pid<in M = AnyMessage> extends Identifier {
  /** For the compiler alone. */
  declare protected readonly accepts: (message: M) => void;

  constructor(
    origin: Origin,
    readonly id: number,
    readonly serial = 0,
  ) {
    super(origin);
  }

  override toString(): string {
    return `<0.${this.id}.${this.serial}>`;
  }
}

/**
 * A port identifier: what messages from a port carry as their first element. Compare with `===`. `D` is what its data are
 * for its owner, `I` what its driver adds to port_info, by item; unknown where nothing says it.
 */
export class Port<out D = unknown, out I = unknown> extends Identifier {
  /** For the compiler alone. */
  declare protected readonly tells: { readonly data: D; readonly info: I };

  constructor(
    origin: Origin,
    readonly id: number,
  ) {
    super(origin);
  }

  override toString(): string {
    return `#Port<0.${this.id}>`;
  }
}

/**
 * A reference, unique in its runtime: a number, or whatever words another runtime has made of its own. As an alias
 * it also has a receiver, to which `M` may be sent.
 */
export class Reference<in M = AnyMessage> extends Identifier {
  /** For the compiler alone. */
  declare protected readonly accepts: (message: M) => void;

  #monitor: Monitor | undefined = undefined;
  #maker: Mailbox | undefined;
  #arrived: number;

  /** Who makes it, and may wait for an answer that carries it, says so by its mailbox. */
  constructor(
    origin: Origin,
    readonly value: number | readonly number[],
    maker?: Mailbox,
  ) {
    super(origin);
    this.#maker = maker;
    this.#arrived = maker?.arrived ?? 0;
  }

  /**
   * How many messages had arrived in a mailbox when this was made: they cannot carry it. 0 for the mailbox of another
   * process than the one that made it.
   */
  arrivedBefore(mailbox: Mailbox): number {
    return this.#maker === mailbox ? this.#arrived : 0;
  }

  /** As in the external term format: up to five words, the first of them of 18 bits. */
  get words(): readonly number[] {
    const { value } = this;
    if (typeof value !== 'number') return value;
    return [value % FIRST_WORD, Math.floor(value / FIRST_WORD) % 0x1_0000_0000, 0];
  }

  /** Made by its runtime, and not of words that somebody has sent. */
  get isOriginal(): boolean {
    return typeof this.value === 'number';
  }

  /** The monitor that it stands for, while that is held. */
  get monitor(): Monitor | undefined {
    return this.#monitor;
  }

  set monitor(monitor: Monitor | undefined) {
    this.#monitor = monitor;
  }

  override toString(): string {
    return `#Ref<0.${[...this.words].reverse().join('.')}>`;
  }
}

// Erlang's guards; they are guards of TypeScript and of receive too.

export function is_pid(term: unknown): term is Pid {
  return term instanceof Pid;
}

export function is_port(term: unknown): term is Port {
  return term instanceof Port;
}

export function is_reference(term: unknown): term is Reference {
  return term instanceof Reference;
}

const FIRST_WORD = 0x4_0000;
