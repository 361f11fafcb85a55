import { XenstoreClient } from '#xen/xenstore/client';
import {
  joinStrings,
  PAYLOAD_MAX,
  type Packet,
  XS_DIRECTORY,
  XS_DIRECTORY_PART,
  XS_ERROR,
  XS_WATCH,
  XS_WATCH_EVENT,
  XS_WRITE,
} from '#xen/xenstore/wire';
import { MemoryChannel } from './memory-channel';
import { isNote, payloadOf, type RecordedPacket, recordedCases, typeName, typeOf } from './recorded-case';

/**
 * Our client and the two daemons of Xen, which differ: what each was recorded to send is sent to the client, in place
 * of a daemon that can hardly run where there is no Xen.
 */
describe.each(['xenstored-4.17-c.jsonl', 'oxenstored-4.17.jsonl'])('a client of the daemon of %s', (file) => {
  for (const { id, desc, steps } of recordedCases(file)) {
    const packets = steps.filter((step): step is RecordedPacket => !isNote(step));
    for (const connection of new Set(packets.map(({ c }) => c))) {
      const own = packets.filter(({ c }) => c === connection);
      // A client neither sends wrong lengths nor answers and events.
      if (own.some(isNoRequest)) continue;
      test(`${id}, ${connection}: ${desc}`, () => replay(own));
    }
  }
});

function isNoRequest(packet: RecordedPacket): boolean {
  const type = typeOf(packet);
  if (packet.d === '<') return false;
  return (
    'len_field' in packet ||
    payloadOf(packet).length > PAYLOAD_MAX ||
    type === XS_ERROR ||
    type === XS_WATCH_EVENT
  );
}

async function replay(packets: readonly RecordedPacket[]): Promise<void> {
  const channel = new MemoryChannel();
  const client = new XenstoreClient(channel);
  const asked: { request: RecordedPacket; reqId: number; outcome: Promise<string> }[] = [];
  for (const packet of packets) {
    if (packet.d === '>') {
      const payload = payloadOf(packet);
      const outcome = client.request(typeOf(packet), payload, { txId: packet.tx }).then(
        (answer) => `${packet.t} ${answer.payload.toString('latin1')}`,
        (error: { code: string }) => `ERROR ${error.code}`,
      );
      const sent = channel.sent.at(-1)!;
      // What is empty is not answered by oxenstored.
      expect(sent.payload).toEqual(payload.length === 0 ? Buffer.alloc(1) : payload);
      asked.push({ request: packet, reqId: sent.reqId, outcome });
    } else if (typeName(typeOf(packet)) === packet.t) {
      await deliver(channel, asked, packet);
    }
  }
  client.close();
  expect(
    (await Promise.all(asked.map(({ outcome }) => outcome))).every((text) => text === 'ERROR ECONNRESET'),
  ).toBe(true);
}

/** An event answers nobody; anything else the request of its id, and then that has been answered. */
async function deliver(
  channel: MemoryChannel,
  asked: { request: RecordedPacket; reqId: number; outcome: Promise<string> }[],
  packet: RecordedPacket,
): Promise<void> {
  const type = typeOf(packet);
  const payload = payloadOf(packet);
  if (type === XS_WATCH_EVENT) {
    channel.deliver([{ type, reqId: 0, txId: 0, payload }]);
    return;
  }
  const index = asked.findIndex(({ request }) => request.rid === packet.rid);
  const [question] = index === -1 ? [] : asked.splice(index, 1);
  if (question === undefined) return;
  channel.deliver([{ type, reqId: question.reqId, txId: packet.tx, payload }]);
  const text = payload.toString('latin1');
  expect(await question.outcome).toBe(`${packet.t} ${type === XS_ERROR ? text.replace('\0', '') : text}`);
}

describe.each(['before', 'after'])('a daemon that tells of a change %s it answers', (order) => {
  test('calls back all the same, once for each', async () => {
    const told: string[] = [];
    const daemon = new MemoryChannel((request) => {
      const answer = { ...request, payload: joinStrings(['OK']) };
      const token = watchToken(daemon.sent);
      const event = { type: XS_WATCH_EVENT, reqId: 0, txId: 0, payload: joinStrings(['/a', token]) };
      const both = request.type === XS_WRITE && order === 'before' ? [event, answer] : [answer, event];
      setImmediate(() => daemon.deliver(both));
    });
    const client = new XenstoreClient(daemon);
    await client.watch('/a', (path) => told.push(path));
    await Promise.all([client.write('/a', '1'), client.write('/a', '2')]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual(['/a', '/a', '/a']);
  });
});

test('a directory that a daemon without DIRECTORY_PART cannot tell of is E2BIG', async () => {
  const errors = new Map([
    [XS_DIRECTORY, 'E2BIG'],
    [XS_DIRECTORY_PART, 'ENOSYS'],
  ]);
  const daemon = new MemoryChannel((request) => {
    const payload = joinStrings([errors.get(request.type) ?? 'EINVAL']);
    setImmediate(() => daemon.deliver([{ ...request, type: XS_ERROR, payload }]));
  });
  await expect(new XenstoreClient(daemon).directory('/d')).rejects.toMatchObject({ code: 'E2BIG' });
});

function watchToken(sent: readonly Packet[]): string {
  const [, token = ''] =
    sent
      .find(({ type }) => type === XS_WATCH)
      ?.payload.toString()
      .split('\0') ?? [];
  return token;
}
