import { closeFd, dupFd, LOST_FD } from '../../native/index.js';
import {
  decodeNumbers,
  encodeNumbers,
  HYPERCALL_ALLOC_CHANNEL,
  HYPERCALL_BIND_CHANNEL,
  HYPERCALL_CLOSE_CHANNEL,
  HYPERCALL_END_ACCESS,
  HYPERCALL_GRANT,
  HYPERCALL_HELLO,
  HYPERCALL_MAP,
  HYPERCALL_RESUME,
  isHypercall,
  MAX_NAME_BYTES,
} from '../hypercall.js';
import { type Domid, isDomid } from '../hypervisor.js';
import type { UnixChannel } from '../unix-channel.js';
import { XenstoreError } from '../xenstore/errors.js';
import type { XenstoreConnection, XenstoreServer } from '../xenstore/server.js';
import { CHANGES, onlyString, type Packet, XS_ERROR, XS_TRANSACTION_END } from '../xenstore/wire.js';
import { makeDescriptors } from './descriptors.js';
import { nameDomain, releaseDomain } from './domain-home.js';
import type { EventChannels } from './event-channels.js';
import type { GrantTable } from './grant-table.js';
import { isOthersInvitation } from './invitations.js';
import type { User } from './users.js';

interface Answer {
  readonly payload: Buffer;
  /** Descriptors that go with it; theirs from here on. */
  readonly fds?: readonly number[];
}

/** From how many memfds one MAP may take pages: each travels as a descriptor. */
const MOST_MEMORIES = 16;

const OK: Answer = { payload: Buffer.from('OK\0') };

/** What lingd has for a domain that has connected. */
export interface Surroundings {
  /** Whose domain it is. */
  readonly user: User;
  readonly channel: UnixChannel;
  readonly xenstore: XenstoreServer;
  readonly grants: GrantTable;
  readonly channels: EventChannels;
  /** Domain 0 has released the domain: its connection has to end. */
  readonly onReleased: () => void;
  /** The domain has said hello: how it comes back to another lingd. */
  readonly onHello: (name: string) => { secret: Buffer; lease: number | undefined };
  /** A request of that number has changed something in the Xenstore; it is answered next. */
  readonly onChange: (request: number) => void;
  /** A request of that type has been answered with that error. */
  readonly onError: (type: number, code: string) => void;
}

/** A connected domain: its home in Xenstore, its Xenstore requests and its hypercalls. */
export class DomainConnection {
  readonly #lingd: Surroundings;
  readonly #xenstoreConnection: XenstoreConnection;
  /** Since when, in milliseconds since 1970. */
  readonly since = Date.now();
  /** The type of the request that is handled. */
  #handled = 0;

