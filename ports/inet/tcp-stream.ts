import net from 'node:net';
import type { Pid } from '../../actors/identifiers.js';
import type { DriverPort } from '../driver.js';
import { packetHeader } from '../framing/packets.js';
import { endOf } from './address.js';
import { Incoming, type Taking } from './incoming.js';
import { type Answer, CONNECT, error, RECV, SHUTDOWN } from './operations.js';
import { TCP_OPTIONS } from './options.js';
import { posix } from './posix.js';
import { InetSocket } from './socket.js';
import type { Waiter } from './waiters.js';

/** What net.connect takes. */
export type TcpTarget = net.TcpNetConnectOpts | net.IpcNetConnectOpts;

/**
 * One end of a connection.
 *
 *     fresh --CONNECT--> open --the end has been told--> readClosed (exit_on_close false), or closed
 *
 * Nothing is read ahead of what the owner takes but one buffer of Node's, so a peer whose data nobody wants cannot
 * go on sending. Once the end has been told to who called recv or send, further calls are answered enotconn, but the
 * first one of the other kind closed, as inet does it.
 */
export class TcpStream extends InetSocket {
  #socket: net.Socket | undefined;
  #phase: 'fresh' | 'open' | 'readClosed' | 'closed' = 'fresh';
  readonly #incoming = new Incoming();
  #receiver: Waiter | undefined;
  /** Nothing more comes; why, where that was not the peer's orderly end. */
  #ended = false;
  #error: string | undefined;
  #writeEnded = false;
  #lateRecv = false;
  #lateSend = false;
  #hasToExit = false;
  /** Who has filled the queue and waits for room. */
  #busyCallers: Pid[] = [];
  #sockname: unknown;
  #peername: unknown;

