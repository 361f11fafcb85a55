import { Pair, Pull, Push } from 'zeromq';
import { type Place, type Rival, timeTrips } from '../rival.js';

const GROUP = 64;
/** Says that nobody asks any more. */
const GOODBYE = Buffer.alloc(0);

export const zeromq: Rival = {
  name: 'zeromq',
  guarantees:
    'zeromq.js push and pull over ipc, its queues of 1000 packets; reconnects by itself; full: the sender waits, or drops',

  async send({ address }, source, { bytes, rate }) {
    const socket = new Push(rate === undefined ? {} : { sendTimeout: 0 });
    socket.connect(address as string);
    for (let due = await source.due(GROUP); due > 0; due = await source.due(GROUP)) {
      for (let i = 0; i < due; i++) {
        // It may keep what it is given until it has been written, so each is a new one.
        const packet = Buffer.allocUnsafe(bytes);
        source.fill(packet);
        await (rate === undefined ? socket.send(packet) : sendOrDrop(socket, packet));
      }
    }
    const packet = Buffer.alloc(bytes);
    source.last(packet);
    socket.sendTimeout = -1;
    await socket.send(packet);
  },

  async receive(place, sink) {
    const socket = new Pull();
    await listen(socket, place);
    for await (const [packet] of socket) if (!sink.take(packet as Buffer)) break;
    socket.close();
  },

  async ask({ address }, trips) {
    const socket = new Pair();
    socket.connect(address as string);
    const packet = Buffer.alloc(trips.bytes);
    const times = await timeTrips(trips, async () => {
      await socket.send(packet);
      await socket.receive();
    });
    await socket.send(GOODBYE);
    return times;
  },

  async answer(place) {
    const socket = new Pair();
    await listen(socket, place);
    for await (const [packet] of socket) {
      if (packet?.length === GOODBYE.length) break;
      await socket.send(packet as Buffer);
    }
    socket.close();
  },
};

async function listen(socket: Pair | Pull, { path, listening }: Place): Promise<void> {
  const address = `ipc://${path}`;
  await socket.bind(address);
  listening(address);
}

async function sendOrDrop(socket: Push, packet: Buffer): Promise<void> {
  try {
    await socket.send(packet);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
}