  constructor(
    readonly domid: Domid,
    surroundings: Surroundings,
  ) {
    const { channel, xenstore, onReleased, onChange, onError } = surroundings;
    this.#lingd = surroundings;
    this.#xenstoreConnection = xenstore.connect({
      domid,
      privileged: false,
      send: (packet) => {
        if (tellsOfChange(packet)) onChange(packet.reqId);
        if (packet.type === XS_ERROR) onError(this.#handled, onlyString(packet.payload) ?? '');
        channel.send(packet);
      },
      backlog: channel,
      onReleased,
    });
  }

  /** Takes back all that the domain has been given. */
  end(): void {
    const { xenstore, grants, channels } = this.#lingd;
    this.#xenstoreConnection.close();
    grants.endAllOf(this.domid);
    channels.closeAllOf(this.domid);
    releaseDomain(xenstore, this.domid);
  }

  handle(packet: Packet, fds: number[]): void {
    this.#handled = packet.type;
    if (!isHypercall(packet.type)) {
      fds.forEach(closeFd);
      if (isOthersInvitation(this.domid, packet)) this.#refuse(packet, 'EACCES');
      else this.#xenstoreConnection.handle(packet);
      return;
    }
    try {
      if (fds.includes(LOST_FD)) throw new XenstoreError('EMFILE');
      const { payload, fds: given } = this.#call(packet, fds);
      this.#lingd.channel.send({ ...packet, payload }, given);
    } catch (error) {
      // A call of ours or of the system that was refused (EMFILE ...); anything else is a fault in lingd.
      const { code } = error as NodeJS.ErrnoException;
      if (!code) throw error;
      this.#refuse(packet, code);
    } finally {
      fds.forEach(closeFd);
    }
  }

  #refuse(packet: Packet, code: string): void {
    this.#lingd.onError(packet.type, code);
    this.#lingd.channel.send({ ...packet, type: XS_ERROR, payload: Buffer.from(`${code}\0`) });
  }

  /** Takes out of `fds` what it keeps. */
  #call(packet: Packet, fds: number[]): Answer {
    const { domid } = this;
    const { user, grants, channels } = this.#lingd;
    if (packet.type === HYPERCALL_HELLO) return this.#hello(packet.payload);
    if (packet.type === HYPERCALL_RESUME) throw new XenstoreError('EISCONN');
    const numbers = numbersOf(packet);
    switch (packet.type) {
      case HYPERCALL_GRANT: {
        const [peer, count] = exactly(2, numbers);
        if (fds.length !== 1 || !isDomid(peer)) throw new XenstoreError('EINVAL');
        return {
          payload: encodeNumbers(grants.grant(user, domid, peer, fds.pop() as number, count as number)),
        };
      }
      case HYPERCALL_MAP:
        return this.#map(numbers);
      case HYPERCALL_END_ACCESS:
        grants.end(domid, numbers);
        return OK;
      case HYPERCALL_ALLOC_CHANNEL: {
        const [peer] = exactly(1, numbers);
        if (!isDomid(peer)) throw new XenstoreError('EINVAL');
        const { port, doorbell } = channels.allocate(user, domid, peer);
        return { payload: encodeNumbers(port), fds: [doorbell] };
      }
      case HYPERCALL_BIND_CHANNEL: {
        const [remote, remotePort] = exactly(2, numbers);
        const { port, doorbell } = channels.bind(user, domid, remote as number, remotePort as number);
        return { payload: encodeNumbers(port), fds: [doorbell] };
      }
      case HYPERCALL_CLOSE_CHANNEL: {
        const [port] = exactly(1, numbers);
        channels.close(domid, port as number);
        return OK;
      }
      default:
        throw new XenstoreError('ENOSYS');
    }
  }

  #hello(payload: Buffer): Answer {
    const name = payload.toString();
    if (payload.length > MAX_NAME_BYTES || !/^\P{Cc}+$/u.test(name)) throw new XenstoreError('EINVAL');
    const { xenstore, onHello } = this.#lingd;
    const { secret, lease } = onHello(name);
    nameDomain(xenstore, this.domid, name);
    const answer = Buffer.concat([encodeNumbers(this.domid), secret]);
    return { payload: answer, fds: lease === undefined ? [] : [lease] };
  }

  #map([granter, ...refs]: number[]): Answer {
    if (granter === undefined || refs.length === 0) throw new XenstoreError('EINVAL');
    const pages = this.#lingd.grants.lookUp(granter, this.domid, refs);
    const memories = [...new Set(pages.map(({ fd }) => fd))];
    if (memories.length > MOST_MEMORIES) throw new XenstoreError('E2BIG');
    const places = pages.flatMap(({ fd, page }) => [memories.indexOf(fd), page]);
    return { payload: encodeNumbers(...places), fds: makeDescriptors(memories.map((fd) => () => dupFd(fd))) };
  }
}

/** Whether it is the answer to a request that was done; those of transactions only are when they end. */
function tellsOfChange({ type, txId }: Packet): boolean {
  return type === XS_TRANSACTION_END || (txId === 0 && CHANGES.has(type));
}

function numbersOf(packet: Packet): number[] {
  const numbers = decodeNumbers(packet.payload);
  if (!numbers) throw new XenstoreError('EINVAL');
  return numbers;
}

function exactly(count: number, numbers: number[]): number[] {
  if (numbers.length !== count) throw new XenstoreError('EINVAL');
  return numbers;
}
