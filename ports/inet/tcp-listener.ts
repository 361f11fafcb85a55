import net from 'node:net';
import type { DriverPort } from '../driver.js';
import { endOf } from './address.js';
import { ACCEPT, type Answer, error, OPEN, RECV, SHUTDOWN } from './operations.js';
import { TCP_OPTIONS } from './options.js';
import { posix } from './posix.js';
import { InetSocket } from './socket.js';
import { TcpStream } from './tcp-stream.js';
import type { Waiter } from './waiters.js';

/** A socket that listens. Connections are what waits in the queue until somebody accepts them; nothing of them is read. */
export class TcpListener extends InetSocket {
  readonly #server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  readonly #pending: net.Socket[] = [];
  readonly #accepting = new Set<Waiter>();

  constructor(port: DriverPort) {
    super('tcp', port, TCP_OPTIONS);
  }

  override call(operation: number, argument: unknown): Answer {
    switch (operation) {
      case OPEN:
        return this.#listen(argument);
      case ACCEPT: {
        const acceptor: Waiter = this.waiters.add(argument, () => this.#accepting.delete(acceptor));
        this.#accepting.add(acceptor);
        this.#match();
        return 'ok';
      }
      case RECV:
      case SHUTDOWN:
        return error('enotconn');
      default:
        return super.call(operation, argument);
    }
  }

  output(): void {
    const caller = this.port.caller();
    if (caller) this.port.send_term(caller, ['inet_reply', this.port.id, error('enotconn')]);
  }

  override stop(): void {
    super.stop();
    this.#server.close();
    // As the system does with those that nobody has accepted.
    for (const socket of this.#pending.splice(0)) socket.resetAndDestroy();
  }

  #listen(request: unknown): Answer {
    const [, target] = request as [unknown, net.ListenOptions];
    const waiter = this.waiters.add(request);
    this.#server.on('error', (reason) => waiter.answer(error(posix(reason))));
    this.#server.on('listening', () => waiter.answer('ok'));
    this.#server.on('connection', (socket) => {
      // Who accepts it will see.
      socket.on('error', () => {});
      this.#pending.push(socket);
      this.#match();
    });
    this.#server.listen(target);
    return 'ok';
  }

  #match(): void {
    for (const acceptor of this.#accepting) {
      const socket = this.#pending[0];
      if (!socket) return;
      this.#accepting.delete(acceptor);
      let stream: TcpStream | undefined;
      if (acceptor.pid.receiver === undefined) {
        acceptor.answer(error('closed'));
        continue;
      }
      this.#pending.shift();
      const { id } = this.port.create_port(acceptor.pid, 'tcp_inet', (port) => {
        stream = new TcpStream(port, this);
        return stream;
      });
      acceptor.answer(['ok', id]);
      stream?.attach(socket);
    }
  }

  protected sockname(): Answer {
    const address = this.#server.address();
    if (address === null) return error('einval');
    return ['ok', typeof address === 'string' ? endOf(address, 0) : endOf(address.address, address.port)];
  }

  protected peername(): Answer {
    return error('enotconn');
  }

  // Options are for the connections to come.
  protected apply(): void {}
  protected serve(): void {}
}
