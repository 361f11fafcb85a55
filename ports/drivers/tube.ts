import { ErlangError } from '../../actors/errors.js';
import type { Pid } from '../../actors/identifiers.js';
import { list } from '../../actors/term.js';
import { MAX_PACKET, type TubeCounters, type TubeEnd } from '../../native/index.js';
import { PacketReader } from '../../native/packet-reader.js';
import { type Domid, type Hypervisor, isDomid } from '../../xen/hypervisor.js';
import type { Driver, DriverInstance, DriverPort } from '../driver.js';
import type { PortOptions } from '../port-options.js';
import { Inbox } from './tube-inbox.js';
import { isTubeOptionName, parseTubeOptions, type TubeSettings } from './tube-options.js';
import { Outbox } from './tube-outbox.js';
import { TubeResources } from './tube-resources.js';

/** The accepting side: makes and grants the ring. Peer domid -> 0, ring reference, channel tx, channel rx. */
export const TUBE_OPEN = 1;
/** The opening side: maps it. Peer domid, ring reference, channel tx, channel rx -> 0. */
export const TUBE_ATTACH = 2;
/** -> 0; then `{can_send, Tube, N}` to the caller, as soon as packets can be sent. */
export const TUBE_SEND_SLOTS = 3;
/**
 * Ours: the peer is gone. -> 0, packets received in all. Ends the port with reason normal, once what the peer had
 * sent is delivered.
 */
export const TUBE_HANGUP = 4;
/** Ours, in passive mode: milliseconds, or nothing to wait for ever -> 0 and one packet, or 2 when none has come. */
export const TUBE_RECV = 5;

/** port_call, ours: a list of options -> `ok`. Raises badarg. */
export const TUBE_SETOPTS = 1;
/** port_call, ours: a list of names of options -> a list of options. Raises badarg. */
export const TUBE_GETOPTS = 2;

/**
 * LING's tube driver: packets of 1 to 4096 bytes through memory shared with another domain. The operations of
 * port_control are LING's; numbers are 32-bit big-endian, and a malformed request is answered with the byte 1.
 *
 * Options, of which the first two can be changed at any time: `full`, `drop` (default: output never waits, a packet
 * that finds the ring full is dropped and counted) or `busy` (the port is busy from when the ring is full until half
 * of it is free; `force` drops); `active`, as inet has it, default true (`{tube_passive, Tube}` comes after the
 * last of a number); `tid`, for port_info to say.
 *
 * When a lying peer has written nonsense into the shared pages, the port ends with reason `eproto`; a hypercall that
 * fails ends it with the error's name in lower case.
 */
export function tubeDriver(hypervisor: Hypervisor): Driver {
  const reader = new PacketReader();
  return {
    name: 'tube',
    hidesNoProgram: true,
    binaryControl: true,
    softBusy: true,
    options: ['full', 'active', 'tid'],
    start: (port, _command, { own }) => new Tube(port, hypervisor, reader, own),
  };
}

/** What tubes add to port_info. */
export interface TubeInfo extends TubeSettings {
  readonly packets: [sent: number, received: number];
  readonly drops: number;
  readonly side: 'opener' | 'acceptor' | 'undefined';
  readonly peer: Domid | 'undefined';
  readonly tid: number | 'undefined';
  /** When the rings were there, in milliseconds of Unix time. */
  readonly since: number | 'undefined';
  readonly state: 'closing' | 'connected' | 'unconnected';
}

const NO_COUNTERS: TubeCounters = {
  sentPackets: 0,
  sentBytes: 0,
  droppedPackets: 0,
  receivedPackets: 0,
  receivedBytes: 0,
};

class Tube implements DriverInstance {
  readonly #port: DriverPort;
  readonly #hypervisor: Hypervisor;
  readonly #resources: TubeResources;
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  readonly #tid: unknown;
  #side: 'opener' | 'acceptor' | undefined;
  #peer: Domid | undefined;
  /** When the rings were there, in Unix time. */
  #since: number | undefined;
  #end: TubeEnd | undefined;
  #starting = false;
  #stopped = false;
  /** The peer is gone. */
  #hungUp = false;
  #looking = false;
  #counters = NO_COUNTERS;

