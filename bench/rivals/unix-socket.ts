import { once } from 'node:events';
import net from 'node:net';
import { type Place, type Rival, timeTrips } from '../rival.js';

/** So many writes become one system call. */
const CORKED = 256;
const PREFIX = 4;

/** What one would write by hand: a byte stream with a length before every packet. */
export const unixSocket: Rival = {
  name: 'unix socket',
  guarantees: 'node:net stream, length-prefixed, 256 writes corked, waits for drain; packets to a callback',

  async send(place, source, { bytes }) {
    const socket = await connect(place);
    for (let more = true; more; ) {
      source.look();
      socket.cork();
      for (let i = 0; i < CORKED && more; i++) {
        // The stream keeps what it is given until it has been written, so each is a new one.
        const frame = Buffer.allocUnsafe(PREFIX + bytes);
        frame.writeUInt32LE(bytes, 0);
        more = source.fill(frame, PREFIX);
        socket.write(frame);
      }
      socket.uncork();
      if (socket.writableNeedDrain) await once(socket, 'drain');
    }
    // Until the other side has left.
    await once(socket.resume(), 'close');
  },

  async receive(place, sink) {
    const socket = await accept(place);
    await new Promise<void>((resolve, reject) => {
      onPacket(socket, (packet) => {
        if (!sink.take(packet)) resolve();
      });
      socket.once('error', reject);
    });
    socket.destroy();
  },

  async ask(place, trips) {
    const socket = await connect(place);
    const frame = Buffer.alloc(PREFIX + trips.bytes);
    frame.writeUInt32LE(trips.bytes, 0);
    let answered = () => {};
    onPacket(socket, () => answered());
    const times = await timeTrips(trips, () => {
      socket.write(frame);
      return new Promise<void>((resolve) => {
        answered = resolve;
      });
    });
    socket.destroy();
    return times;
  },

  async answer(place) {
    const socket = await accept(place);
    onPacket(socket, (packet) => {
      const frame = Buffer.allocUnsafe(PREFIX + packet.length);
      frame.writeUInt32LE(packet.length, 0);
      packet.copy(frame, PREFIX);
      socket.write(frame);
    });
    await once(socket, 'close');
  },
};

async function connect({ address }: Place): Promise<net.Socket> {
  const socket = net.connect(address as string);
  await once(socket, 'connect');
  return socket;
}

async function accept({ path, listening }: Place): Promise<net.Socket> {
  const server = net.createServer();
  server.listen(path);
  await once(server, 'listening');
  listening(path);
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  server.close();
  return socket;
}

/** Every packet as a view on what was read; only one that is split over two reads is put together anew. */
function onPacket(socket: net.Socket, callback: (packet: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
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
