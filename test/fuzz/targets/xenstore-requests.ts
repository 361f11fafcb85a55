/**
 * A Xenstore server with domain 0 and two guests that ask for anything: one answer to each request, the accounts are
 * right, what is recorded makes the same store again, and of a guest that is gone nothing is left.
 */
import assert from 'node:assert/strict';
import { makeHome } from '#xen/lingd/domain-home';
import type { Backlog } from '#xen/xenstore/connection';
import { ERROR_MEANINGS } from '#xen/xenstore/errors';
import { baseName, parentPath } from '#xen/xenstore/path';
import type { StoreRecord } from '#xen/xenstore/record';
import { type XenstoreConnection, XenstoreServer } from '#xen/xenstore/server';
import {
  joinStrings,
  onlyString,
  PAYLOAD_MAX,
  type Packet,
  transactionId,
  XS_ERROR,
  XS_TRANSACTION_START,
  XS_WATCH_EVENT,
} from '#xen/xenstore/wire';

export const watches = ['xen/xenstore/', 'xen/lingd/domain-home'];

/** Small, so that a few requests use it up. */
const QUOTA = {
  nodes: 24,
  watches: 3,
  transactions: 2,
  outstanding: 20,
  transactionNodes: 12,
  memory: 2048,
  nodeSize: 512,
  permissions: 3,
};
const GUESTS = [1, 2];
const CREDENTIALS = { uid: 1000, gid: 1000, pid: 1 };

// ---- The form of an input: requests, each who asks, type, transaction, length of the payload, payload

const TYPES = 24;
/** In a payload: so many times 16 letters, as the byte behind it says. */
const REPEAT = 0xfe;

const request = (who: number, type: number, text: string, transaction = 0): string =>
  `${String.fromCharCode(who, type, transaction, text.length)}${text}`;

export const seeds = [
  request(1, 11, 'data/a\0value') + request(1, 2, 'data/a\0') + request(2, 1, '/local/domain/1/data\0'),
  request(1, 4, 'data\0token\0') +
    request(2, 11, '/local/domain/1/data/a\0x') +
    request(1, 5, 'data\0token\0'),
  request(1, 6, '\0') +
    request(1, 11, 'data/a/b\0v', 1) +
    request(1, 2, 'data/a\0', 1) +
    request(1, 7, 'T\0', 1),
  request(1, 6, '\0') + request(1, 13, 'data\0', 1) + request(0, 13, '/local\0') + request(1, 7, 'T\0', 1),
  request(0, 14, '/local/domain/1/data\0n1\0b2\0') + request(2, 11, '/local/domain/1/data/x\0y'),
  request(1, 14, 'data\0r1\0w2\0') +
    request(1, 3, 'data\0') +
    request(0, 19, '1\x002\0') +
    request(0, 9, '1\0'),
  request(0, 4, '@releaseDomain\0t\0') +
    request(0, 8, '7\x001\x002\0') +
    request(0, 9, '7\0') +
    request(0, 17, '1\0'),
  request(0, 0, 'quota\0') +
    request(0, 0, 'quota\x001\0') +
    request(0, 0, 'quota\0set\0nodes\x0099\0') +
    request(0, 0, 'help\0'),
  request(0, 22, '/local\x000\0') +
    request(2, 12, 'data/\xfe\x7f\0') +
    request(1, 10, '1\0') +
    request(0, 18, '1\0'),
  request(5, 21, '') +
    request(0, 14, '@releaseDomain\0n1\0') +
    request(0x10, 2, 'data\0') +
    request(1, 13, 'data/a\0'),
];

export const dictionary = [
  ...[
    '\0',
    '/',
    'data',
    'data/a\0',
    'data/a/b/c/d\0',
    '/local/domain/1',
    '/local/domain/2/data\0',
    '/tool\0',
    '/local\0',
  ],
  ...[
    '@introduceDomain\0',
    '@releaseDomain\0',
    'token\0',
    'n0\0',
    'n1\0',
    'r2\0',
    'b1\0',
    'T\0',
    'F\0',
    'quota\0',
    'set\0',
  ],
  ...[
    'nodes\0',
    'memory\0',
    '1\0',
    '2\0',
    '7\0',
    '-1\0',
    `${String.fromCharCode(REPEAT)}\xff`,
    `${String.fromCharCode(REPEAT)}\x04`,
  ],
  ...seeds,
];

// ---- Who asks

class Client implements Backlog {
  readonly connection: XenstoreConnection;
  /** What it has been sent, and has not read if it is one that lags behind. */
  readonly unread: Packet[] = [];
  answers = 0;
  transaction = 0;
  latest: Packet | undefined;

  constructor(
    server: XenstoreServer,
    readonly domid: number,
    private readonly isSlow: boolean,
  ) {
    const send = (packet: Packet): void => this.take(packet);
    this.connection = server.connect({ domid, privileged: domid === 0, send, backlog: this });
  }

  get bytes(): number {
    return this.unread.reduce((sum, { payload }) => sum + 16 + payload.length, 0);
  }

  holdsEvent(payload: Buffer): boolean {
    return this.unread.some((packet) => packet.type === XS_WATCH_EVENT && packet.payload.equals(payload));
  }

