/** Packets as messages between a program and what it has started, whatever that is. */
import type { Peer } from '../peer.js';
import { type Place, type Rival, timeTrips } from '../rival.js';

/** So many packets are under way at most, as nothing else keeps the queue from growing. */
const WINDOW = 8192;
/** The receiver says so after as many. */
const ACKNOWLEDGED = 256;
const GROUP = 64;

export const ACKNOWLEDGEMENT =
  'no flow control but our own: 8192 packets under way; full: the sender waits, or drops';

export function messages(name: string, guarantees: string, beside: 'thread' | 'child'): Rival {
  return {
    name,
    guarantees,
    beside,

    async send(place, source, { bytes, rate }) {
      const peer = peerOf(place);
      const packet = Buffer.alloc(bytes);
      let room = WINDOW;
      let haveRoom = () => {};
      peer.onMessage((acknowledged) => {
        room += acknowledged as number;
        haveRoom();
      });
      for (let due = await source.due(GROUP); due > 0; due = await source.due(GROUP)) {
        for (let i = 0; i < due; i++) {
          source.fill(packet);
          if (room > 0) {
            peer.post(packet);
            room--;
          }
        }
        if (rate !== undefined || room >= GROUP) continue;
        await new Promise<void>((resolve) => {
          haveRoom = resolve;
        });
      }
      source.last(packet);
      peer.post(packet);
    },

    async receive(place, sink) {
      const peer = peerOf(place);
      let taken = 0;
      await new Promise<void>((resolve) => {
        peer.onMessage((message) => {
          if (!sink.take(toBuffer(message as Uint8Array))) resolve();
          if (++taken % ACKNOWLEDGED === 0) peer.post(ACKNOWLEDGED);
        });
      });
    },

    async ask(place, trips) {
      const peer = peerOf(place);
      const packet = Buffer.alloc(trips.bytes);
      let answered = () => {};
      peer.onMessage(() => answered());
      return timeTrips(trips, () => {
        peer.post(packet);
        return new Promise<void>((resolve) => {
          answered = resolve;
        });
      });
    },

    async answer(place) {
      const peer = peerOf(place);
      peer.onMessage((packet) => peer.post(packet));
      await peer.reported;
    },
  };
}

function peerOf({ peer, listening }: Place): Peer {
  if (peer === undefined) throw new Error('it needs somebody beside it');
  listening(undefined);
  return peer;
}

/** What is a Buffer on one side is a Uint8Array on the other side of a MessagePort. */
function toBuffer(packet: Uint8Array): Buffer {
  return Buffer.isBuffer(packet) ? packet : Buffer.from(packet.buffer, packet.byteOffset, packet.length);
}
