/** Options of sockets: names and values are Erlang's. */
import { isTuple, list } from '../../actors/term.js';
import { isActive } from '../drivers/active-mode.js';
import { isIp4 } from './address.js';

type Check = (value: unknown) => boolean;
/** What a value can be, and what it is at first. */
export type OptionTable = Readonly<Record<string, readonly [check: Check, initial: unknown]>>;

const isBoolean: Check = (value) => typeof value === 'boolean';
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isTime: Check = (value) => value === 'infinity' || isCount(value);
const isMode: Check = (value) => value === 'list' || value === 'binary';
const isMembership: Check = (value) =>
  isTuple(value) && value.length === 2 && isIp4(value[0]) && (isIp4(value[1]) || value[1] === 'any');
const PACKETS: readonly unknown[] = ['raw', 0, 1, 2, 4, 'line'];

const COMMON = {
  mode: [isMode, 'list'],
  active: [isActive, true],
  buffer: [isCount, 1460],
  recbuf: [isCount, 131_072],
  sndbuf: [isCount, 131_072],
  reuseaddr: [isBoolean, false],
} satisfies OptionTable;

export const TCP_OPTIONS = {
  ...COMMON,
  packet: [(value) => PACKETS.includes(value), 0],
  packet_size: [isCount, 0],
  line_delimiter: [(value) => isCount(value) && (value as number) < 256, 10],
  exit_on_close: [isBoolean, true],
  show_econnreset: [isBoolean, false],
  send_timeout: [isTime, 'infinity'],
  send_timeout_close: [isBoolean, false],
  high_watermark: [isCount, 8192],
  low_watermark: [isCount, 4096],
  delay_send: [isBoolean, false],
  nodelay: [isBoolean, false],
  keepalive: [isBoolean, false],
  linger: [
    (value) => isTuple(value) && value.length === 2 && isBoolean(value[0]) && isCount(value[1]),
    [false, 0],
  ],
  ipv6_v6only: [isBoolean, false],
} satisfies OptionTable;

export const UDP_OPTIONS = {
  ...COMMON,
  read_packets: [isCount, 5],
  broadcast: [isBoolean, false],
  multicast_ttl: [(value) => isCount(value) && (value as number) < 256, 1],
  multicast_loop: [isBoolean, true],
  multicast_if: [isIp4, [0, 0, 0, 0]],
  add_membership: [isMembership, undefined],
  drop_membership: [isMembership, undefined],
  ipv6_v6only: [isBoolean, false],
} satisfies OptionTable;

export type OptionPair = readonly [name: string, value: unknown];

/** Options in pairs, those without a value too; undefined when one is no option of this kind of socket. */
export function parseSocketOptions(options: unknown, table: OptionTable): OptionPair[] | undefined {
  if (!Array.isArray(options)) return undefined;
  const parsed: OptionPair[] = [];
  for (const option of options) {
    const [name, value] = option === 'binary' || option === 'list' ? ['mode', option] : asPair(option);
    if (typeof name !== 'string' || !Object.hasOwn(table, name)) return undefined;
    if (!table[name]?.[0](value)) return undefined;
    parsed.push([name, value]);
  }
  return parsed;
}

function asPair(option: unknown): readonly [unknown, unknown] {
  return isTuple(option) && option.length === 2 ? [option[0], option[1]] : [undefined, undefined];
}

/** The options of one socket. */
export class SocketOptions {
  readonly #values = new Map<string, unknown>();

  constructor(
    readonly table: OptionTable,
    from?: SocketOptions,
  ) {
    for (const [name, [, initial]] of Object.entries(table)) {
      this.#values.set(name, from ? from.get(name) : initial);
    }
  }

  get(name: string): unknown {
    return this.#values.get(name);
  }

  set(name: string, value: unknown): void {
    this.#values.set(name, value === 'raw' && name === 'packet' ? 0 : value);
  }

  /** For getopts: undefined when one of the names is none. */
  list(names: unknown): unknown {
    if (!Array.isArray(names)) return undefined;
    const known = names.filter((name): name is string => typeof name === 'string');
    if (known.length < names.length || !known.every((name) => this.#values.get(name) !== undefined))
      return undefined;
    return list(...known.map((name): OptionPair => [name, this.#values.get(name)]));
  }
}
