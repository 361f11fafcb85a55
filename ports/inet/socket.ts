import { badarg } from '../../actors/errors.js';
import { toList } from '../../actors/term.js';
import type { DriverInstance, DriverPort } from '../driver.js';
import { type Active, ActiveMode } from '../drivers/active-mode.js';
import { type Answer, error, GETOPTS, PEERNAME, SETOPTS, SOCKNAME } from './operations.js';
import { type OptionPair, type OptionTable, parseSocketOptions, SocketOptions } from './options.js';
import { Waiters } from './waiters.js';

/** What sockets of all kinds have in common: options, and whether they are active. */
export abstract class InetSocket implements DriverInstance {
  protected readonly port: DriverPort;
  protected readonly options: SocketOptions;
  protected readonly active = new ActiveMode();
  protected readonly waiters: Waiters;

  constructor(
    /** The first part of what it tells its owner. */
    protected readonly kind: 'tcp' | 'udp',
    port: DriverPort,
    table: OptionTable,
    from?: InetSocket,
  ) {
    this.port = port;
    this.options = new SocketOptions(table, from?.options);
    if (from) this.active.set(from.active.value);
    this.waiters = new Waiters(port);
  }

  call(operation: number, argument: unknown): Answer {
    switch (operation) {
      case SETOPTS:
        return this.#setopts(argument);
      case GETOPTS: {
        this.options.set('active', this.active.value);
        const values = this.options.list(argument);
        return values === undefined ? error('einval') : ['ok', values];
      }
      case SOCKNAME:
        return this.sockname();
      case PEERNAME:
        return this.peername();
      default:
        throw badarg(`a socket of ${this.kind} knows no call ${operation}`);
    }
  }

  stop(): void {
    this.waiters.answerAll(error('closed'));
  }

  protected abstract sockname(): Answer;
  protected abstract peername(): Answer;
  /** An option has a new value. */
  protected abstract apply(name: string, value: unknown): void;
  /** It may be that something can be delivered now. */
  protected abstract serve(): void;

  /** All of them, or none; as in Erlang the last first. */
  #setopts(given: unknown): Answer {
    const parsed = parseSocketOptions(given, this.options.table)?.reverse();
    if (parsed === undefined || !this.#canSetActive(parsed)) return error('einval');
    for (const [name, value] of parsed) {
      if (name === 'active') {
        if (this.active.set(value as Active)) this.tell('passive');
        continue;
      }
      try {
        this.apply(name, value);
      } catch {
        // As inet does it: what the system refuses is not told.
      }
      this.options.set(name, value);
      const high = this.options.get('high_watermark') as number | undefined;
      if (name === 'high_watermark' && (this.options.get('low_watermark') as number) > high!) {
        this.options.set('low_watermark', high);
      }
    }
    this.serve();
    return 'ok';
  }

  #canSetActive(options: readonly OptionPair[]): boolean {
    try {
      this.active.check(options.flatMap(([name, value]) => (name === 'active' ? [value as Active] : [])));
      return true;
    } catch {
      return false;
    }
  }

  /** `{tcp_closed, Socket}` and its like. */
  protected tell(what: string, ...more: unknown[]): void {
    this.port.output_term([`${this.kind}_${what}`, this.port.id, ...more]);
  }

  /** `{tcp, Socket, Data}`, `{udp, Socket, Address, Port, Data}`. */
  protected deliver(...content: unknown[]): void {
    this.port.output_term([this.kind, this.port.id, ...content]);
    if (this.active.delivered()) this.tell('passive');
  }

  protected asTerm(data: Buffer): unknown {
    return this.options.get('mode') === 'binary' ? data : toList(Array.from(data));
  }
}
