import net from 'node:net';
import type { Pid } from '../../actors/identifiers.js';
import type { DriverPort } from '../driver.js';
import { packetHeader } from '../framing/packets.js';
import { endOf } from './address.js';
import { Incoming, type Taking } from './incoming.js';
import { type Answer, CONNECT, error, RECV, SHUTDOWN } from './operations.js';
import { TCP_OPTIONS } from './options.js';
import { Outgoing } from './outgoing.js';
import { posix } from './posix.js';
import { InetSocket } from './socket.js';
import type { Waiter } from './waiters.js';

/** What net.connect takes. */
export type TcpTarget = net.TcpNetConnectOpts | net.IpcNetConnectOpts;

/**
 * One end of a connection.
 *
 *     fresh --CONNECT--> open --the end has been told to recv or send--> closed
 *
 * Nothing is read ahead of what the owner takes but one buffer of Node's, so a peer whose data nobody wants cannot
 * go on sending. A socket that is closed stays until its owner closes it, or asks for messages: then it is told of the
 * end by one. Meanwhile calls are answered enotconn, but the first one of the kind that has not heard of the end
 * closed. With exit_on_close false a socket whose peer has ended stays open, for sending.
 */
export class TcpStream extends InetSocket {
  #socket: net.Socket | undefined;
  #phase: 'fresh' | 'open' | 'closed' = 'fresh';
  readonly #incoming = new Incoming();
  readonly #outgoing: Outgoing;
  #receiver: Waiter | undefined;
  /** Nothing more comes. */
  #ended = false;
  /** Why, where that was not the peer's orderly end, and nobody has been told yet. */
  #error: string | undefined;
  /** The end has been told, and the socket is open all the same: nothing is read until somebody asks for it. */
  #isDeaf = false;
  /** Both ends have shut down, or the connection has failed: the system knows of no peer any more. */
  #peerEnded = false;
  #failed = false;
  #writeEnded = false;
  /** What the first call of that kind is answered when it comes too late. */
  #lateRecv: 'closed' | 'econnreset' | undefined;
  #lateSend = false;
  #closedTold = false;
  /** Its owner has closed it; what is queued is still sent. */
  #isFlushing = false;
  #sockname: unknown;
  #peername: unknown;

  constructor(port: DriverPort, from?: InetSocket) {
    super('tcp', port, TCP_OPTIONS, from);
    this.#outgoing = new Outgoing(port, this.options);
  }

  override call(operation: number, argument: unknown): Answer {
    switch (operation) {
      case CONNECT:
        return this.#connect(argument);
      case RECV:
        return this.#recv(argument);
      case SHUTDOWN:
        return this.#shutdown(argument);
      default:
        return super.call(operation, argument);
    }
  }

