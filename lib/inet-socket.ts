/** What gen_tcp and gen_udp share: how the options of a socket that is to be opened are read, and its messages known. */
import dns from 'node:dns/promises';
import { types } from 'node:util';
import { badarg, ErlangExit } from '../actors/errors.js';
import { formatShort } from '../actors/format.js';
import type { Port } from '../actors/identifiers.js';
import { isList, isTuple } from '../actors/term.js';
import {
  type Family,
  formatIp,
  type IpAddress,
  isIp4,
  isIp6,
  isLocal,
  isPortNumber,
  type LocalAddress,
  namedIp,
  parseIp,
} from '../ports/inet/address.js';
import { posix } from '../ports/inet/posix.js';
import type { Self } from '../ports/self.js';
import { checkSelf } from './check-self.js';
import { close, type SocketOption, setopts } from './inet.js';
import type { Result } from './result.js';

export interface Opening {
  readonly family: Family;
  /** Where it is to be bound, as text; undefined: anywhere. */
  readonly ip: string | undefined;
  /** Of a Unix socket. */
  readonly path: string | undefined;
  readonly port: number | undefined;
  readonly backlog: number;
  readonly flags: ReadonlyMap<string, unknown>;
  /** What is left for setopts. */
  readonly options: readonly SocketOption[];
}

const DEFAULT_BACKLOG = 5;

/** The process exits with badarg for what makes no sense, as it does in Erlang. */
export function parseOpening(options: unknown, address?: unknown): Opening {
  if (!Array.isArray(options)) throw exitBadarg(`the options have to be a list, not ${formatShort(options)}`);
  let family: Family | undefined;
  let ip: unknown;
  let port: number | undefined;
  let backlog = DEFAULT_BACKLOG;
  const others: SocketOption[] = [];
  const flags = new Map<string, unknown>();
  for (const option of options) {
    const [name, value] = isTuple(option) && option.length === 2 ? option : [option, true];
    if (name === 'inet' || name === 'inet6' || name === 'local') family = name;
    else if (name === 'ip' || name === 'ifaddr') ip = value;
    else if (name === 'port' && isPortNumber(value)) port = value;
    else if (name === 'backlog') backlog = parseBacklog(value);
    else {
      others.push(option);
      if (name === 'reuseaddr' || name === 'ipv6_v6only') flags.set(name, value);
    }
  }
  family ??= familyOf(ip) ?? familyOf(address) ?? 'inet';
  const bound = namedIp(ip, family) ?? ip;
  if (bound !== undefined && familyOf(bound) !== family) {
    throw exitBadarg(`${formatShort(bound)} is no address of the family ${family}`);
  }
  return {
    family,
    ip: isIp4(bound) || isIp6(bound) ? formatIp(bound) : undefined,
    path: isLocal(bound) ? pathOf(bound) : undefined,
    port,
    backlog,
    flags,
    options: others,
  };
}

/**
 * The path of a Unix socket; the process exits with badarg for one that the system has no name for, as it does in Erlang.
 */
export function pathOf([, path]: LocalAddress): string {
  const text = typeof path === 'string' ? path : Buffer.from(path).toString();
  // One that begins with a zero byte is abstract.
  if (text === '' || text.includes('\0', 1)) throw exitBadarg(`${formatShort(path)} is no path of a socket`);
  return text;
}

function parseBacklog(value: unknown): number {
  if (Number.isInteger(value) && (value as number) >= 0) return value as number;
  throw badarg(`a backlog is a number from 0, not ${formatShort(value)}`);
}

function familyOf(address: unknown): Family | undefined {
  if (isIp4(address)) return 'inet';
  if (isIp6(address)) return 'inet6';
  return isLocal(address) ? 'local' : undefined;
}

/** The address of a host as text. The process exits with badarg for what is none. */
export async function resolve(host: unknown, family: Family): Promise<Result<string>> {
  const named = namedIp(host, family) ?? host;
  if (isIp4(named) || isIp6(named)) {
    return familyOf(named) === family ? ['ok', formatIp(named as IpAddress)] : ['error', 'eafnosupport'];
  }
  const text = textOf(named);
  if (text === undefined) throw exitBadarg(`${formatShort(host)} is no host`);
  const literal = parseIp(text);
  if (literal) return familyOf(literal) === family ? ['ok', formatIp(literal)] : ['error', 'nxdomain'];
  // These are the names of no host, and for Node the first is this one.
  if (text === '' || text.includes('\0')) return ['error', 'nxdomain'];
  try {
    return ['ok', (await dns.lookup(text, { family: family === 'inet6' ? 6 : 4 })).address];
  } catch (error) {
    return ['error', posix(error)];
  }
}

function textOf(name: unknown): string | undefined {
  if (typeof name === 'string') return name;
  const isBytes = types.isUint8Array(name) || (isList(name) && name.every((byte) => Number.isInteger(byte)));
  return isBytes ? Buffer.from(name as Uint8Array).toString() : undefined;
}

/** A socket with these options; the process exits with badarg for bad ones. */
export function openSocket(self: Self, driver: string, options: readonly SocketOption[]): Port {
  checkSelf(self);
  const socket = self.open_port(['spawn_driver', driver]);
  setOptions(self, socket, options);
  return socket;
}

/** Sets options of a socket that nobody has seen yet, in order; the process exits with badarg for bad ones. */
export function setOptions(self: Self, socket: Port, options: readonly SocketOption[]): void {
  if (setopts(self, socket, [...options].reverse()) === 'ok') return;
  const bad = options.find((option) => setopts(self, socket, [option]) !== 'ok');
  discard(self, socket);
  throw exitBadarg(`${formatShort(bad ?? options)} is no option of this kind of socket`);
}

/** exit(badarg), which says why. */
export function exitBadarg(why: string): ErlangExit {
  return new ErlangExit('badarg', `badarg: ${why}`);
}

/** Nobody has seen it yet. */
export function discard(self: Self, socket: Port): void {
  self.unlink(socket);
  close(self, socket);
}

/** Raises badarg. */
export function checkPortNumber(port: unknown): asserts port is number {
  if (!isPortNumber(port)) throw badarg(`a port is a number from 0 to 65535, not ${formatShort(port)}`);
}

/** Raises badarg. */
export function checkLength(length: unknown): asserts length is number {
  if (!Number.isInteger(length) || (length as number) < 0)
    throw badarg(`a length is a number from 0, not ${formatShort(length)}`);
}

export function checkTimeout(timeout: unknown): asserts timeout is number | 'infinity' {
  if (timeout === 'infinity') return;
  if (!Number.isInteger(timeout) || (timeout as number) < 0)
    throw badarg(`a timeout is a number from 0, or infinity, not ${formatShort(timeout)}`);
}

/** Whether that is what a socket of this kind tells in active mode: its tag begins with the kind's name. */
export function isMessageOf(socket: Port, kind: string, message: unknown): boolean {
  if (!isTuple(message)) return false;
  const [tag, sender] = message;
  return sender === socket && typeof tag === 'string' && tag.startsWith(kind);
}
