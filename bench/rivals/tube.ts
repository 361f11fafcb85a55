import { ok, type Port, type Self, type Tube, tube } from '../../lib/index.js';
import { inDomain } from '../domain.js';
import { type Rival, timeTrips } from '../rival.js';
import type { Sink } from '../stream.js';

/** After so many packets the source is asked for more. */
const GROUP = 64;

/** Ours, used as a program in a hot loop would use it. */
export const tubeRival = tubes(
  'tube',
  'one Erlang process to another; full: the sender is suspended, or packets are dropped and counted; awaits only what is a promise',
  takeAll,
);

/** With room for 14,000 packets of 64 bytes in each direction: for who loses what finds none. */
export const largeTube = tubes('tube of 1 MiB', 'the same, with rings of 1 MiB', takeAll, [
  ['ring', 2 ** 20],
]);

/** The same with the loop that one writes first. */
export const awaitingTube = tubes(
  'tube (await)',
  'the same, but awaits every packet',
  async (self, t, sink) => {
    const isData = tube.isData(t);
    for (let more = true; more; ) {
      const [, [, packet]] = await self.receive(isData);
      more = sink.take(packet);
    }
  },
);

function tubes(
  name: string,
  guarantees: string,
  takeAll: (self: Self, t: Tube, sink: Sink) => Promise<void>,
  options: readonly tube.OpenOption[] = [],
): Rival {
  return {
    name,
    guarantees,

    async send(place, source, { bytes, rate, over = 1 }) {
      const packet = Buffer.alloc(bytes);
      await inDomain(place.rundir, async (self) => {
        const full = rate === undefined ? 'busy' : 'drop';
        const tubes: Tube[] = [];
        for (let i = 0; i < over; i++) {
          const opened = tube.open(self, place.address as number, place.link + i, [
            ['full', full],
            ...options,
          ]);
          tubes.push(ok(await opened));
        }
        let turn = 0;
        for (let due = await source.due(GROUP); due > 0; due = await source.due(GROUP)) {
          for (let i = 0; i < due; i++) {
            source.fill(packet);
            const sent = self.port_command(tubes[turn] as Tube, packet);
            if (sent !== true) await sent;
            if (++turn === over) turn = 0;
          }
        }
        source.last(packet);
        for (const t of tubes) {
          ok(await tube.can_send(self, t));
          self.port_command(t, packet);
        }
        for (const t of tubes) await closed(self, t);
      });
    },

    async receive(place, sink) {
      await inDomain(place.rundir, async (self, domain) => {
        place.listening(domain.domid);
        await takeAll(self, ok(await tube.accept(self)), sink);
      });
    },

    async ask(place, trips) {
      const packet = Buffer.alloc(trips.bytes);
      return inDomain(place.rundir, async (self) => {
        const t = ok(await tube.open(self, place.address as number, place.link, options));
        const isData = tube.isData(t);
        return timeTrips(trips, async () => {
          self.port_command(t, packet);
          await self.receive(isData);
        });
      });
    },

    async answer(place) {
      await inDomain(place.rundir, async (self, domain) => {
        place.listening(domain.domid);
        const t = ok(await tube.accept(self));
        self.process_flag('trap_exit', true);
        for (;;) {
          const [from, what] = (await self.receive()) as [unknown, unknown];
          if (from !== t) return;
          self.port_command(t, (what as ['data', Buffer])[1]);
        }
      });
    },
  };
}

async function takeAll(self: Self, t: Tube, sink: Sink): Promise<void> {
  const isData = tube.isData(t);
  for (let more = true; more; ) {
    // An await of what is no promise is a turn of the microtask queue, which costs as much as all the rest.
    const message = self.receive(isData);
    const [, [, packet]] = message instanceof Promise ? await message : message;
    more = sink.take(packet);
  }
}

/** Until the other side has left: the sender's end must not cost the receiver anything while that still counts. */
async function closed(self: Self, t: Port): Promise<void> {
  const ref = self.monitor('port', t);
  await self.receive((message) => Array.isArray(message) && message[0] === 'DOWN' && message[1] === ref);
}
