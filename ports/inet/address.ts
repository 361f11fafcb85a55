/** Internet addresses as Erlang has them, and as the operating system is told them. */
import net from 'node:net';
import { types } from 'node:util';
import { isTuple } from '../../actors/term.js';

export type Ip4 = readonly [number, number, number, number];
export type Ip6 = readonly [number, number, number, number, number, number, number, number];
export type IpAddress = Ip4 | Ip6;
/** Of a Unix socket: `{local, Path}`; no path where it has none. */
export type LocalAddress = readonly ['local', string | Uint8Array];
export type Family = 'inet' | 'inet6' | 'local';

export function isIp4(term: unknown): term is Ip4 {
  return isTuple(term) && term.length === 4 && term.every((part) => isBelow(part, 0x100));
}

export function isIp6(term: unknown): term is Ip6 {
  return isTuple(term) && term.length === 8 && term.every((part) => isBelow(part, 0x1_0000));
}

export function isLocal(term: unknown): term is LocalAddress {
  if (!isTuple(term) || term.length !== 2 || term[0] !== 'local') return false;
  return typeof term[1] === 'string' || types.isUint8Array(term[1]);
}

export function isPortNumber(term: unknown): term is number {
  return isBelow(term, 0x1_0000);
}

function isBelow(term: unknown, limit: number): boolean {
  return Number.isInteger(term) && (term as number) >= 0 && (term as number) < limit;
}

/** As text, the shortest there is: RFC 5952, as inet:ntoa/1 writes it. */
export function formatIp(address: IpAddress): string {
  if (address.length === 4) return address.join('.');
  const words = address.map((word) => word.toString(16));
  if (address.slice(0, 5).every((word) => word === 0) && (address[5] === 0xffff || isOldForm(address))) {
    const [high, low] = [address[6] as number, address[7] as number];
    const ip4 = [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
    return address[5] === 0xffff ? `::ffff:${ip4}` : `::${ip4}`;
  }
  const [start, length] = longestZeros(address);
  if (length < 2) return words.join(':');
  return `${words.slice(0, start).join(':')}::${words.slice(start + length).join(':')}`;
}

/** IPv4-compatible, but none of `::` and `::1` and their like. */
function isOldForm(address: Ip6): boolean {
  return address[5] === 0 && address[6] !== 0;
}

function longestZeros(address: IpAddress): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  for (let start = 0; start < address.length; start++) {
    let end = start;
    while (address[end] === 0) end++;
    if (end - start > best[1]) best = [start, end - start];
  }
  return best;
}

/** An address that is written in full, as Node reports it; undefined for anything else. A scope is dropped. */
export function parseIp(text: string): IpAddress | undefined {
  const [plain = ''] = text.split('%');
  if (net.isIPv4(plain)) return plain.split('.').map(Number) as unknown as Ip4;
  if (!net.isIPv6(plain)) return undefined;
  const [head = '', tail] = plain.split('::');
  const before = parseWords(head);
  const after = parseWords(tail ?? '');
  const zeros = new Array<number>(8 - before.length - after.length).fill(0);
  return [...before, ...zeros, ...after] as unknown as Ip6;
}

/** As inet_aton: one to four numbers, octal and hexadecimal ones too, of which the last fills what is left. */
export function parseIp4(text: string): Ip4 | undefined {
  const parts = text.split('.');
  if (parts.length > 4 || !parts.every((part) => /^(0x[\da-f]+|0[0-7]*|[1-9]\d*)$/i.test(part)))
    return undefined;
  const numbers = parts.map((part) => (/^0[0-7]/.test(part) ? Number.parseInt(part, 8) : Number(part)));
  const last = numbers.pop() as number;
  if (!numbers.every((number) => isBelow(number, 0x100))) return undefined;
  const left = 4 - numbers.length;
  if (!isBelow(last, 0x100 ** left)) return undefined;
  const rest = Array.from({ length: left }, (_, i) => Math.floor(last / 0x100 ** (left - 1 - i)) % 0x100);
  return [...numbers, ...rest] as unknown as Ip4;
}

function parseWords(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((word) => {
    if (!word.includes('.')) return Number.parseInt(word, 16);
    const [a = 0, b = 0, c = 0, d = 0] = word.split('.').map(Number);
    return [a * 0x100 + b, c * 0x100 + d];
  });
}

/** What Node says of an end: `{Address, Port}`. Of a Unix socket: `{local, Path}`. */
export function endOf(address: string | undefined, port: number | undefined): unknown {
  const ip = address === undefined ? undefined : parseIp(address);
  if (ip === undefined) return ['local', Buffer.from(address ?? '')];
  return [ip, port ?? 0];
}

/** `any` and `loopback`, as an address. */
export function namedIp(name: unknown, family: Family): IpAddress | undefined {
  if (name !== 'any' && name !== 'loopback') return undefined;
  if (family === 'inet6') return [0, 0, 0, 0, 0, 0, 0, name === 'any' ? 0 : 1];
  return name === 'any' ? [0, 0, 0, 0] : [127, 0, 0, 1];
}
