import fs from 'node:fs';
import path from 'node:path';
import { closeFd, connectUnix, receiveWithFds, sendWithFds } from '#native';
import type { XenstoreClient } from '#xen/xenstore/client';
import {
  encodePacket,
  type Packet,
  PacketDecoder,
  splitStrings,
  XS_READ,
  XS_WATCH,
  XS_WATCH_EVENT,
} from '#xen/xenstore/wire';
import { Box } from '../support/box';
import { eventually } from '../support/residue';

let box: Box;
let lingd: Awaited<ReturnType<Box['lingd']>>;
let tool: XenstoreClient;
const open = new Set<number>();

beforeEach(async () => {
  box = new Box();
  lingd = await box.lingd();
  tool = box.client('socket');
});
afterEach(async () => {
  for (const fd of open) closeFd(fd);
  open.clear();
  await box.close();
});

/** A client in its own hands: it reads when told to, and as much as told to. */
class RawClient {
  readonly #fd: number;
  readonly #decoder = new PacketDecoder();
  readonly #chunk = Buffer.alloc(65_536);

  constructor(socket: 'socket' | 'domain') {
    this.#fd = connectUnix(path.join(box.rundir, socket));
    open.add(this.#fd);
  }

  /** Sends what goes into the socket; the number of bytes that did. */
  send(bytes: Buffer): number {
    return sendWithFds(this.#fd, bytes, []);
  }

  ask(type: number, text: string): void {
    const bytes = encodePacket({ type, reqId: 1, txId: 0, payload: Buffer.from(text) });
    expect(this.send(bytes)).toBe(bytes.length);
  }

  /** What there is now. */
  take(): { packets: Packet[]; closed: boolean } {
    const packets: Packet[] = [];
    for (;;) {
      const { bytes, closed } = receiveWithFds(this.#fd, this.#chunk);
      if (closed || bytes === 0) return { packets, closed };
      packets.push(...this.#decoder.push(this.#chunk.subarray(0, bytes)));
    }
  }

  async takeUntil(isEnough: (packets: Packet[]) => boolean): Promise<Packet[]> {
    const all: Packet[] = [];
    await eventually(() => {
      all.push(...this.take().packets);
      return isEnough(all);
    }, true);
    return all;
  }
}

const eventsOf = (packets: Packet[]) =>
  packets.filter(({ type }) => type === XS_WATCH_EVENT).map(({ payload }) => splitStrings(payload)[0]);

/** Of lingd, in bytes. */
function residentSize(): number {
  const [, pages] = fs.readFileSync(`/proc/${lingd.pid}/statm`, 'utf8').split(' ');
  return Number(pages) * 4096;
}

const MIB = 1024 * 1024;

describe.each(['socket', 'domain'] as const)('a client of %s that does not read', (socket) => {
  test('what it asks: is not served beyond a bound, nor do others wait; it goes on where it was', async () => {
    await tool.write('/big', 'x'.repeat(4000));
    await tool.setPerms('/big', ['r0']);
    const slow = new RawClient(socket);
    const request = encodePacket({ type: XS_READ, reqId: 1, txId: 0, payload: Buffer.from('/big\0') });
    const requests = Buffer.concat(Array.from({ length: 2000 }, () => request));
    const before = residentSize();
    let sent = 0;
    let idle = 0;
    // 20 KiB of requests are answered with 4 MiB. Until for a while nothing more goes in.
    while (idle < 10) {
      const count = slow.send(requests.subarray(sent % request.length));
      sent += count;
      idle = count === 0 ? idle + 1 : 0;
      expect(await tool.readString('/big')).toHaveLength(4000);
      expect(sent).toBeLessThan(20 * MIB);
    }
    expect(residentSize() - before).toBeLessThan(32 * MIB);
    const complete = Math.floor(sent / request.length);
    const answers = await slow.takeUntil((packets) => packets.length >= complete);
    expect(answers).toHaveLength(complete);
    expect(answers.every(({ payload }) => payload.length === 4000)).toBe(true);
  });

  test('what it is told: the same once, and everything after it has read', async () => {
    await tool.mkdir('/w');
    await tool.setPerms('/w', ['r0']);
    const slow = new RawClient(socket);
    slow.ask(XS_WATCH, '/w\0token\0');
    await slow.takeUntil((packets) => packets.length === 2);
    const before = residentSize();
    const names = Array.from({ length: 50 }, (_, i) => `/w/${'n'.repeat(200)}${i}`);
    for (let round = 0; round < 200; round++) await Promise.all(names.map((name) => tool.write(name, 'x')));
    expect(residentSize() - before).toBeLessThan(24 * MIB);
    await tool.write('/w/last', '');
    const events = eventsOf(await slow.takeUntil((packets) => eventsOf(packets).includes('/w/last')));
    expect(new Set(events)).toEqual(new Set([...names, '/w/last']));
    // What went into the socket before it was full, and of the rest each once.
    expect(events.length).toBeLessThan(5000);
    await tool.write('/w/again', '');
    expect(eventsOf(await slow.takeUntil((packets) => packets.length > 0))).toEqual(['/w/again']);
  });
});

test('a domain loses events that its memory has no room for, and nothing else', async () => {
  await box.close();
  box = new Box();
  lingd = await box.lingd('--quota', 'memory=300000');
  tool = box.client('socket');
  await tool.mkdir('/w');
  await tool.setPerms('/w', ['r0']);
  const slow = new RawClient('domain');
  slow.ask(XS_WATCH, '/w\0token\0');
  await slow.takeUntil((packets) => packets.length === 2);
  const names = Array.from({ length: 4000 }, (_, i) => `/w/${'n'.repeat(900)}${i}`);
  for (let i = 0; i < names.length; i += 100)
    await Promise.all(
      names.slice(i, i + 100).map((name) =>
        tool
          .rm(name)
          .then(() => tool.mkdir(name))
          .then(() => tool.rm(name)),
      ),
    );
  const events = eventsOf(await slow.takeUntil((packets) => packets.length > 300));
  expect(events.length).toBeLessThan(names.length);
  slow.take();
  await tool.write('/w/last', '');
  expect(eventsOf(await slow.takeUntil((packets) => eventsOf(packets).includes('/w/last')))).toContain(
    '/w/last',
  );
});

test('a tool that leaves more than 16 MiB unread is cut off', async () => {
  const slow = new RawClient('socket');
  slow.ask(XS_WATCH, '/w\0token\0');
  await slow.takeUntil((packets) => packets.length === 2);
  const before = residentSize();
  const name = `/w/${'n'.repeat(2000)}`;
  for (let i = 0; i < 12_000; i += 100)
    await Promise.all(
      Array.from({ length: 100 }, (_, k) =>
        tool.mkdir(`${name}${i + k}`).then(() => tool.rm(`${name}${i + k}`)),
      ),
    );
  expect(residentSize() - before).toBeLessThan(160 * MIB);
  let closed = false;
  await eventually(() => {
    closed ||= slow.take().closed;
    return closed;
  }, true);
});

test('a client of ours may ask for more than fits on its way, both ways', async () => {
  const client = box.client('domain');
  await tool.write('/big', 'x'.repeat(1000));
  await tool.setPerms('/big', ['r0']);
  const padding = 'y'.repeat(1000);
  const writes = Array.from({ length: 3000 }, () => client.write('data/a', padding));
  const reads = Array.from({ length: 20_000 }, () => client.read('/big'));
  expect((await Promise.all([...reads, ...writes])).length).toBe(23_000);
});
