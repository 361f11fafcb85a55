import { ok, type Port, type Self, tube } from '../../lib/index.js';
import { inDomain } from '../domain.js';
import { type Rival, timeTrips } from '../rival.js';

/** Ours, used as a program would use it: a process sends, paced by can_send, and a process receives. */
export const tubeRival: Rival = {
  name: 'tube',
  guarantees: 'packets to a mailbox; no loss when paced by can_send; two Erlang processes',

  async send(place, source, { bytes }) {
    const packet = Buffer.alloc(bytes);
    await inDomain(place.rundir, async (self) => {
      const t = ok(await tube.open(self, place.address as number));
      for (let more = true; more; ) {
        const slots = ok(await tube.can_send(self, t));
        source.look();
        for (let i = 0; i < slots && more; i++) {
          more = source.fill(packet);
          self.port_command(t, packet);
        }
      }
      await closed(self, t);
    });
  },

  async receive(place, sink) {
    await inDomain(place.rundir, async (self, domain) => {
      place.listening(domain.domid);
      const t = ok(await tube.accept(self));
      const isData = tube.isData(t);
      for (let more = true; more; ) {
        const [, [, packet]] = await self.receive(isData);
        more = sink.take(packet);
      }
    });
  },

  async ask(place, trips) {
    const packet = Buffer.alloc(trips.bytes);
    return inDomain(place.rundir, async (self) => {
      const t = ok(await tube.open(self, place.address as number));
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

/** Until the other side has left: the sender's end must not cost the receiver anything while that still counts. */
async function closed(self: Self, t: Port): Promise<void> {
  const ref = self.monitor('port', t);
  await self.receive((message) => Array.isArray(message) && message[0] === 'DOWN' && message[1] === ref);
}
