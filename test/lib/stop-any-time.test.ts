/** domain.stop() at every moment of a tube's life: the other side has its end, and nothing is left. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Domain, ok, type Port, type Self, type TubeOption, tube } from 'ling-tubes';
import { HYPERCALL_HELLO } from '#xen/hypercall';
import { UnixChannel } from '#xen/unix-channel';
import type { Packet } from '#xen/xenstore/wire';
import { Box } from '../support/box';
import { Inventory } from '../support/inventory';
import { eventually } from '../support/residue';
import { End } from '../support/tube-ends';
import { ROLES, type Role, STEPS } from '../support/tube-steps';
import { Witness } from '../support/witness';

let box: Box;
let survivor: Domain;
let inventory: Inventory;
let before: object;

beforeEach(async () => {
  box = new Box();
  survivor = await box.boot({ name: 'survivor', tubeTimeout: 60_000 });
  inventory = new Inventory(box, [survivor]);
  before = await inventory.count();
});
afterEach(() => box.close());

const { send } = UnixChannel.prototype;
afterEach(() => {
  UnixChannel.prototype.send = send;
});

const VICTIM = 'victim';

/** Calls `now` for each message that the victim sends to lingd, before it goes or when it has gone. */
function onMessage(when: 'before' | 'after', now: () => void): void {
  let victim: UnixChannel | undefined;
  UnixChannel.prototype.send = function (packet: Packet, fds: readonly number[] = []) {
    if (packet.type === HYPERCALL_HELLO && packet.payload.toString() === VICTIM) victim = this;
    if (this !== victim) return send.call(this, packet, fds);
    if (when === 'before') now();
    const sent = send.call(this, packet, fds);
    if (when === 'after') now();
    return sent;
  };
}

const open =
  (domid: number, options: readonly TubeOption[] = []) =>
  (self: Self) =>
    tube.open(self, domid, 0, options);
const accept =
  (options: readonly TubeOption[] = []) =>
  (self: Self) =>
    tube.accept(self, options);

describe.each(ROLES)('of the %s', (role) => {
  test.each(['before', 'after'] as const)('%s any of its messages to lingd', async (when) => {
    // So many at least, and a few that have to do with tubes to come.
    const moments = STEPS[role].length + 4;
    for (let moment = 0; moment < moments; moment++) {
      let left = Number.POSITIVE_INFINITY;
      let victim: Domain | undefined;
      onMessage(when, () => {
        if (left-- === 0) void victim?.stop();
      });
      victim = await box.boot({ name: VICTIM, tubeTimeout: 60_000 });
      const { domid } = victim;
      left = moment;
      const living = victim.run(async (self) => {
        const t = ok(await (role === 'opener' ? open(survivor.domid) : accept())(self));
        self.port_command(t, 'sent');
        ok(await tube.close(self, t));
      });
      const lived = living.then(
        () => 'to its end',
        (error: { reason: unknown }) => error.reason,
      );
      const other = new Witness(survivor, role === 'opener' ? accept() : open(domid));
      const end = await lived;
      await victim.stop();
      expect(['to its end', 'killed']).toContain(end);
      // With nobody who opens a tube to it, one that accepts waits on.
      const isThere = role === 'acceptor' || (await isInvited(other));
      if (isThere) {
        await eventually(() => other.at > 0, true);
        expect(['normal', 'closed', 'not_found']).toContain(other.told);
        if (end === 'to its end') expect([other.told, other.got]).toEqual(['normal', ['sent']]);
      } else {
        expect(end).toBe('killed');
        await satisfy(other);
      }
      await eventually(() => inventory.count(), before);
    }
  });
});

/** Whether that has got a tube, as far as one can tell from outside: it is told of the end of one within a moment. */
async function isInvited(other: Witness): Promise<boolean> {
  for (let tries = 0; tries < 5 && other.at === 0; tries++) await sleep(2);
  return other.at > 0;
}

/** Gives one that waits a tube, whoever else has wanted to give it one. */
async function satisfy(other: Witness): Promise<void> {
  const helper = await box.boot();
  const opening = helper.run(async (self) => {
    const [tag, t] = await tube.open(self, survivor.domid, 1);
    if (tag === 'ok') await tube.close(self, t);
  });
  await eventually(() => other.at > 0, true);
  await helper.stop();
  await opening.catch(() => {});
  expect(other.told).toBe('normal');
}

const BUSY: readonly TubeOption[] = [['full', 'busy']];

