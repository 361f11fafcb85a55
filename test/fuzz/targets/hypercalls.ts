/**
 * What domains say to lingd, through real sockets and with real descriptors: one answer to each message, with as many
 * descriptors as it names, and when they have gone nothing is counted, granted or open any more.
 */
import assert from 'node:assert/strict';
import { openSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { acceptUnix, closeFd, connectUnix, listenUnix, receiveWithFds, sendWithFds } from '#native';
import { Watcher } from '#native/watcher';
import * as hypercall from '#xen/hypercall';
import { DomainConnection } from '#xen/lingd/domain-connection';
import { makeHome } from '#xen/lingd/domain-home';
import { EventChannels } from '#xen/lingd/event-channels';
import { GrantTable } from '#xen/lingd/grant-table';
import { User } from '#xen/lingd/users';
import { UnixChannel } from '#xen/unix-channel';
import { XenstoreServer } from '#xen/xenstore/server';
import {
  encodePacket,
  onlyString,
  type Packet,
  PacketDecoder,
  XenstoreProtocolError,
  XS_ERROR,
  XS_WATCH_EVENT,
} from '#xen/xenstore/wire';

export const watches = [
  'xen/hypercall',
  'xen/lingd/domain-connection',
  'xen/lingd/domain-home',
  'xen/lingd/event-channels',
  'xen/lingd/grant-table',
  'xen/lingd/descriptors',
  'xen/unix-channel',
];

// ---- The form of an input: messages, each who sends it and how, type, length, bytes

const SECOND = 1;
/** So many descriptors, times two. */
const FDS = 0x0e;
/** The bytes are as they are; otherwise each is a number of 32 bits. */
const RAW = 0x10;
/** The bytes are no message, but whatever they are. */
const NO_MESSAGE = 0x20;
/** It is not seen before the next one. */
const TOGETHER = 0x40;
/** Not more than the socket has room for. */
const MOST_TOGETHER = 32;
/** In the place of a number: the largest there is. */
const HUGE = 0xff;

const message = (how: number, type: number, ...numbers: number[]): number[] => [
  how,
  type,
  numbers.length,
  ...numbers,
];
const [HELLO, GRANT, MAP, END_ACCESS, ALLOC, BIND, CLOSE, RESUME] = [0, 1, 2, 3, 4, 5, 6, 7];

export const seeds = [
  [
    ...message(RAW, HELLO, 0x61, 0x62),
    ...message(2, GRANT, 2, 3),
    ...message(SECOND, MAP, 1, 8, 9, 10),
    ...message(0, END_ACCESS, 8, 9),
  ],
  [
    ...message(0, ALLOC, 2),
    ...message(SECOND, BIND, 1, 1),
    ...message(0, CLOSE, 1),
    ...message(SECOND, CLOSE, 1),
  ],
  [
    ...message(0, ALLOC, 2),
    ...message(0, ALLOC, 2),
    ...message(0, RESUME, 1),
    ...message(RAW, 0x80 + 2, 0x2f, 0),
  ],
  [
    ...message(2, GRANT, 2, HUGE),
    ...message(TOGETHER + 2, GRANT, 2, 1),
    ...message(4, GRANT, 2, 1),
    ...message(NO_MESSAGE, 0, 1, 2, 3),
  ],
  Array.from({ length: 6 }, () => message(2, GRANT, 2, 1)).flat(),
  Array.from({ length: 20 }, () => message(TOGETHER + 6, ALLOC, 2)).flat(),
].map((bytes) => Buffer.from(bytes));

export const dictionary = [
  ...seeds,
  Buffer.from([HUGE]),
  Buffer.from(message(2, GRANT, 2, 1)),
  Buffer.from(message(SECOND, MAP, 1, 8)),
  Buffer.from(message(0, ALLOC, 2)),
  Buffer.from(message(SECOND, BIND, 1, 1)),
  encodePacket({ type: 0x102, reqId: 1, txId: 1, payload: Buffer.from([1, 0, 0, 0, 8, 0, 0, 0]) }),
];

const socket = path.join(tmpdir(), 'domain');
const listener = listenUnix(socket);
const watcher = Watcher.onLoop();
const chunk = Buffer.alloc(64 * 1024);

/** Both ends of a domain's connection. */
class Guest {
  readonly #fd: number;
  readonly #channel: UnixChannel;
  readonly #domain: DomainConnection;
  /** Of what it has sent, and of what it is sent. */
  readonly #sent = new PacketDecoder();
  readonly #heard = new PacketDecoder();
  #unanswered: Packet[] = [];
  /** Descriptors that came, and those that the answers speak of. */
  #came = 0;
  #named = 0;
  /** It has sent what no packet begins with. */
  #isBroken = false;
  #hasEnded = false;
  #fault: Error | undefined;

  constructor(
    domid: number,
    user: User,
    xenstore: XenstoreServer,
    grants: GrantTable,
    channels: EventChannels,
  ) {
    this.#fd = connectUnix(socket);
    const limits = { bytes: 1024 * 1024, answers: () => 20, most: Number.POSITIVE_INFINITY };
    this.#channel = new UnixChannel(watcher, acceptUnix(listener), limits);
    this.#domain = new DomainConnection(domid, {
      ...{ user, channel: this.#channel, xenstore, grants, channels },
      onReleased: () => {},
      onHello: () => ({ secret: Buffer.alloc(hypercall.SECRET_BYTES), lease: openDevice() }),
      onChange: () => {},
      onError: () => {},
    });
    makeHome(xenstore, domid, { uid: 1000, gid: 1000, pid: 1 });
    this.#channel.onPacket = (packet, fds) => this.#domain.handle(packet, fds);
    this.#channel.onClose = (error) => {
      this.#hasEnded = true;
      this.#fault = error;
    };
    this.#channel.start();
  }

  send(bytes: Buffer, count: number): void {
    if (this.#isBroken || this.#hasEnded || bytes.length === 0) return;
    const fds = Array.from({ length: count }, openDevice);
    try {
      assert.equal(sendWithFds(this.#fd, bytes, fds), bytes.length);
    } finally {
      fds.forEach(closeFd);
    }
    try {
      this.#unanswered.push(...this.#sent.push(bytes));
    } catch (error) {
      if (!(error instanceof XenstoreProtocolError)) throw error;
      this.#unanswered.push(...error.packets);
      this.#isBroken = true;
    }
  }

  /** Lets lingd take what has been sent, and takes what it answers. */
  async exchange(): Promise<void> {
    this.#channel.start();
    // What it says in one turn goes out at its end.
    await Promise.resolve();
    for (;;) {
      const { bytes, fds } = receiveWithFds(this.#fd, chunk);
      fds.forEach(closeFd);
      this.#came += fds.length;
      if (bytes === 0) return;
      for (const packet of this.#heard.push(chunk.subarray(0, bytes))) this.#hear(packet);
    }
  }

  #hear(answer: Packet): void {
    if (answer.type === XS_WATCH_EVENT) return;
    const request = this.#unanswered.shift()!;
    assert.deepEqual([answer.reqId, answer.txId], [request.reqId, request.txId]);
    if (answer.type === XS_ERROR) return assert.match(onlyString(answer.payload)!, /^E[A-Z0-9]+$/);
    assert.equal(answer.type, request.type);
    this.#named += descriptorsOf(answer);
  }

  /** Messages that have not been answered yet. */
  get waiting(): number {
    return this.#hasEnded ? 0 : this.#unanswered.length;
  }

  /** lingd has not come to the end of what it has sent. */
  get isBusy(): boolean {
    return !this.#hasEnded && (this.#isBroken || this.#unanswered.length > 0);
  }

  /** All has been answered, unless it was cut off, and then rightly. */
  check(): void {
    const { message = '' } = this.#fault ?? {};
    const isTooMuch = message === 'more descriptors than packets that could use them';
    if (this.#fault && !(this.#fault instanceof XenstoreProtocolError) && !isTooMuch) throw this.#fault;
    assert.equal(this.#hasEnded, this.#isBroken || isTooMuch);
    assert.equal(this.waiting, 0);
    assert.equal(this.#came, this.#named);
  }

  leave(): void {
    closeFd(this.#fd);
    this.#channel.close();
    this.#domain.end();
  }
}

/** How many descriptors come with an answer, by what it says. */
function descriptorsOf({ type, payload }: Packet): number {
  const numbers = hypercall.decodeNumbers(payload) ?? [];
  switch (type) {
    case hypercall.HYPERCALL_HELLO:
      assert.equal(payload.length, 4 + hypercall.SECRET_BYTES);
      return 1;
    case hypercall.HYPERCALL_MAP:
      assert(numbers.length > 0 && numbers.length % 2 === 0);
      return 1 + Math.max(...numbers.filter((_, i) => i % 2 === 0));
    case hypercall.HYPERCALL_ALLOC_CHANNEL:
    case hypercall.HYPERCALL_BIND_CHANNEL:
      assert.equal(numbers.length, 1);
      return 1;
    case hypercall.HYPERCALL_GRANT:
      assert.equal(numbers.length, 1);
      return 0;
    default:
      return 0;
  }
}

export async function run(input: Buffer): Promise<void> {
  const before = openDescriptors();
  // Little, so that a few messages use it up.
  const endless = Number.POSITIVE_INFINITY;
  const user = new User(1000, {
    domains: 2,
    grants: 40,
    channels: 8,
    descriptors: 12,
    messages: endless,
    burst: endless,
  });
  const xenstore = new XenstoreServer();
  const grants = new GrantTable(0);
  const channels = new EventChannels(0);
  const guests = [1, 2].map((domid) => new Guest(domid, user, xenstore, grants, channels));
  try {
    for (let at = 0, reqId = 1; at + 3 <= input.length; reqId++) {
      const [how, type, length] = input.subarray(at, at + 3) as unknown as [number, number, number];
      const bytes = input.subarray(at + 3, at + 3 + length);
      at += 3 + length;
      const guest = guests[how & SECOND]!;
      const payload = how & RAW ? bytes : inNumbers(bytes);
      const packet = { type: type < 0x80 ? 0x100 + type : type - 0x80, reqId, txId: 0, payload };
      guest.send(how & NO_MESSAGE ? Buffer.from(bytes) : encodePacket(packet), (how & FDS) >> 1);
      if (!(how & TOGETHER) || guest.waiting >= MOST_TOGETHER) await guest.exchange();
    }
    for (const guest of guests) {
      await guest.exchange();
      // After some reads it gives others a turn.
      for (let turns = 0; guest.isBusy && turns < MOST_TOGETHER; turns++) {
        await turn();
        await guest.exchange();
      }
      guest.check();
    }
  } finally {
    for (const guest of guests) guest.leave();
  }
  for (const what of ['grants', 'channels', 'descriptors'] as const) assert.equal(user.used(what), 0);
  for (const domid of [1, 2]) assert.deepEqual([grants.count(domid), channels.count(domid)], [0, 0]);
  assert.equal(openDescriptors(), before);
}

function inNumbers(bytes: Buffer): Buffer {
  const largest = 0xffff_ffff;
  return hypercall.encodeNumbers(...Array.from(bytes, (byte) => (byte === HUGE ? largest : byte)));
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** A descriptor of something that nobody wants. */
function openDevice(): number {
  return openSync('/dev/null', 'r');
}
