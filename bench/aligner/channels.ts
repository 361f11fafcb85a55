/** Messages of any size between the aligner's master and a worker: over a tube, or over a Unix socket. */
import { once } from 'node:events';
import net from 'node:net';
import { ok, type Self, type Tube, type TubeMessage, tube } from '../../lib/index.js';
import { inDomain } from '../domain.js';
import { onPacket, PREFIX } from '../rivals/byte-stream.js';

export type Transport = 'tube' | 'unix socket';

export interface Channel {
  /** Is to be awaited only if it is a promise: until there is room. */
  send(message: Uint8Array): true | Promise<unknown>;
  /** The next one; a promise only if none is here. */
  receive(): Uint8Array | Promise<Uint8Array>;
}

/** Runs `body` with a channel to that address, of which there may be several: `link` tells them apart. */
export type Connect = (
  rundir: string,
  address: unknown,
  link: number,
  body: (channel: Channel) => Promise<void>,
) => Promise<void>;

/** Says where it is with `listening`, and runs `body` with the first channel that comes there. */
export type Accept = (
  place: { readonly rundir: string; readonly path: string },
  listening: (address: unknown) => void,
  body: (channel: Channel) => Promise<void>,
) => Promise<void>;

export const TRANSPORTS: Readonly<Record<Transport, { connect: Connect; accept: Accept }>> = {
  tube: {
    connect: (rundir, address, link, body) =>
      inDomain(rundir, async (self) =>
        body(overTube(self, ok(await tube.open(self, address as number, link, [['full', 'busy']])))),
      ),
    accept: ({ rundir }, listening, body) =>
      inDomain(rundir, async (self, domain) => {
        listening(domain.domid);
        await body(overTube(self, ok(await tube.accept(self, [['full', 'busy']]))));
      }),
  },
  'unix socket': {
    async connect(_, address, __, body) {
      const socket = net.connect(address as string);
      await once(socket, 'connect');
      await body(overSocket(socket));
    },
    async accept({ path }, listening, body) {
      const server = net.createServer().listen(path);
      await once(server, 'listening');
      listening(path);
      const [socket] = (await once(server, 'connection')) as [net.Socket];
      await body(overSocket(socket));
    },
  },
};

/**
 * The first byte of a packet says whether more of its message follows, as navel has it.
 *
 *     | 0   | up to 4095 bytes |   | 255 | the last bytes |
 */
const MORE = 0;
const LAST = 255;
const LARGEST = 4095;

function overTube(self: Self, t: Tube): Channel {
  const isData = tube.isData(t);
  const parts: Buffer[] = [];
  const take = ([, [, packet]]: TubeMessage): Buffer | undefined => {
    const part = packet.subarray(1);
    if (packet[0] === LAST && parts.length === 0) return part;
    parts.push(part);
    return packet[0] === LAST ? Buffer.concat(parts.splice(0)) : undefined;
  };
  const takeAll = async (next: TubeMessage | Promise<TubeMessage>): Promise<Buffer> =>
    take(await next) ?? takeAll(self.receive(isData));
  return {
    send(message) {
      if (message.length <= LARGEST) return self.port_command(t, packetOf(LAST, message));
      const packets: Buffer[] = [];
      for (let at = 0; at < message.length; at += LARGEST) {
        const end = at + LARGEST;
        packets.push(packetOf(end < message.length ? MORE : LAST, message.subarray(at, end)));
      }
      return tube.send_many(self, t, packets);
    },
    receive() {
      const next = self.receive(isData);
      return next instanceof Promise ? takeAll(next) : (take(next) ?? takeAll(self.receive(isData)));
    },
  };
}

function packetOf(flag: number, bytes: Uint8Array): Buffer {
  const packet = Buffer.allocUnsafe(1 + bytes.length);
  packet[0] = flag;
  packet.set(bytes, 1);
  return packet;
}

/** A length before each message. Those that are sent in one turn of the event loop leave together. */
function overSocket(socket: net.Socket): Channel {
  const messages: Uint8Array[] = [];
  let waiting: ((message: Uint8Array) => void) | undefined;
  onPacket(socket, (message) => {
    if (waiting === undefined) messages.push(message);
    else waiting(message);
    waiting = undefined;
  });
  return {
    send(message) {
      if (socket.writableCorked === 0) {
        socket.cork();
        process.nextTick(() => socket.uncork());
      }
      const frame = Buffer.allocUnsafe(PREFIX + message.length);
      frame.writeUInt32LE(message.length, 0);
      frame.set(message, PREFIX);
      socket.write(frame);
      return socket.writableNeedDrain ? once(socket, 'drain') : true;
    },
    receive() {
      return (
        messages.shift() ??
        new Promise((resolve) => {
          waiting = resolve;
        })
      );
    },
  };
}
