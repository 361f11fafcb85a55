import { XenstoreServer } from '#xen/xenstore/server';
import { encodePacket, type Packet, PacketDecoder } from '#xen/xenstore/wire';
import {
  isNote,
  payloadOf,
  type RecordedCase,
  type RecordedPacket,
  recordedCases,
  typeName,
  typeOf,
} from './recorded-case';

/**
 * What Xen's own C xenstored 4.17 was asked and what it answered, asked again of this server: the same bytes in, and
 * out of it the same packets in the same order on each connection.
 */
const CASES = recordedCases('xenstored-4.17-c.jsonl');

/** Cases about what this server does not have; `ring_pipeline`, on the other hand, holds for any connection. */
const NOT_APPLICABLE: Readonly<Record<string, string>> = {
  ring_features: 'reads the feature words of the shared ring page; there is no ring in a server of packets',
  ring_badidx: 'damages the indexes of the shared ring page; there is no ring in a server of packets',
  ring_reconnect: 'sets the connection word of the shared ring page; there is no ring in a server of packets',
};

/** What happened where the recording has a note instead of a packet. Without a line here, it is only a remark. */
const NOTED: Readonly<Record<string, (replay: Replay) => void>> = {
  'domain 5 destroyed (VIRQ_DOM_EXC)': ({ server }) => server.release(5),
  'INTRODUCE of domain 6': ({ server }) => server.introduce(6),
  'INTRODUCE 5': ({ server }) => server.introduce(5),
  'domain 5 shuts down (VIRQ)': ({ server }) => server.shutDown(5),
  'VIRQ again, no change': ({ server }) => server.shutDown(5),
  'VIRQ after RESUME': ({ server }) => server.shutDown(5),
  'INTRODUCE 6, then destroyed': ({ server }) => {
    server.introduce(6);
    server.release(6);
  },
  'sent one byte at a time: READ "/tool\\0" rid 500': (replay) => {
    const bytes = encodePacket({ type: 2, reqId: 500, txId: 0, payload: Buffer.from('/tool\0') });
    for (const byte of bytes) replay.client('s1').sendBytes(Buffer.of(byte));
  },
  'three WRITE in one send, rid 600..602': (replay) => {
    const writes = [600, 601, 602].map((reqId) =>
      encodePacket({ type: 11, reqId, txId: 0, payload: Buffer.from(`/t/wire_fragment/${reqId}\0v`) }),
    );
    replay.client('s1').sendBytes(Buffer.concat(writes));
  },
  '30 READ posted without reading answers in between, answers got: 30': (replay) => {
    for (let index = 4; index < 30; index += 1) {
      const payload = Buffer.from(`x${index}\0`);
      replay.client('dom5').send({ type: 2, reqId: index + 1, txId: 0, payload });
    }
    expect(replay.client('dom5').received.splice(0)).toHaveLength(30);
  },
};

/** Remarks that nothing has to be done for. */
const REMARKS = [
  /^node \/t\/perm_matrix\/. has n0,.5; its child kid has n0$/,
  /^watch number 130 refused$/,
  /^transaction number 12 refused$/,
  /^node 1024: other answer$/,
  /^node number 532 under q refused$/,
  /^leaf number 979 refused/,
];

/** Of long series only some were written down: the payload of the n-th request of such a series. */
const SERIES: Readonly<Record<string, (reqId: number) => Buffer>> = {
  watch_quota: (reqId) => Buffer.from(`w${reqId - 1}\0t\0`),
  tx_nodes_quota: (reqId) => Buffer.from(`q${reqId - 2}\0`),
  quota_nodes: (reqId) => Buffer.from(`q/${reqId - 1}\0`),
  quota_nodes_spread: (reqId) => Buffer.from(`q/d${Math.floor((reqId - 1) / 50)}/${reqId - 1}\0v`),
};

/** Domains that a case takes for granted beyond those it speaks through; [] when it makes them itself. */
const DOMAINS: Readonly<Record<string, readonly number[]>> = {
  perm_target: [5, 6],
  perm_special_watch: [5],
  perm_stale_domid: [],
  quota_nodes_elsewhere: [5],
  quota_report: [5],
  dom_introduce: [],
  watch_special: [],
};

/** Connections that were closed without a packet, before the given step. */
const CLOSED: Readonly<Record<string, readonly [connection: string, beforeStep: number]>> = {
  watch_two: ['s2', 10],
  tx_close: ['s1', 4],
};

describe('xenstored 4.17 (C), replayed', () => {
  test('every recorded case is replayed or known not to apply', () => {
    expect(CASES).toHaveLength(93);
    expect(new Set(CASES.map(({ id }) => id)).size).toBe(93);
    const ids = CASES.map(({ id }) => id);
    expect(ids).toEqual(
      expect.arrayContaining(Object.keys({ ...NOT_APPLICABLE, ...SERIES, ...DOMAINS, ...CLOSED })),
    );
    expect(CASES.filter(({ id }) => !(id in NOT_APPLICABLE))).toHaveLength(90);
  });

  for (const recorded of CASES) {
    if (recorded.id in NOT_APPLICABLE) continue;
    test(`${recorded.id}: ${recorded.desc}`, () => new Replay(recorded).run());
  }
});

class Client {
  readonly received: Packet[] = [];
  closed = false;
  lastReqId = 0;
  readonly #decoder = new PacketDecoder();
  readonly #connection;

