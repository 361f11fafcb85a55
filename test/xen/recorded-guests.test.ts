import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeFd, connectUnix, receiveWithFds, sendWithFds } from '#native';
import { DEFAULT_QUOTA, QUOTA_NAMES } from '#xen/xenstore/quota';
import { encodePacket, type Packet, PacketDecoder } from '#xen/xenstore/wire';
import { Box } from '../support/box';
import {
  isNote,
  payloadOf,
  type RecordedCase,
  type RecordedPacket,
  recordedCases,
  typeName,
  typeOf,
} from './xenstore/recorded-case';

/**
 * The recorded cases of domains without privileges once more, with the sockets of a lingd between: a domain is a
 * connection to `domain`, domain 0 one to `socket`. recorded.test.ts plays all cases, without sockets.
 */
const RING = 'is about the ring page, which lingd has none of';
const IN_PART = 'is written down in part; what is left out is played by recorded.test.ts';
const BY_HYPERVISOR =
  'has a domain introduced or destroyed by the hypervisor; one of lingd comes and goes with its connection';
const NOT_OVER_SOCKETS: Readonly<Record<string, string>> = {
  ring_badidx: RING,
  ring_reconnect: RING,
  watch_quota: IN_PART,
  tx_nodes_quota: IN_PART,
  quota_nodes: IN_PART,
  quota_nodes_spread: IN_PART,
  quota_outstanding: IN_PART,
  quota_report: 'counts bytes of nodes that lingd makes itself',
  perm_domain_gone: BY_HYPERVISOR,
  perm_stale_domid: BY_HYPERVISOR,
  perm_special_watch: BY_HYPERVISOR,
};

const NOTHING = ['NO_REPLY', '(nothing)'];
const isOfDomain = (step: RecordedCase['steps'][number]) => !isNote(step) && step.c.startsWith('dom');
const isRelease = (step: RecordedCase['steps'][number]) => !isNote(step) && step.t === 'RELEASE';
const CASES = recordedCases('xenstored-4.17-c.jsonl').filter(({ steps }) => steps.some(isOfDomain));
const QUOTA = [...QUOTA_NAMES].flatMap(([name, { key }]) => ['--quota', `${name}=${DEFAULT_QUOTA[key]}`]);

class Client {
  readonly #fd: number;
  readonly #decoder = new PacketDecoder();
  readonly #chunk = Buffer.alloc(65_536);
  readonly #packets: Packet[] = [];

  constructor(box: Box, socket: 'socket' | 'domain') {
    this.#fd = connectUnix(path.join(box.rundir, socket));
  }

  send(packet: Packet): void {
    const bytes = encodePacket(packet);
    for (let sent = 0; sent < bytes.length; ) sent += sendWithFds(this.#fd, bytes.subarray(sent), []);
  }

  /** The next packet, undefined when none comes in so many milliseconds. */
  async next(patience: number): Promise<Packet | undefined> {
    for (const deadline = Date.now() + patience; this.#packets.length === 0; await sleep(1)) {
      const { bytes, closed } = receiveWithFds(this.#fd, this.#chunk);
      if (bytes > 0) this.#packets.push(...this.#decoder.push(this.#chunk.subarray(0, bytes)));
      else if (closed || Date.now() > deadline) break;
    }
    return this.#packets.shift();
  }

  close(): void {
    closeFd(this.#fd);
  }
}

test('every case of a domain is played or has its reason', () => {
  const ids = CASES.map(({ id }) => id);
  expect(ids).toEqual(expect.arrayContaining(Object.keys(NOT_OVER_SOCKETS)));
  expect(ids.filter((id) => !(id in NOT_OVER_SOCKETS))).toHaveLength(20);
});

describe('xenstored 4.17 (C), replayed over the sockets of lingd', () => {
  for (const { id, desc, steps } of CASES) {
    if (id in NOT_OVER_SOCKETS) continue;
    test(`${id}: ${desc}`, async () => {
      const box = new Box();
      const clients = new Map<string, Client>();
      try {
        await box.lingd(...QUOTA);
        for (let domid = 1; domid < 5; domid++)
          await arrive(new Client(box, 'domain')).then((each) => each.close());
        for (const domid of [5, 6]) clients.set(`dom${domid}`, await arrive(new Client(box, 'domain')));
        await makeHomes(box);
        for (const name of ['s1', 's2']) clients.set(name, new Client(box, 'socket'));
        for (const [index, step] of steps.entries()) {
          const isReleased =
            id === 'dom_release' && isOfDomain(step) && steps.slice(0, index).some(isRelease);
          if (!isNote(step)) await play(clients.get(step.c)!, step, isReleased);
        }
      } finally {
        for (const client of clients.values()) client.close();
        await box.close();
      }
    });
  }
});

/** It is a domain as soon as it is answered. */
async function arrive(client: Client): Promise<Client> {
  client.send({ type: 10, reqId: 0, txId: 0, payload: Buffer.from('0\0') });
  expect(await client.next(10_000)).toBeDefined();
  return client;
}

/** As empty as a toolstack makes them, and the directories above as closed as xenstored has them. */
async function makeHomes(box: Box): Promise<void> {
  const tool = box.client('socket');
  await tool.setPerms('/local/domain', ['n0']);
  for (const domid of [5, 6]) {
    await tool.rm(`/local/domain/${domid}`);
    await tool.write(`/local/domain/${domid}`, '');
    await tool.setPerms(`/local/domain/${domid}`, [`n${domid}`]);
  }
}

async function play(client: Client, step: RecordedPacket, isReleased: boolean): Promise<void> {
  if (step.d === '>') {
    const request = { type: typeOf(step), reqId: step.rid, txId: step.tx, payload: payloadOf(step) };
    // On a ring that nobody serves a request just lies there.
    if (isReleased) expect(() => client.send(request)).toThrow(expect.objectContaining({ code: 'EPIPE' }));
    else client.send(request);
  } else if (NOTHING.includes(step.t)) {
    expect(await client.next(20)).toBeUndefined();
  } else {
    const expected = { type: typeOf(step), reqId: step.rid, txId: step.tx, payload: payloadOf(step) };
    const got = await client.next(10_000);
    expect(got && show(got)).toBe(show(expected));
  }
}

function show({ type, reqId, txId, payload }: Packet): string {
  const text = payload.toString('latin1');
  // Generations may be any numbers.
  const shown = typeName(type) === 'DIRECTORY_PART' ? text.replace(/^\d+/, 'generation') : text;
  return `${typeName(type)} ${reqId} ${txId} ${JSON.stringify(shown)}`;
}
