/** How packets get into a tube: in all ways that there are, in turn, with pauses. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ok, type Self, type Tube, tube } from '../../lib/index.js';
import type { Mode, Sent } from './books.js';
import { type Packets, roomForOne } from './packets.js';
import type { Random } from './random.js';

/** What one tube is to carry. */
export class Cargo {
  #made = 0;
  /** For the way that is done with a packet before it makes the next. */
  readonly #room = roomForOne();

  constructor(
    readonly packets: Packets,
    readonly count: number,
    readonly mode: Mode,
    readonly isStopping: () => boolean,
  ) {}

  /** How many packets are still to be sent. */
  get left(): number {
    // At least one: a tube through which nothing has come need not have been one for who has opened it.
    return this.#made > 0 && this.isStopping() ? 0 : this.count - this.#made;
  }

  get made(): number {
    return this.#made;
  }

  /** The next packet, until the next one is made. */
  next(): Buffer {
    return this.packets.make(this.#made++, this.#room);
  }

  /** The next so many packets, each with memory of its own. */
  several(count: number): Buffer[] {
    return Array.from({ length: count }, () => this.packets.make(this.#made++, Buffer.allocUnsafe));
  }
}

type Way = (self: Self, t: Tube, cargo: Cargo, count: number) => Promise<unknown>;

/** Each with the most packets at a time, that those which are slow do not take all of the time. */
const WAYS: Readonly<Record<Mode, readonly (readonly [Way, most: number])[]>> = {
  lossless: [
    [command, 5000],
    [command, 5000],
    [many, 2000],
    [behind, 200],
    [persist, 100],
    [bang, 500],
    [paced, 2000],
  ],
  drop: [
    [command, 5000],
    [many, 2000],
    [bang, 500],
    [paced, 5000],
    [paced, 5000],
    [paced, 5000],
  ],
};

/** The shift of an owner. Answers whether there is more to send. */
export async function sendShift(self: Self, t: Tube, cargo: Cargo, random: Random): Promise<boolean> {
  for (let groups = random.between(1, 40); groups > 0 && cargo.left > 0; groups--) {
    const [way, most] = random.pick(WAYS[cargo.mode]);
    await way(self, t, cargo, Math.min(cargo.left, random.between(1, most)));
    await self.yield();
    if (random.oneIn(150)) await sleep(random.between(1, 50));
  }
  return cargo.left > 0;
}

/** What has become of it, once all is sent. */
export function sentOf(self: Self, t: Tube, cargo: Cargo): Sent {
  const packets = self.port_info(t, 'packets');
  if (packets === 'undefined') throw new Error('a tube has closed before its sender did');
  return { made: cargo.made, written: packets[1][0], dropped: dropsOf(self, t) };
}

async function command(self: Self, t: Tube, cargo: Cargo, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const sent = self.port_command(t, cargo.next());
    if (sent !== true) await sent;
  }
}

async function many(self: Self, t: Tube, cargo: Cargo, count: number): Promise<void> {
  await tube.send_many(self, t, cargo.several(count));
}

async function bang(self: Self, t: Tube, cargo: Cargo, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await self.send(t, [self.pid, ['command', cargo.next()]]);
}

/** Does not wait for any but the last. */
async function behind(self: Self, t: Tube, cargo: Cargo, count: number): Promise<void> {
  for (const packet of cargo.several(count)) void self.port_command(t, packet);
  await self.sent(t);
}

/** Never waits: tries again. */
async function persist(self: Self, t: Tube, cargo: Cargo, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const packet = cargo.next();
    while (self.port_command(t, packet, ['nosuspend']) !== true) await self.yield();
  }
}

/** As many as there is room for, of which none may be dropped. */
async function paced(self: Self, t: Tube, cargo: Cargo, count: number): Promise<void> {
  for (let left = count; left > 0; ) {
    const room = Math.min(left, ok(await tube.can_send(self, t)));
    const drops = dropsOf(self, t);
    await command(self, t, cargo, room);
    if (dropsOf(self, t) !== drops) throw new Error('packets were dropped that can_send had found room for');
    left -= room;
  }
}

function dropsOf(self: Self, t: Tube): number {
  const drops = self.port_info(t, 'drops');
  return drops === 'undefined' ? Number.NaN : drops[1];
}