  constructor(server: XenstoreServer, domid: number) {
    this.#connection = server.connect({
      domid,
      privileged: domid === 0,
      send: (packet) => this.received.push(packet),
      onReleased: () => this.close(),
    });
  }

  send(packet: Packet): void {
    this.sendBytes(encodePacket(packet));
  }

  sendBytes(bytes: Buffer): void {
    if (this.closed) return;
    try {
      for (const packet of this.#decoder.push(bytes)) this.#connection.handle(packet);
    } catch (error) {
      expect(error).toMatchObject({ code: 'EPROTO' });
      this.close();
    }
  }

  close(): void {
    this.closed = true;
    this.#connection.close();
  }
}

class Replay {
  readonly server: XenstoreServer;
  readonly #recorded: RecordedCase;
  readonly #clients = new Map<string, Client>();
  /** Generations recorded and the ones seen in their place, which must correspond one to one. */
  readonly #generations = new Map<string, string>();

  constructor(recorded: RecordedCase) {
    this.#recorded = recorded;
    this.server = new XenstoreServer({ domainExists: (domid) => domid === 5 || domid === 6 });
    const spoken = recorded.steps.flatMap((step) => (isNote(step) ? [] : domidOf(step.c)));
    const domids = DOMAINS[recorded.id] ?? [...new Set(spoken)].filter((domid) => domid !== 0);
    for (const domid of domids) this.#introduce(domid);
  }

  run(): void {
    const { id, steps } = this.#recorded;
    for (const [index, step] of steps.entries()) {
      const [closing, beforeStep] = CLOSED[id] ?? [];
      if (index === beforeStep) this.client(closing!).close();
      if (isNote(step)) this.#doAsNoted(step.note);
      else if (step.d === '>') this.#send(step);
      else this.#expect(step);
    }
    for (const [name, { received }] of this.#clients) expect([name, ...received]).toEqual([name]);
    expect(new Set(this.#generations.values()).size).toBe(this.#generations.size);
  }

  client(name: string): Client {
    const known = this.#clients.get(name);
    if (known !== undefined) return known;
    const domid = domidOf(name);
    if (domid !== 0 && !this.server.isIntroduced(domid)) this.#introduce(domid);
    const client = new Client(this.server, domid);
    this.#clients.set(name, client);
    return client;
  }

  /** As the toolstack does it. */
  #introduce(domid: number): void {
    this.server.introduce(domid);
    this.server.write(`/local/domain/${domid}`, '');
    this.server.setPerms(`/local/domain/${domid}`, [`n${domid}`]);
  }

  #doAsNoted(note: string): void {
    const act = NOTED[note];
    if (act !== undefined) act(this);
    else expect(REMARKS.filter((remark) => remark.test(note))).toHaveLength(1);
  }

  #send(step: RecordedPacket): void {
    const client = this.client(step.c);
    this.#sendLeftOut(client, step);
    client.lastReqId = step.rid;
    const payload = payloadOf(step);
    const header = Buffer.alloc(16);
    header.writeUInt32LE(typeOf(step), 0);
    header.writeUInt32LE(step.rid, 4);
    header.writeUInt32LE(step.tx, 8);
    header.writeUInt32LE(step.len_field ?? payload.length, 12);
    client.sendBytes(Buffer.concat([header, payload]));
  }

  #sendLeftOut(client: Client, step: RecordedPacket): void {
    const series = SERIES[this.#recorded.id];
    if (series === undefined || client.lastReqId === 0) return;
    for (let reqId = client.lastReqId + 1; reqId < step.rid; reqId += 1) {
      client.send({ type: typeOf(step), reqId, txId: step.tx, payload: series(reqId) });
      const answer = client.received.findIndex((packet) => packet.reqId === reqId);
      const read = this.#recorded.id === 'tx_nodes_quota';
      const [got] = client.received.splice(0, answer + 1).slice(-1);
      expect(show(got!)).toEqual(expect.stringContaining(read ? 'ERROR' : 'OK'));
      if (read) expect(show(got!)).toContain('ENOENT');
    }
  }

  #expect(step: RecordedPacket): void {
    const client = this.client(step.c);
    if (step.t === 'CLOSED') {
      expect(client.closed).toBe(true);
    } else if (step.t === '(nothing)' || step.t === 'NO_REPLY') {
      expect(client.received.map(show)).toEqual([]);
    } else {
      const got = client.received.shift();
      expect(got && show(got)).toEqual(this.#recordedText(step, got));
    }
  }

  #recordedText(step: RecordedPacket, got: Packet | undefined): string {
    const payload = payloadOf(step);
    const packet = { type: typeOf(step), reqId: step.rid, txId: step.tx, payload };
    if (step.t !== 'DIRECTORY_PART' || got === undefined) return show(packet);
    const [recorded, ...rest] = payload.toString('latin1').split('\0');
    const seen = got.payload.toString('latin1').split('\0')[0]!;
    const generation = this.#generations.get(recorded!) ?? seen;
    this.#generations.set(recorded!, generation);
    return show({ ...packet, payload: Buffer.from([generation, ...rest].join('\0'), 'latin1') });
  }
}

function domidOf(connection: string): number {
  return Number(/^dom(\d+)$/.exec(connection)?.[1] ?? 0);
}

function show({ type, reqId, txId, payload }: Packet): string {
  return `${typeName(type)} ${reqId} ${txId} ${JSON.stringify(payload.toString('latin1'))}`;
}
