import type { Driver } from '../driver.js';
import { UdpSocket } from '../inet/udp-socket.js';

/** Erlang's driver of UDP sockets, on node:dgram. What it is asked is in ../inet/operations.ts. */
export const udpInetDriver: Driver = {
  name: 'udp_inet',
  start: (port) => new UdpSocket(port),
};
