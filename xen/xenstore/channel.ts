import type { Packet } from './wire.js';

/**
 * What carries packets between a client and its server: a socket, a ring page, or a pair in memory.
 *
 * Packets arrive whole and in order. Descriptors travel with the packet they were sent with, and belong to whoever
 * gets it. `onPacket` and `onClose` are set by the channel's user, in the same turn in which it gets the channel.
 */
export interface PacketChannel {
  /** Sends nothing once the channel has ended. The descriptors are taken over in any case. */
  send(packet: Packet, fds?: readonly number[]): void;
  onPacket: (packet: Packet, fds: number[]) => void;
  /** The channel has ended, by whichever side: called once, and `onPacket` not again after it. */
  onClose: (error: Error | undefined) => void;
  close(): void;
}
