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
  async (self, t, sink) => {
    const isData = tube.isData(t);
    for (let more = true; more; ) {
      // An await of what is no promise is a turn of the microtask queue, which costs as much as all the rest.
      const message = self.receive(isData);
      const [, [, packet]] = message instanceof Promise ? await message : message;
      more = sink.take(packet);
    }
  },
);

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
): Rival {
  return {
    name,
    guarantees,

    async send(place, source, { bytes, rate, over = 1 }) {
      const packet = Buffer.alloc(bytes);
      await inDomain(place.rundir, async (self) => {
        const full = rate === undefined ? 'busy' : 'drop';
        const tubes: Tube[] = [];
        for (let i = 0; i < over; i++)
          tubes.push(ok(await tube.open(self, place.address as number, place.link + i, [['full', full]])));
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
        const t = ok(await tube.open(self, place.address as number, place.link));
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

/** Until the other side has left: the sender's end must not cost the receiver anything while that still counts. */
async function closed(self: Self, t: Port): Promise<void> {
  const ref = self.monitor('port', t);
  await self.receive((message) => Array.isArray(message) && message[0] === 'DOWN' && message[1] === ref);
}