  constructor(port: DriverPort, hypervisor: Hypervisor, reader: PacketReader, options: PortOptions['own']) {
    this.#port = port;
    this.#hypervisor = hypervisor;
    this.#resources = new TubeResources(hypervisor);
    this.#inbox = new Inbox(port, reader);
    this.#outbox = new Outbox(port, () => this.#lookSoon());
    const tid = options.get('tid') ?? 'undefined';
    if (tid !== 'undefined' && !isTid(tid)) throw new ErlangError('badarg', 'that is no tid');
    this.#tid = tid;
    this.#set([...options].filter(([name]) => isTubeOptionName(name)));
  }

  output(data: Uint8Array): void {
    if (data.length === 0 || data.length > MAX_PACKET) {
      throw new ErlangError('badarg', `a packet has 1 to ${MAX_PACKET} bytes, not ${data.length}`);
    }
    this.#outbox.write(data);
  }

  control(operation: number, data: Uint8Array): Uint8Array | Promise<Uint8Array> {
    const numbers = decode(data);
    const [first, ringRef, tx, rx] = numbers;
    switch (operation) {
      case TUBE_OPEN:
        if (numbers.length !== 1 || !isDomid(first) || this.#starting) return MALFORMED;
        return this.#start('acceptor', first, async () => {
          const [end, told] = await this.#resources.open(first);
          return [end, encode(...told)];
        });
      case TUBE_ATTACH:
        if (numbers.length !== 4 || !isDomid(first) || this.#starting) return MALFORMED;
        return this.#start('opener', first, async () => {
          const end = await this.#resources.attach(first, ringRef as number, tx as number, rx as number);
          return [end, encode()];
        });
      case TUBE_SEND_SLOTS:
        if (data.length !== 0 || !this.#end) return MALFORMED;
        this.#outbox.ask(this.#port.caller() as Pid);
        return encode();
      case TUBE_HANGUP:
        if (data.length !== 0) return MALFORMED;
        return encode(this.#hangUp());
      case TUBE_RECV:
        if (numbers.length > 1 || numbers.length * 4 !== data.length || this.#inbox.active !== false)
          return MALFORMED;
        return this.#recv(first);
      default:
        return MALFORMED;
    }
  }

  call(operation: number, argument: unknown): unknown {
    switch (operation) {
      case TUBE_SETOPTS:
        this.#set(argument);
        this.#look();
        return 'ok';
      case TUBE_GETOPTS:
        return this.#get(argument);
      default:
        throw new ErlangError('badarg', `a tube knows no call ${operation}`);
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#inbox.stop();
    this.#outbox.stop();
    this.#release();
  }

  info(): TubeInfo {
    const { sentPackets, receivedPackets, droppedPackets } = this.#end?.counters() ?? this.#counters;
    return {
      packets: [sentPackets, receivedPackets],
      drops: droppedPackets,
      side: this.#side ?? 'undefined',
      peer: this.#peer ?? 'undefined',
      tid: this.#tid as TubeInfo['tid'],
      since: this.#since ?? 'undefined',
      state: this.#hungUp ? 'closing' : this.#end ? 'connected' : 'unconnected',
      full: this.#outbox.full,
      active: this.#inbox.active,
    };
  }

  // ---- Options

  /** All of them, or none. */
  #set(given: unknown): void {
    const options = parseTubeOptions(given);
    this.#inbox.checkActive(options.flatMap(([name, value]) => (name === 'active' ? [value] : [])));
    for (const option of options) {
      if (option[0] === 'full') this.#outbox.full = option[1];
      else this.#inbox.active = option[1];
    }
  }

  #get(names: unknown): unknown {
    const settings: TubeSettings = { full: this.#outbox.full, active: this.#inbox.active };
    if (!Array.isArray(names) || !names.every(isTubeOptionName)) {
      throw new ErlangError('badarg', 'a tube has no such option');
    }
    return list(...names.map((name) => [name, settings[name]]));
  }

  // ---- Setting up, and taking down

  async #start(
    side: 'opener' | 'acceptor',
    peer: Domid,
    setUp: () => Promise<[end: TubeEnd, answer: Uint8Array]>,
  ): Promise<Uint8Array> {
    this.#starting = true;
    this.#side = side;
    this.#peer = peer;
    try {
      const [end, answer] = await setUp();
      this.#begin(end);
      // The port was closed while the hypervisor worked.
      if (this.#stopped) this.#release();
      return answer;
    } catch (error) {
      this.#release();
      const { code } = error as NodeJS.ErrnoException;
      if (!code) throw error;
      this.#port.failure(code.toLowerCase());
      return MALFORMED;
    }
  }

  #begin(end: TubeEnd): void {
    this.#end = end;
    this.#since = Date.now();
    if (this.#stopped) return;
    this.#hypervisor.watcher.on(end.packetsToken, () => {
      this.#inbox.disarmed();
      this.#lookUnlessSoon();
    });
    this.#hypervisor.watcher.on(end.roomToken, () => {
      this.#outbox.disarmed();
      this.#lookUnlessSoon();
    });
    this.#inbox.begin(end);
    this.#outbox.begin(end);
    this.#look();
  }

  #release(): void {
    const end = this.#end;
    if (end) {
      this.#hypervisor.watcher.off(end.packetsToken);
      this.#hypervisor.watcher.off(end.roomToken);
      this.#counters = end.counters();
      end.close();
      this.#end = undefined;
    }
    this.#resources.release();
  }

  /** Answers how many packets have come in all. */
  #hangUp(): number {
    this.#end?.mute();
    this.#inbox.hangUp();
    this.#outbox.stop();
    this.#release();
    this.#hungUp = true;
    if (this.#inbox.isEmpty) this.#port.failure_eof();
    return this.#counters.receivedPackets % 2 ** 32;
  }

  // ---- Packets

  /**
   * Delivers what waits and answers who waits for room. As long as there is anything to do, or soon will be, this
   * looks again in the next turn of the event loop, without a doorbell; only when that is armed, and there still is
   * nothing, it sleeps.
   */
  #look(): void {
    const packets = this.#inbox.receive();
    const room = this.#outbox.giveRoom();
    if (packets || room) this.#lookSoon();
    // Not within this call: who asks for the last packet is answered before the port ends.
    else if (this.#hungUp && this.#inbox.isEmpty) setImmediate(() => this.#port.failure_eof());
  }

  #lookUnlessSoon(): void {
    if (!this.#looking) this.#look();
  }

  #lookSoon(): void {
    if (this.#looking) return;
    this.#looking = true;
    setImmediate(this.#lookAgain);
  }

  readonly #lookAgain = (): void => {
    this.#looking = false;
    this.#look();
  };

  async #recv(timeout: number | undefined): Promise<Uint8Array> {
    const packet = await this.#inbox.recv(this.#port.caller() as Pid, timeout, () => this.#look());
    return packet ? Buffer.concat([encode(), packet]) : TIMED_OUT;
  }
}

/** The number of a tube between two domains. */
export function isTid(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffff_ffff;
}

const MALFORMED = Uint8Array.of(1);
const TIMED_OUT = Uint8Array.of(2);

/** An answer: the byte 0, then the numbers. */
function encode(...numbers: number[]): Uint8Array {
  const bytes = Buffer.alloc(1 + numbers.length * 4);
  numbers.forEach((number, i) => {
    bytes.writeUInt32BE(number, 1 + i * 4);
  });
  return bytes;
}

/** The numbers of a request; none at all for bytes that are no whole number of them. */
function decode(data: Uint8Array): number[] {
  if (data.length % 4 !== 0) return [];
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  return Array.from({ length: data.length / 4 }, (_, i) => view.getUint32(i * 4));
}
