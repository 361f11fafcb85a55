import { ErlangError } from '../../actors/errors.js';
import type { Pid } from '../../actors/identifiers.js';
import { list } from '../../actors/term.js';
import { MAX_PACKET, type TubeCounters, type TubeEnd } from '../../native/index.js';
import { PacketReader } from '../../native/packet-reader.js';
import { type Domid, type Hypervisor, isDomid } from '../../xen/hypervisor.js';
import { MOST_TID } from '../../xen/tube-handshake.js';
import type { Driver, DriverInstance, DriverPort } from '../driver.js';
import type { PortOptions } from '../port-options.js';
import { Inbox } from './tube-inbox.js';
import { isTubeOptionName, parseTubeOptions, type TubeSettings } from './tube-options.js';
import { Outbox } from './tube-outbox.js';
import { isRingSize, TubeResources } from './tube-resources.js';

/**
 * The accepting side: makes and grants the rings. Peer domid -> 0, ring reference, channel tx, channel rx. Ours: behind the
 * domid the size of each of two packed rings.
 */
export const TUBE_OPEN = 1;
/** The opening side: maps them. Peer domid, ring reference, channel tx, channel rx -> 0. Ours: behind these their size. */
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
 * Options, of which the first three can be changed at any time: `full`, `drop` (default: output never waits, a packet
 * that finds the ring full is dropped and counted) or `busy` (the port is busy from when the ring is full until half
 * of it is free; `force` drops); `active`, as inet has it, default true (`{tube_passive, Tube}` comes after the
 * last of a number); `spin`, see {@link TubeSettings}; `tid`, for port_info to say.
 *
 * When a lying peer has written nonsense into the shared pages, or rings a thousand times for nothing, the port ends with reason `eproto`; a hypercall that
 * fails ends it with the error's name in lower case.
 */