  private take(packet: Packet): void {
    assert(packet.payload.length <= PAYLOAD_MAX);
    if (this.isSlow && this.unread.length < 100) this.unread.push(packet);
    if (packet.type === XS_WATCH_EVENT) {
      assert.deepEqual([packet.reqId, packet.txId], [0, 0]);
      assert.equal(onlyString(packet.payload), undefined);
      return;
    }
    this.answers++;
    this.latest = packet;
  }
}

export function run(input: Buffer): void {
  const server = newServer();
  const clients = [0, ...GUESTS, 0].map((domid, i) => new Client(server, domid, i > 1));
  for (const domid of GUESTS) makeHome(server, domid, CREDENTIALS);
  let at = 0;
  for (let reqId = 1; at + 4 <= input.length; reqId++) {
    const [who, type, transaction, length] = input.subarray(at, at + 4) as unknown as number[];
    const payload = unfold(input.subarray(at + 4, at + 4 + length!));
    at += 4 + length!;
    const client = clients[who! % clients.length]!;
    if (who! & 0x10) client.unread.length = 0;
    const txId = transaction === 0 ? 0 : transaction! % 4 === 1 ? client.transaction : transaction!;
    ask(clients, client, { type: type! < 0xf0 ? type! % TYPES : type!, reqId, txId, payload });
  }
  checkAccounts(server, clients);
  checkRecords(server);
  leave(server, clients);
}

function newServer(): XenstoreServer {
  return new XenstoreServer({ quota: QUOTA, domainExists: (domid) => domid === 7 });
}

function unfold(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  let start = 0;
  for (
    let at = bytes.indexOf(REPEAT);
    at !== -1 && at + 1 < bytes.length;
    at = bytes.indexOf(REPEAT, start)
  ) {
    parts.push(bytes.subarray(start, at), Buffer.alloc(16 * bytes[at + 1]!, 'x'));
    start = at + 2;
  }
  return Buffer.concat([...parts, bytes.subarray(start)]).subarray(0, PAYLOAD_MAX);
}

function ask(clients: readonly Client[], client: Client, packet: Packet): void {
  const isClosed = client.connection.closed;
  for (const each of clients) each.answers = 0;
  client.connection.handle(packet);
  for (const each of clients) assert.equal(each.answers, each === client && !isClosed ? 1 : 0);
  if (isClosed) return;
  const answer = client.latest!;
  assert.deepEqual([answer.reqId, answer.txId], [packet.reqId, packet.txId]);
  if (answer.type === XS_ERROR) {
    const code = onlyString(answer.payload);
    assert(code !== undefined && code in ERROR_MEANINGS, `answered with ${code}`);
    return;
  }
  assert.equal(answer.type, packet.type);
  if (packet.type === XS_TRANSACTION_START) client.transaction = transactionId(answer.payload)!;
}

// ---- What has to hold whatever was asked

type NodeRecord = [kind: 'node', path: string, value: string, permissions: readonly string[]];

function nodesOf(server: XenstoreServer): NodeRecord[] {
  return [...server.records()].filter((record): record is NodeRecord => record[0] === 'node');
}

/** As xenstored counts: 24 bytes, 8 for each permission, value, names of children; and the path. */
function checkAccounts(server: XenstoreServer, clients: readonly Client[]): void {
  for (const client of clients) if (client.domid !== 0) client.connection.reset();
  const names = new Map<string, number>();
  const nodes = nodesOf(server);
  for (const [, path] of nodes) {
    const parent = parentPath(path);
    if (parent === undefined) continue;
    names.set(parent, (names.get(parent) ?? 0) + baseName(path).length + 1);
  }
  for (const domid of GUESTS) {
    const usage = server.usage(domid);
    if (usage === undefined) continue;
    const own = nodes.filter(([, , , [owner]]) => new RegExp(`^[nrwb]${domid}$`).test(owner!));
    const size = ([, path, value, permissions]: NodeRecord) =>
      path.length + 24 + 8 * permissions.length + value.length + (names.get(path) ?? 0);
    const memory = own.reduce((sum, node) => sum + size(node), 0);
    assert.deepEqual(
      { ...usage, outstanding: 0 },
      {
        ...{ nodes: own.length, memory },
        ...{ watches: 0, transactions: 0, outstanding: 0 },
      },
    );
  }
}

function checkRecords(server: XenstoreServer): void {
  const records = [...server.records()];
  const restored = newServer();
  for (const record of records) restored.restore(record);
  assert.deepEqual(inOrder(restored.records()), inOrder(records));
}

/** Children may come in another order than that in which they were made. */
function inOrder(records: Iterable<StoreRecord>): string[] {
  return [...records].map((record) => JSON.stringify(record)).sort();
}

function leave(server: XenstoreServer, clients: readonly Client[]): void {
  for (const client of clients) client.connection.close();
  for (const domid of GUESTS) if (server.isIntroduced(domid)) server.release(domid);
  for (const [, path, , [owner]] of nodesOf(server)) {
    assert(!GUESTS.some((domid) => owner === `n${domid}`), `${path} is left`);
  }
  assert.doesNotThrow(() => server.write('/after', joinStrings(['x'])));
}