  constructor(port: DriverPort, from?: InetSocket) {
    super('tcp', port, TCP_OPTIONS, from);
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
    if (!this.#canSend()) return this.#refuse(caller);
    const packet = this.options.get('packet') as Taking['packet'];
    const header = packetHeader(packet === 'line' ? 0 : packet, data.length);
    if (header === undefined) return this.#reply(caller, error('einval'));
    this.#write(Buffer.concat([header, data]));
    const failed = this.#socket?.errored;
    if (failed) {
      this.#error ??= posix(failed);
      return this.#refuse(caller);
    }
    if (this.port.sizeq() < Math.max(1, this.options.get('high_watermark') as number)) {
      return this.#reply(caller, 'ok');
    }
    // The caller is told when there is room again; all others are suspended until then.
    if (caller) this.#busyCallers.push(caller);
    this.port.set_busy(true);
    const timeout = this.options.get('send_timeout') as number | 'infinity';
    if (timeout !== 'infinity' && this.#busyCallers.length === 1) this.port.set_timer(timeout);
  }

  /** The time that send may take is over. */
  timeout(): void {
    if (this.options.get('send_timeout_close')) this.#close();
    this.#roomAgain(error('timeout'));
  }

  override stop(): void {
    super.stop();
    this.#roomAgain(error('closed'));
    this.#release();
  }

  /** From here on it is this connection's end. */
  attach(socket: net.Socket): void {
    this.#socket = socket;
    this.#phase = 'open';
    this.#sockname = endOf(socket.localAddress, socket.localPort);
    this.#peername = endOf(socket.remoteAddress, socket.remotePort);
    socket.on('readable', () => this.serve());
    socket.on('end', () => this.#end());
    socket.on('error', (reason) => this.#end(posix(reason)));
    for (const name of ['nodelay', 'keepalive']) if (this.options.get(name)) this.apply(name, true);
    this.serve();
  }

  protected sockname(): Answer {
    return this.#phase === 'fresh' || this.#phase === 'closed' ? error('einval') : ['ok', this.#sockname];
  }

  protected peername(): Answer {
    if (this.#phase === 'fresh' || this.#phase === 'closed' || this.#error) return error('enotconn');
    return ['ok', this.#peername];
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

  #canSend(): boolean {
    return this.#isOpen() && !this.#writeEnded && this.#error === undefined;
  }

  #isOpen(): boolean {
    return this.#phase === 'open' || this.#phase === 'readClosed';
  }

  /** Says why nothing can be sent, once the end has been told as it should be. */
  #refuse(caller: Pid | undefined): void {
    const reason = this.#isOpen() ? this.#endBySend() : this.#lateSend ? 'closed' : 'enotconn';
    this.#lateSend = false;
    this.#reply(caller, error(reason));
    // After the reply: of a port that has ended there is none.
    if (this.#hasToExit) this.port.exit(0);
  }

  #endBySend(): string {
    if (this.active.wanted > 0) {
      const reason = this.#tellEnd();
      this.#close();
      this.#hasToExit = this.options.get('exit_on_close') === true;
      return reason;
    }
    const reason = this.#visibleError() ?? 'closed';
    this.#close();
    this.#lateRecv = reason === 'closed';
    return reason;
  }

  #write(bytes: Buffer): void {
    const socket = this.#socket as net.Socket;
    // What the system takes at once never is in the queue.
    let queued = false;
    socket.write(bytes, () => {
      if (!queued || this.port.sizeq() < bytes.length) return;
      const low = this.options.get('low_watermark') as number;
      if (this.port.deq(bytes.length) <= low) this.#roomAgain('ok');
    });
    if (socket.writableLength === 0) return;
    queued = true;
    this.port.enq(bytes);
  }

  #roomAgain(answer: Answer): void {
    if (this.#busyCallers.length === 0) return;
    this.port.cancel_timer();
    this.port.set_busy(false);
    for (const pid of this.#busyCallers.splice(0)) this.#reply(pid, answer);
  }

  #reply(pid: Pid | undefined, answer: Answer): void {
    if (pid) this.port.send_term(pid, ['inet_reply', this.port.id, answer]);
  }

  #shutdown(how: unknown): Answer {
    if (this.#phase === 'fresh' || this.#phase === 'closed' || this.#error) return error('enotconn');
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
    if (this.#phase === 'fresh') return error('enotconn');
    if (this.#phase === 'closed') {
      const reason = this.#lateRecv ? 'closed' : 'enotconn';
      this.#lateRecv = false;
      return error(reason);
    }
    if (this.active.wanted > 0 || (length > 0 && this.options.get('packet') !== 0)) return error('einval');
    if (this.#receiver) return error('ealready');
    if (this.#phase === 'readClosed') return error('closed');
    const receiver = this.waiters.add(request, () => {
      this.#receiver = undefined;
    });
    this.#receiver = receiver;
    this.serve();
    return 'ok';
  }

  protected serve(): void {
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

  #end(reason?: string): void {
    if (this.#phase === 'closed') return;
    this.#ended = true;
    this.#error ??= reason;
    if (reason !== undefined) {
      this.port.deq(this.port.sizeq());
      this.#roomAgain(error('closed'));
    }
    this.serve();
  }

  /** A connection that the peer has reset looks closed, unless one asks. */
  #visibleError(): string | undefined {
    if (this.#error === 'epipe') return undefined;
    return this.#error === 'econnreset' && !this.options.get('show_econnreset') ? undefined : this.#error;
  }

  #tellEnd(reason = this.#visibleError()): string {
    if (reason !== undefined) this.tell('error', reason);
    this.tell('closed');
    return reason ?? 'closed';
  }

  #endActive(reason?: string): void {
    this.#tellEnd(reason);
    this.#incoming.clear();
    if (this.options.get('exit_on_close') || reason !== undefined || this.#error) {
      this.#phase = 'closed';
      this.port.exit(0);
    } else this.#phase = 'readClosed';
  }

  #endPassive(receiver: Waiter, failure: string | undefined): void {
    const reason = failure ?? this.#visibleError() ?? 'closed';
    if (this.options.get('exit_on_close') || reason !== 'closed') {
      this.#close();
      this.#lateSend = reason === 'closed';
    } else this.#phase = 'readClosed';
    this.#incoming.clear();
    receiver.answer(error(reason));
  }

  #close(): void {
    this.#phase = 'closed';
    this.#incoming.clear();
    this.port.deq(this.port.sizeq());
    this.#release();
  }

  #release(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket) return;
    socket.removeAllListeners('readable');
    const [lingers, seconds] = this.options.get('linger') as [boolean, number];
    if (lingers && seconds === 0 && !socket.connecting) socket.resetAndDestroy();
    else socket.destroy();
  }
}