export function tubeDriver(hypervisor: Hypervisor): Driver {
  const reader = new PacketReader();
  return {
    name: 'tube',
    hidesNoProgram: true,
    binaryControl: true,
    softBusy: true,
    options: ['full', 'active', 'spin', 'tid'],
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
  /** Bytes that each direction holds, or as LING has it. */
  readonly ring: number | 'ling' | 'undefined';
  /** When the rings were there, in milliseconds of Unix time. */
  readonly since: number | 'undefined';
  readonly state: 'closing' | 'connected' | 'unconnected';
}

const MOST_VAIN_WAKE_UPS = 1000;

/** Its 31 slots are filled and emptied in less time than it takes to sleep and be woken. */
const SPIN_OF_LING = 100;

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
  #ring: TubeInfo['ring'] = 'undefined';
  /** When the rings were there, in Unix time. */
  #since: number | undefined;
  #end: TubeEnd | undefined;
  #spin = 0;
  #starting = false;
  #stopped = false;
  /** The peer is gone. */
  #hungUp = false;
  #looking = false;
  /** Since something was there for the last time. */
  #vainWakeUps = 0;
  /** How much had been taken, and how often there was room, after the last of them. */
  #doneAtWakeUp = 0;
  #counters = NO_COUNTERS;

  constructor(port: DriverPort, hypervisor: Hypervisor, reader: PacketReader, options: PortOptions['own']) {
    this.#port = port;
    this.#hypervisor = hypervisor;
    this.#resources = new TubeResources(hypervisor);
    this.#inbox = new Inbox(port, reader);
    this.#outbox = new Outbox(
      port,
      () => this.#lookSoon(),
      () => this.#inbox.sent(),
    );
    const tid = options.get('tid') ?? 'undefined';
    if (tid !== 'undefined' && !isTid(tid)) throw new ErlangError('badarg', 'that is no tid');
    this.#tid = tid;
    this.#set([...options].filter(([name]) => isTubeOptionName(name)));
  }

  output(data: Uint8Array): void {
    this.#write(data, data.length);
  }

  outputv(data: readonly Uint8Array[], size: number): void {
    this.#write(size <= MAX_PACKET ? gather(data) : together, size);
  }

  #write(bytes: Uint8Array, size: number): void {
    if (size === 0 || size > MAX_PACKET) {
      throw new ErlangError('badarg', `a packet has 1 to ${MAX_PACKET} bytes, not ${size}`);
    }
    this.#outbox.write(bytes, size);
  }

  control(operation: number, data: Uint8Array): Uint8Array | Promise<Uint8Array> {
    const numbers = decode(data);
    const [first] = numbers;
    switch (operation) {
      case TUBE_OPEN: {
        const [ringSize] = numbers.slice(1);
        if (!isDomid(first) || !hasSize(numbers, 1) || this.#starting) return MALFORMED;
        return this.#start('acceptor', first, ringSize, async (size) => {
          const [end, told] = await this.#resources.open(first, size);
          return [end, encode(...told)];
        });
      }
      case TUBE_ATTACH: {
        const [ringRef, tx, rx, ringSize] = numbers.slice(1) as [number, number, number, number?];
        if (!isDomid(first) || !hasSize(numbers, 4) || this.#starting) return MALFORMED;
        return this.#start('opener', first, ringSize, async (size) => {
          const end = await this.#resources.attach(first, ringRef, tx, rx, size);
          return [end, encode()];
        });
      }
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
      ring: this.#ring,
      since: this.#since ?? 'undefined',
      state: this.#hungUp ? 'closing' : this.#end ? 'connected' : 'unconnected',
      ...this.#settings,
    };
  }

  // ---- Options

  /** All of them, or none. */
  #set(given: unknown): void {
    const options = parseTubeOptions(given);
    this.#inbox.checkActive(options.flatMap(([name, value]) => (name === 'active' ? [value] : [])));
    for (const option of options) {
      if (option[0] === 'full') this.#outbox.full = option[1];
      else if (option[0] === 'active') this.#inbox.active = option[1];
      else this.#setSpin(option[1]);
    }
  }

  get #settings(): TubeSettings {
    return { full: this.#outbox.full, active: this.#inbox.active, spin: this.#spin };
  }

  #setSpin(microseconds: number): void {
    this.#spin = microseconds;
    this.#inbox.spin = microseconds / 1000;
    this.#outbox.spin = microseconds / 1000;
  }

  #get(names: unknown): unknown {
    const settings = this.#settings;
    if (!Array.isArray(names) || !names.every(isTubeOptionName)) {
      throw new ErlangError('badarg', 'a tube has no such option');
    }
    return list(...names.map((name) => [name, settings[name]]));
  }

  // ---- Setting up, and taking down

  async #start(
    side: 'opener' | 'acceptor',
    peer: Domid,
    ringSize: number | undefined,
    setUp: (ringSize: number) => Promise<[end: TubeEnd, answer: Uint8Array]>,
  ): Promise<Uint8Array> {
    this.#starting = true;
    this.#side = side;
    this.#peer = peer;
    this.#ring = ringSize ?? 'ling';
    if (this.#ring === 'ling' && this.#spin === 0) this.#setSpin(SPIN_OF_LING);
    try {
      const [end, answer] = await setUp(ringSize ?? 0);
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
    for (const token of [end.packetsToken, end.roomToken])
      this.#hypervisor.watcher.on(token, () => this.#wakeUp());
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

  #wakeUp(): void {
    this.#inbox.disarmed();
    this.#outbox.disarmed();
    if (this.#looking) return;
    this.#look();
    // It happens, but not again and again, unless the peer rings for nothing to keep this side busy. What has been done
    // since the last time counts as well: who asks for packets himself finds them after their ring.
    const done = this.#inbox.taken + this.#outbox.relieved;
    this.#vainWakeUps = done === this.#doneAtWakeUp ? this.#vainWakeUps + 1 : 0;
    this.#doneAtWakeUp = done;
    if (this.#vainWakeUps > MOST_VAIN_WAKE_UPS) this.#port.failure('eproto');
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
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MOST_TID;
}

/** Whether they are so many, or one more that is the size of a ring. */
function hasSize(numbers: readonly number[], count: number): boolean {
  return numbers.length === count || (numbers.length === count + 1 && isRingSize(numbers[count] as number));
}

/** Where packets are put together; from there they go into the ring at once. */
const together = new Uint8Array(MAX_PACKET);

function gather(pieces: readonly Uint8Array[]): Uint8Array {
  let end = 0;
  for (const piece of pieces) {
    together.set(piece, end);
    end += piece.length;
  }
  return together;
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