/** Sends numbers until that is over; how many have been accepted. */
async function pour(self: Self, t: Port, isFlood: boolean): Promise<void> {
  for (let n = 0; ; n++) {
    await self.port_command(t, `${n}`);
    if (!isFlood || n % 100 === 0) await sleep(1);
  }
}

/** What goes on between the victim and the survivor, and what the survivor is like. */
const TRAFFIC: Readonly<Record<string, (victim: End, other: End, domain: Domain) => unknown>> = {
  'sending a little': ({ tube: t }, _, domain) => {
    domain.run((self) => pour(self, t, false)).catch(() => {});
  },
  'sending much': ({ tube: t }, _, domain) => {
    domain.run((self) => pour(self, t, true)).catch(() => {});
  },
  'receiving much': (_, { tube: t }) => {
    survivor.run((self) => pour(self, t, true)).catch(() => {});
  },
  'sending and receiving much': ({ tube: one }, { tube: other }, domain) => {
    domain.run((self) => pour(self, one, true)).catch(() => {});
    survivor.run((self) => pour(self, other, true)).catch(() => {});
  },
  'full, with somebody waiting': ({ self, tube: t }, other, domain) => {
    tube.setopts(other.self, other.tube, [['active', false]]);
    while (self.port_command(t, Buffer.alloc(1000), ['nosuspend']));
    domain.run((me) => me.port_command(t, 'x') as Promise<unknown>).catch(() => {});
  },
  'full on the other side, with somebody waiting there': (victim, { self, tube: t }) => {
    tube.setopts(victim.self, victim.tube, [['active', false]]);
    while (self.port_command(t, Buffer.alloc(1000), ['nosuspend']));
    survivor.run((me) => me.port_command(t, 'x') as Promise<unknown>).catch(() => {});
  },
  'in recv': (victim, _, domain) => {
    tube.setopts(victim.self, victim.tube, [['active', false]]);
    domain.run((me) => tube.recv(me, victim.tube, 'infinity')).catch(() => {});
  },
  'being passed around': ({ tube: t }, _, domain) => {
    domain
      .run(async (self) => {
        for (;;) {
          self.port_connect(
            t,
            self.spawn((me) => me.receive(() => false)),
          );
          await sleep(1);
        }
      })
      .catch(() => {});
  },
  closing: ({ tube: t }, _, domain) => {
    domain.run((self) => tube.close(self, t)).catch(() => {});
  },
  'closed by the other': (_, { tube: t }) => {
    survivor.run((self) => tube.close(self, t)).catch(() => {});
  },
};

/** In turns of the event loop from the beginning on. */
const MOMENTS = [0, 3];

describe.each(Object.keys(TRAFFIC))('%s', (name) => {
  test.each(ROLES)('as the %s, at any moment', async (role: Role) => {
    for (const turns of MOMENTS) {
      const victim = await box.boot({ name: VICTIM });
      const [one, other] = await Promise.all([
        new End().start(victim, role === 'opener' ? open(survivor.domid, BUSY) : accept(BUSY)),
        new End().start(survivor, role === 'opener' ? accept(BUSY) : open(victim.domid, BUSY)),
      ]);
      await TRAFFIC[name]?.(one, other, victim);
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      const stopped = victim.stop();
      // It takes what it has been sent, and then the end.
      tube.setopts(other.self, other.tube, [['active', true]]);
      await stopped;
      await eventually(() => other.ended, 'normal');
      survivor.runtime.send(other.self.pid, 'over');
      await eventually(() => inventory.count(), before);
    }
  });
});

test.each(['a receiver', 'a driver', 'a crash', 'its end'] as const)('called by %s', async (who) => {
  const victim = await box.boot({ name: VICTIM });
  let stopping: Promise<void> | undefined;
  const stop = (): void => {
    stopping = victim.stop();
  };
  victim.addDriver({ name: 'stopping', start: () => ({ output: stop }) });
  if (who === 'a crash') victim.on('crash', stop);
  if (who === 'its end') victim.on('stopped', stop);
  const other = new Witness(survivor, open(victim.domid));
  victim.spawn(async (self) => {
    const t = ok(await tube.accept(self));
    self.port_command(t, 'sent');
    if (who === 'a receiver') stop();
    if (who === 'a driver') self.port_command(self.open_port('stopping'), '');
    if (who === 'a crash') throw new Error('crash');
    await self.receive(() => false);
  });
  if (who === 'its end') {
    await eventually(() => other.got, ['sent']);
    await victim.stop();
  }
  await eventually(() => [other.got, other.told], [['sent'], 'normal']);
  await stopping;
  expect(victim.status).toBe('stopped');
  await eventually(() => inventory.count(), before);
});
