import type { PacketChannel } from '#xen/xenstore/channel';
import { XenstoreClient } from '#xen/xenstore/client';
import type { XenstoreServer } from '#xen/xenstore/server';
import { encodePacket, type Packet, PacketDecoder } from '#xen/xenstore/wire';

/** `now`: the answer is there before `send` returns; `later`: after other turns of the event loop. */
export type Delivery = 'now' | 'later';

/** A channel to a server in memory, packets going through their bytes. */
export function connectInMemory(
  server: XenstoreServer,
  domid = 0,
  delivery: Delivery = 'later',
): MemoryChannel {
  const toServer = new PacketDecoder();
  const toClient = new PacketDecoder();
  const soon = delivery === 'now' ? (action: () => void) => action() : setImmediate;
  const connection = server.connect({
    domid,
    privileged: domid === 0,
    send: (packet) => soon(() => channel.deliver(toClient.push(encodePacket(packet)))),
    onReleased: () => channel.cut(undefined),
  });
  const channel = new MemoryChannel(
    (packet) => {
      soon(() => {
        for (const each of toServer.push(encodePacket(packet))) connection.handle(each);
      });
    },
    () => connection.close(),
  );
  return channel;
}

export function clientInMemory(
  server: XenstoreServer,
  domid = 0,
  delivery: Delivery = 'later',
): XenstoreClient {
  return new XenstoreClient(connectInMemory(server, domid, delivery));
}

/** A channel whose other side is a function, and the test itself. */
export class MemoryChannel implements PacketChannel {
  readonly sent: Packet[] = [];
  readonly sentFds: (readonly number[])[] = [];
  onPacket: PacketChannel['onPacket'] = () => {};
  onClose: PacketChannel['onClose'] = () => {};
  #open = true;

  constructor(
    private readonly peer: (packet: Packet) => void = () => {},
    private readonly hangUp: () => void = () => {},
  ) {}

  send(packet: Packet, fds: readonly number[] = []): void {
    this.sent.push(packet);
    this.sentFds.push(fds);
    this.peer(packet);
  }

  deliver(packets: readonly Packet[], fds: number[] = []): void {
    if (this.#open) for (const packet of packets) this.onPacket(packet, fds);
  }

  cut(error: Error | undefined): void {
    if (!this.#open) return;
    this.#open = false;
    this.hangUp();
    this.onClose(error);
  }

  close(): void {
    this.cut(undefined);
  }
}
