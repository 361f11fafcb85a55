/** Packets through a stream of bytes, as one would write it by hand: a length before each. */
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { type Place, type Rival, timeTrips } from '../rival.js';

/** What both sides of one have. It is the same for both where one object is. */
export interface Streams {
  readonly input: Readable;
  readonly output: Writable;
}

/** So many writes become one system call. */
const CORKED = 256;
export const PREFIX = 4;
/** A sender with a rate has at most so many bytes of its own waiting: as a group comes to, twice. */
const MOST_WAITING = 1024 * 1024;

export const FRAMING =
  'length-prefixed, 256 writes corked; full: the sender waits for drain, or drops when 1 MiB waits; to a callback';

/** `connect` resolves with the stream to where `accept` is listening. */
export function byteStream(
  name: string,
  guarantees: string,
  connect: (place: Place) => Promise<Streams>,
  accept: (place: Place) => Promise<Streams>,
): Rival {
  return {
    name,
    guarantees,

    async send(place, source, { bytes, rate }) {
      const { input, output } = await connect(place);
      const frame = () => {
        // The stream keeps what it is given until it has been written, so each is a new one.
        const made = Buffer.allocUnsafe(PREFIX + bytes);
        made.writeUInt32LE(bytes, 0);
        return made;
      };
      for (let due = await source.due(CORKED); due > 0; due = await source.due(CORKED)) {
        const isFull = rate !== undefined && output.writableLength > MOST_WAITING;
        output.cork();
        for (let i = 0; i < due; i++) {
          const packet = frame();
          source.fill(packet, PREFIX);
          if (!isFull) output.write(packet);
        }
        output.uncork();
        if (rate === undefined && output.writableNeedDrain) await once(output, 'drain');
      }
      const packet = frame();
      source.last(packet, PREFIX);
      output.write(packet);
      // Until the other side has left.
      await once(input.resume(), 'close');
      output.destroy();
    },

    async receive(place, sink) {
      const streams = await accept(place);
      await new Promise<void>((resolve, reject) => {
        onPacket(streams.input, (packet) => {
          if (!sink.take(packet)) resolve();
        });
        streams.input.once('error', reject);
      });
      destroy(streams);
    },

    async ask(place, trips) {
      const streams = await connect(place);
      const frame = Buffer.alloc(PREFIX + trips.bytes);
      frame.writeUInt32LE(trips.bytes, 0);
      let answered = () => {};
      onPacket(streams.input, () => answered());
      const times = await timeTrips(trips, () => {
        streams.output.write(frame);
        return new Promise<void>((resolve) => {
          answered = resolve;
        });
      });
      destroy(streams);
      return times;
    },

    async answer(place) {
      const { input, output } = await accept(place);
      onPacket(input, (packet) => {
        const frame = Buffer.allocUnsafe(PREFIX + packet.length);
        frame.writeUInt32LE(packet.length, 0);
        packet.copy(frame, PREFIX);
        output.write(frame);
      });
      await once(input, 'close');
      output.destroy();
    },
  };
}

function destroy({ input, output }: Streams): void {
  input.destroy();
  output.destroy();
}

/** Every packet as a view on what was read; only one that is split over two reads is put together anew. */
export function onPacket(input: Readable, callback: (packet: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  input.on('data', (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.length - at >= PREFIX) {
      const end = at + PREFIX + bytes.readUInt32LE(at);
      if (end > bytes.length) break;
      callback(bytes.subarray(at + PREFIX, end));
      at = end;
    }
    rest = bytes.subarray(at);
  });
}