  /** The answer is a message; see operations.ts. */
  output(data: Uint8Array): void {
    const caller = this.port.caller();
    if (this.#phase !== 'open') return this.#refuse(caller);
    const socket = this.#socket as net.Socket;
    if (this.#writeEnded || this.#failed) return this.#failSending(caller, 'epipe');
    const packet = this.options.get('packet') as Taking['packet'];
    const header = packetHeader(packet === 'line' ? 0 : packet, data.length);
    if (header === undefined) return this.#outgoing.reply(caller, error('einval'));
    const before = this.port.sizeq();
    this.#outgoing.write(socket, Buffer.concat([header, data]));
    if (socket.errored) this.#failSending(caller, posix(socket.errored));
    else if (this.#outgoing.isFull(before)) this.#outgoing.hold(caller);
    else this.#outgoing.reply(caller, 'ok');
  }

  /** The time that send may take is over. */
  timeout(): void {
    const closes = this.options.get('send_timeout_close');
    this.#outgoing.release(error('timeout'));
    if (closes) this.#close();
  }

  /** Nobody waits for what is still queued. */
  flush(): void {
    this.#isFlushing = true;
    super.stop();
    this.#outgoing.release(error('closed'));
    if (this.#isAborting()) this.#outgoing.clear();
  }

  override stop(): void {
    super.stop();
    this.#outgoing.release(error('closed'));
    this.#release();
  }

  /** From here on it is this connection's end. */
  attach(socket: net.Socket): void {
    this.#socket = socket;
    this.#phase = 'open';
    this.#sockname = endOf(socket.localAddress, socket.localPort);
    this.#peername = endOf(socket.remoteAddress, socket.remotePort);
    socket.on('readable', () => {
      this.#arrive();
      // Where nothing waits to be taken this finds the end.
      if (socket.readableLength === 0) socket.read(0);
    });
    socket.on('end', () => {
      this.#peerEnded = true;
      this.#end();
    });
    socket.on('error', (reason) => this.#fail(posix(reason)));
    for (const name of ['nodelay', 'keepalive']) if (this.options.get(name)) this.apply(name, true);
    this.serve();
  }

  protected sockname(): Answer {
    return this.#phase === 'open' ? ['ok', this.#sockname] : error('einval');
  }

  protected peername(): Answer {
    return this.#hasPeer() ? ['ok', this.#peername] : error('enotconn');
  }

  #hasPeer(): boolean {
    return this.#phase === 'open' && !this.#failed && !(this.#peerEnded && this.#writeEnded);
  }

  protected apply(name: string, value: unknown): void {
    if (name === 'nodelay') this.#socket?.setNoDelay(value as boolean);
    if (name === 'keepalive') this.#socket?.setKeepAlive(value as boolean);
  }

  // ---- Connecting

  #connect(request: unknown): Answer {
    if (this.#phase !== 'fresh' || this.#socket) return error('eisconn');
    const [, target] = request as [unknown, TcpTarget];
    const socket = net.connect({ ...target, allowHalfOpen: true, autoSelectFamily: false } as TcpTarget);
    this.#socket = socket;
    const waiter = this.waiters.add(request, () => socket.destroy());
    const onError = (reason: Error): void => waiter.answer(error(posix(reason)));
    socket.on('error', onError);
    socket.once('connect', () => {
      socket.off('error', onError);
      // The answer first: what has come already may be delivered after it.
      waiter.answer('ok');
      this.attach(socket);
    });
    return 'ok';
  }

  // ---- Sending

  #refuse(sender: Pid | undefined): void {
    this.#outgoing.reply(sender, error(this.#lateSend ? (this.#lateRecv ?? 'closed') : 'enotconn'));
    this.#lateSend = false;
  }

  /** The connection is of no use any more, as who sends finds out: `sender`, who waits, or nobody who could be told. */
  #failSending(sender: Pid | undefined, reason: string): void {
    const isReset = reason === 'epipe' || reason === 'econnreset';
    const shown = isReset && this.options.get('show_econnreset') ? 'econnreset' : 'closed';
    if (this.active.wanted > 0) this.#tellEnd(shown === 'closed' ? undefined : shown);
    else this.#lateRecv = shown;
    const hasToExit = this.active.wanted > 0 && this.options.get('exit_on_close') === true;
    const isKnown = this.#outgoing.release(error(shown)) || sender !== undefined;
    this.#outgoing.reply(sender, error(shown));
    if (!isKnown) this.#lateSend = true;
    this.#close();
    // After the reply: of a port that has ended there is none.
    if (hasToExit) this.port.exit(0);
  }

  #shutdown(how: unknown): Answer {
    if (!this.#hasPeer()) return error('enotconn');
    if (how !== 'read') {
      this.#writeEnded = true;
      this.#socket?.end();
    }
    if (how !== 'write') {
      this.#pull();
      // Not within this call: its answer comes before what it brings about.
      setImmediate(() => this.#end());
    }
    return 'ok';
  }

  // ---- Receiving

  #recv(request: unknown): Answer {
    const [, length] = request as [unknown, number];
    if (this.#phase !== 'open') {
      const reason = this.#lateRecv ?? 'enotconn';
      if (this.#lateRecv) this.#lateSend = false;
      this.#lateRecv = undefined;
      return error(reason);
    }
    if (this.active.wanted > 0 || (length > 0 && this.options.get('packet') !== 0)) return error('einval');
    if (this.#receiver) return error('ealready');
    this.#receiver = this.waiters.add(request, () => {
      this.#receiver = undefined;
    });
    this.serve();
    return 'ok';
  }

  #arrive(): void {
    if (!this.#isDeaf) this.serve();
  }

  protected serve(): void {
    if (this.#isFlushing) return;
    this.#isDeaf = false;
    if (this.#phase === 'closed' && this.active.wanted > 0) return this.#tellLate();
    while (this.#phase === 'open' && this.active.wanted > 0) {
      const data = this.#take(0);
      if (data === undefined) {
        if (this.#ended) this.#endActive();
        return;
      }
      if (data === 'emsgsize') return this.#endActive(data);
      this.deliver(this.asTerm(data));
    }
    const receiver = this.#receiver;
    if (this.#phase !== 'open' || !receiver) return;
    const data = this.#take(receiver.argument as number);
    if (data === undefined && !this.#ended) return;
    this.#receiver = undefined;
    if (data === undefined || data === 'emsgsize') this.#endPassive(receiver, data);
    else receiver.answer(['ok', this.asTerm(data)]);
  }

  #take(length: number): Buffer | undefined | 'emsgsize' {
    const { options } = this;
    const packetSize = options.get('packet_size') as number;
    const buffer = options.get('buffer') as number;
    const taking: Taking = {
      packet: options.get('packet') as Taking['packet'],
      length,
      packetSize,
      longestLine: Math.max(1, buffer),
      delimiter: options.get('line_delimiter') as number,
    };
    const taken = this.#incoming.take(taking);
    if (taken !== undefined) return taken;
    this.#pull();
    return this.#incoming.take(taking);
  }

  #pull(): void {
    for (;;) {
      const chunk = this.#socket?.read() as Buffer | null | undefined;
      if (!chunk) return;
      this.#incoming.push(chunk);
    }
  }

  // ---- The end

  #end(): void {
    if (this.#phase !== 'open') return;
    this.#ended = true;
    this.#arrive();
  }

  #fail(reason: string): void {
    if (this.#phase !== 'open') return;
    this.#failed = true;
    if (this.#isFlushing) return this.#outgoing.clear();
    if (!this.#outgoing.isEmpty) return this.#failSending(undefined, reason);
    this.#error = reason;
    this.#end();
  }

  /** Why nothing more comes, once. A connection that the peer has reset looks closed, unless one asks. */
  #takeError(): string | undefined {
    const reason = this.#error;
    this.#error = undefined;
    if (reason === 'epipe') return undefined;
    return reason === 'econnreset' && !this.options.get('show_econnreset') ? undefined : reason;
  }

  #tellEnd(reason?: string): void {
    if (reason !== undefined) this.tell('error', reason);
    if (!this.#closedTold) this.tell('closed');
    this.#closedTold = true;
  }

  /** The owner of a closed socket has asked for messages. */
  #tellLate(): void {
    this.#tellEnd(this.#lateRecv === 'econnreset' ? 'econnreset' : undefined);
    if (this.#lateRecv) this.#lateRecv = 'closed';
    if (this.options.get('exit_on_close')) this.port.exit(0);
  }

  #endActive(failure?: string): void {
    const reason = failure ?? this.#takeError();
    this.#tellEnd(reason);
    this.#incoming.clear();
    this.#isDeaf = true;
    this.#lateSend = reason === undefined;
    if (this.options.get('exit_on_close')) this.port.exit(0);
  }

  #endPassive(receiver: Waiter, failure: string | undefined): void {
    const reason = failure ?? this.#takeError();
    if (this.options.get('exit_on_close')) this.#close();
    this.#lateSend = reason === undefined;
    this.#incoming.clear();
    this.#isDeaf = true;
    receiver.answer(error(reason ?? 'closed'));
  }

  #close(): void {
    this.#phase = 'closed';
    this.#incoming.clear();
    this.#outgoing.clear();
    this.#release();
  }

  #isAborting(): boolean {
    const [lingers, seconds] = this.options.get('linger') as [boolean, number];
    return lingers && seconds === 0;
  }

  #release(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket) return;
    socket.removeAllListeners('readable');
    if (this.#isAborting() && !socket.connecting) socket.resetAndDestroy();
    else socket.destroy();
  }
}
