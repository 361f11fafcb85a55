import type { XenstoreConnection, XenstoreServer } from '#xen/xenstore/server';
import {
  type Packet,
  splitStrings,
  XS_DIRECTORY,
  XS_ERROR,
  XS_GET_PERMS,
  XS_MKDIR,
  XS_READ,
  XS_RM,
  XS_SET_PERMS,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_UNWATCH,
  XS_WATCH,
  XS_WATCH_EVENT,
  XS_WRITE,
} from '#xen/xenstore/wire';

/** A client in one turn: each call gives the answer's payload as text, or the name of the error. */
export class Requester {
  /** Events received, as `path token`. */
  readonly events: string[] = [];
  readonly connection: XenstoreConnection;
  readonly #answers: Packet[] = [];

  constructor(server: XenstoreServer, domid = 0) {
    this.connection = server.connect({
      domid,
      privileged: domid === 0,
      send: (packet) => {
        if (packet.type === XS_WATCH_EVENT) this.events.push(splitStrings(packet.payload).join(' '));
        else this.#answers.push(packet);
      },
    });
  }

  ask(type: number, payload: string, txId = 0): string | undefined {
    this.connection.handle({ type, reqId: 1, txId, payload: Buffer.from(payload, 'latin1') });
    const answer = this.#answers.shift();
    if (answer === undefined) return undefined;
    return answer.type === XS_ERROR ? splitStrings(answer.payload)[0] : answer.payload.toString('latin1');
  }

  read = (path: string, tx?: number) => this.ask(XS_READ, `${path}\0`, tx);
  directory = (path: string, tx?: number) => this.ask(XS_DIRECTORY, `${path}\0`, tx);
  getPerms = (path: string, tx?: number) => this.ask(XS_GET_PERMS, `${path}\0`, tx);
  write = (path: string, value: string, tx?: number) => this.#done(XS_WRITE, `${path}\0${value}`, tx);
  mkdir = (path: string, tx?: number) => this.#done(XS_MKDIR, `${path}\0`, tx);
  rm = (path: string, tx?: number) => this.#done(XS_RM, `${path}\0`, tx);
  setPerms = (path: string, perms: string, tx?: number) =>
    this.#done(XS_SET_PERMS, `${path}\0${perms.replaceAll(' ', '\0')}\0`, tx);
  watch = (path: string, token = 't') => this.#done(XS_WATCH, `${path}\0${token}\0`);
  unwatch = (path: string, token = 't') => this.#done(XS_UNWATCH, `${path}\0${token}\0`);
  start = () => Number.parseInt(this.ask(XS_TRANSACTION_START, '\0') ?? '', 10);
  end = (tx: number, verdict: 'T' | 'F' = 'T') => this.#done(XS_TRANSACTION_END, `${verdict}\0`, tx);

  /** The events since the last call. */
  takeEvents(): string[] {
    return this.events.splice(0);
  }

  #done(type: number, payload: string, tx?: number): string | undefined {
    return this.ask(type, payload, tx)?.replace(/^OK\0$/, 'OK');
  }
}

/** A domain introduced, with a home of its own, as a toolstack makes it. */
export function newDomain(server: XenstoreServer, domid: number): Requester {
  server.introduce(domid);
  server.mkdir(`/local/domain/${domid}`);
  server.setPerms(`/local/domain/${domid}`, [`n${domid}`]);
  return new Requester(server, domid);
}
