import dgram from 'node:dgram';
import type { DriverPort } from '../driver.js';
import { toBytes } from '../iodata.js';
import { endOf, formatIp, type Ip4, type IpAddress } from './address.js';
import { type Answer, CONNECT, error, OPEN, RECV, SEND_TO } from './operations.js';
import { UDP_OPTIONS } from './options.js';
import { posix } from './posix.js';
import { InetSocket } from './socket.js';
import type { Waiter } from './waiters.js';

/** What OPEN takes. */
export interface UdpTarget {
  readonly type: dgram.SocketType;
  readonly address: string;
  readonly port: number;
  readonly reuseAddr: boolean;
  readonly ipv6Only: boolean;
}
/** What CONNECT and SEND_TO take: an address, which is none where the socket is connected. */
export type UdpEnd = readonly [host: string, port: number];

type Arrived = { readonly from: dgram.RemoteInfo; readonly data: Buffer } | { readonly error: string };

/**
 * A socket of datagrams. As in the system's own buffer, what nobody takes is kept up to `recbuf` bytes; further
 * datagrams are lost.
 */
export class UdpSocket extends InetSocket {
  #socket: dgram.Socket | undefined;
  #arrived: Arrived[] = [];
  #size = 0;
  #receiver: Waiter | undefined;
  #isConnected = false;

  constructor(port: DriverPort) {
    super('udp', port, UDP_OPTIONS);
  }

  override call(operation: number, argument: unknown): Answer {
    switch (operation) {
      case OPEN:
        return this.#open(argument);
      case CONNECT:
        return this.#connect(argument);
      case RECV:
        return this.#recv(argument);
      case SEND_TO:
        return this.#send(argument);
      default:
        return super.call(operation, argument);
    }
  }

  override stop(): void {
    super.stop();
    this.#socket?.close();
    this.#socket = undefined;
  }

  protected sockname(): Answer {
    return this.#nameBy(() => this.#socket?.address());
  }

  protected peername(): Answer {
    return this.#isConnected ? this.#nameBy(() => this.#socket?.remoteAddress()) : error('enotconn');
  }

  #nameBy(look: () => { address: string; port: number } | undefined): Answer {
    try {
      const found = look();
      return found ? ['ok', endOf(found.address, found.port)] : error('einval');
    } catch (reason) {
      return error(posix(reason));
    }
  }

  protected apply(name: string, value: unknown): void {
    const socket = this.#socket;
    if (name === 'broadcast') socket?.setBroadcast(value as boolean);
    if (name === 'multicast_ttl') socket?.setMulticastTTL(value as number);
    if (name === 'multicast_loop') socket?.setMulticastLoopback(value as boolean);
    if (name === 'multicast_if') socket?.setMulticastInterface(formatIp(value as Ip4));
    if (name === 'recbuf') socket?.setRecvBufferSize(value as number);
    if (name === 'sndbuf') socket?.setSendBufferSize(value as number);
    if (name === 'add_membership' || name === 'drop_membership') {
      const [group, on] = value as [IpAddress, IpAddress | 'any'];
      const membership = [formatIp(group), on === 'any' ? undefined : formatIp(on)] as const;
      if (name === 'add_membership') socket?.addMembership(...membership);
      else socket?.dropMembership(...membership);
    }
  }

  #open(request: unknown): Answer {
    const [, { type, address, port, reuseAddr, ipv6Only }] = request as [unknown, UdpTarget];
    const socket = dgram.createSocket({ type, reuseAddr, ipv6Only });
    this.#socket = socket;
    if (reuseAddr) this.options.set('reuseaddr', true);
    const waiter = this.waiters.add(request);
    let isOpen = false;
    socket.on('error', (reason) => {
      if (isOpen) this.#arrive({ error: posix(reason) });
      else waiter.answer(error(posix(reason)));
    });
    socket.on('message', (data, from) => {
      if (this.#size + data.length > (this.options.get('recbuf') as number)) return;
      this.#size += data.length;
      this.#arrive({ from, data });
    });
    socket.bind({ address, port, exclusive: true }, () => {
      isOpen = true;
      waiter.answer('ok');
    });
    return 'ok';
  }

  #connect(request: unknown): Answer {
    const [, [host, port]] = request as [unknown, UdpEnd];
    const socket = this.#socket as dgram.Socket;
    const waiter = this.waiters.add(request);
    try {
      if (this.#isConnected) socket.disconnect();
      this.#isConnected = false;
      socket.connect(port, host, (reason?: unknown) => {
        this.#isConnected = !reason;
        waiter.answer(reason ? error(posix(reason)) : 'ok');
      });
    } catch (reason) {
      waiter.answer(error(posix(reason)));
    }
    return 'ok';
  }

  #send(request: unknown): Answer {
    const [, [end, data]] = request as [unknown, [UdpEnd | undefined, unknown]];
    // The sender's own bytes may change as soon as it goes on.
    const bytes = Buffer.from(toBytes(data));
    if (!end && !this.#isConnected) return error('einval');
    // An error that nobody has heard of is told to who calls next, by the system as well.
    const [failed] = this.#arrived;
    if (this.active.wanted === 0 && failed && 'error' in failed && bytes.length <= MOST) {
      this.#arrived.shift();
      return error(failed.error);
    }
    const waiter = this.waiters.add(request);
    const onSent = (reason: Error | null): void => waiter.answer(reason ? error(posix(reason)) : 'ok');
    try {
      if (end && !this.#isPeer(end)) this.#socket?.send(bytes, end[1], end[0], onSent);
      else this.#socket?.send(bytes, onSent);
    } catch (reason) {
      waiter.answer(error(posix(reason)));
    }
    return 'ok';
  }

  #isPeer([host, port]: UdpEnd): boolean {
    if (!this.#isConnected) return false;
    const peer = this.#socket?.remoteAddress();
    return peer?.address === host && peer.port === port;
  }

  #recv(request: unknown): Answer {
    if (this.active.wanted > 0) return error('einval');
    if (this.#receiver) return error('ealready');
    this.#receiver = this.waiters.add(request, () => {
      this.#receiver = undefined;
    });
    this.serve();
    return 'ok';
  }

  #arrive(arrived: Arrived): void {
    this.#arrived.push(arrived);
    this.serve();
  }

  protected serve(): void {
    while (this.#arrived.length > 0) {
      const receiver = this.#receiver;
      if (this.active.wanted === 0 && !receiver) return;
      const arrived = this.#arrived.shift() as Arrived;
      if ('data' in arrived) this.#size -= arrived.data.length;
      if (this.active.wanted === 0) {
        this.#receiver = undefined;
        receiver?.answer('error' in arrived ? error(arrived.error) : ['ok', this.#told(arrived)]);
      } else if ('error' in arrived) this.tell('error', arrived.error);
      else this.deliver(...this.#told(arrived));
    }
  }

  #told({ from, data }: { from: dgram.RemoteInfo; data: Buffer }): unknown[] {
    const [address, port] = endOf(from.address, from.port) as [unknown, number];
    return [address, port, this.asTerm(data)];
  }
}

/** The longest datagram over IPv4. */
const MOST = 65_507;
