import type { Driver } from '../driver.js';
import { TcpListener } from '../inet/tcp-listener.js';
import { TcpStream } from '../inet/tcp-stream.js';

/**
 * Erlang's driver of TCP and Unix sockets, on node:net: a listener as `tcp_inet listen`, else what is going to be a
 * connection. What it is asked is in ../inet/operations.ts.
 */
export const tcpInetDriver: Driver = {
  name: 'tcp_inet',
  start: (port, command) => (command === 'listen' ? new TcpListener(port) : new TcpStream(port)),
};
