/**
 * LING's module `tube`: packet links between two domains on the same box.
 *
 * One side opens, the other accepts, in either order: each waits for the other. A tube is a port: send with
 * `self.port_command(tube, data)`, 1 to 4096 bytes a packet; packets come as `[tube, ['data', Buffer]]` to the
 * process that opened or accepted it, or that was given it by controlling_process, which is also linked to it. Packets
 * of one direction stay in order. A packet that finds the tube full is dropped; who wants no loss paces itself with
 * can_send, or opens the tube with `['full', 'busy']`.
 *
 * When the other side closes or dies, what it had sent before is delivered, then the port closes by itself: a
 * linked process that traps exits gets `['EXIT', tube, 'normal']`, and monitors get 'DOWN'. In passive mode that is
 * when all of it has been received; what is sent meanwhile is lost.
 *
 * Options, when it is opened or accepted and at any time later:
 * - `['full', 'busy']`: while the tube is full the port is busy. port_command then suspends its caller (it answers a
 *   promise) and sends as soon as half of the tube is free; with `nosuspend` it answers false, with `force` the packet
 *   is dropped. Nothing is lost then for lack of room, and no memory grows. `'drop'` is the default.
 * - `['active', Active]` as inet has it. `true`, the default: packets come as messages. `false`, passive mode: nothing
 *   is taken out of the tube, which fills up, and then its sender waits or drops. `'once'`: one packet, then passive.
 *   A number: that many packets (added to those that were left), then passive, which `['tube_passive', tube]` says.
 * - `['spin', microseconds]`, 0 to 1000: how long to look for packets before going to sleep. Waking up takes tens of
 *   microseconds; looking takes a core. Default 0: only where it has been worth it (an answer, a ring that was half full), for
 *   at most 50 or 100 microseconds; with LING's rings 100.
 *
 * Only when it is opened: `['ring', bytes]`, how much each direction holds, a power of two from 131072 (the default) to
 * 8388608, of which each packet takes its own bytes and 4 to 11 more; the other side may make it smaller (its boot option
 * `tubeRing`). `['ring', 'ling']`: LING's 31 packets of whatever size, as with every LING domain.
 */
import { badarg } from '../actors/errors.js';
import { formatShort } from '../actors/format.js';
import { Pid, Port } from '../actors/identifiers.js';
import type { Timeout } from '../actors/process.js';
import { isTuple, type List } from '../actors/term.js';
import {
  isTid,
  TUBE_GETOPTS,
  TUBE_RECV,
  TUBE_SEND_SLOTS,
  TUBE_SETOPTS,
  type TubeInfo,
} from '../ports/drivers/tube.js';
import {
  type OpenOption,
  parseOpenOptions,
  parseTubeOptions,
  type TubeOption,
  type TubeSettings,
} from '../ports/drivers/tube-options.js';
import type { IoData } from '../ports/iodata.js';
import type { Self } from '../ports/self.js';
import { type Domid, isDomid } from '../xen/hypervisor.js';
import { checkSelf } from './check-self.js';
import { passOn } from './pass-on.js';
import { type DataMessage, isData } from './port-messages.js';
import type { Done, Result } from './result.js';
import { callTubeServer } from './tube-call.js';
import { encode } from './tube-keeper.js';
import { isTube } from './tube-server.js';

export type { TubeInfo } from '../ports/drivers/tube.js';
export type { OpenOption, Ring, TubeOption, TubeSettings } from '../ports/drivers/tube-options.js';

export { isData } from './port-messages.js';

/** A tube is a port; `port_info` tells also what {@link TubeInfo} says. */
export type Tube = Port<Buffer, TubeInfo>;
/** A packet as its owner gets it. */
export type TubeMessage = DataMessage<Buffer>;
/** The answer to can_send_async: how many packets can be sent now, or that the tube has closed. */
export type CanSendMessage = ['can_send', tube: Port, slots: number | 'closed'];

/** After the last packet of `['active', N]`: no more come until it is set again. */
export type TubePassiveMessage = ['tube_passive', tube: Port];

/**
 * Opens a tube to another domain and waits until that accepts it. Any number of tubes can join two domains; the tid
 * tells them apart.
 *
 * `{error, Reason}`: badarg (no domid, a tid that is no integer from 0 to 2^32 - 1, or an unknown option), exists (this
 * tube is open from here already), not_found (no such domain, or none that accepts tubes), timeout (the other side has not
 * answered in time), closed (it has gone meanwhile; that may be after it had accepted, if it had sent nothing), or what the hypervisor refused, such as emfile. As with every
 * function here that waits, the caller exits if tube_server crashes meanwhile; after a crash the next one is waited for.
 */
export async function open(
  self: Self,
  domid: Domid,
  tid = 0,
  options: readonly OpenOption[] = [],
): Promise<Result<Tube>> {
  const parsed = orBadarg(() => parseOpenOptions(options));
  if (!isDomid(domid) || !isTid(tid) || parsed === undefined) return ['error', 'badarg'];
  return callTubeServer(self, ['open', domid, tid, parsed.options, parsed.ring]) as Promise<Result<Tube>>;
}

/**
 * Waits for the next tube that another domain opens to this one. Several processes may wait; each gets one.
 * `{error, econnreset}` when lingd goes for good meanwhile, `{error, enotconn}` when it has gone so, `{error, badarg}`
 * for an unknown option.
 */
export async function accept(self: Self, options: readonly TubeOption[] = []): Promise<Result<Tube>> {
  const parsed = orBadarg(() => parseTubeOptions(options));
  if (parsed === undefined) return ['error', 'badarg'];
  return callTubeServer(self, ['accept', parsed]) as Promise<Result<Tube>>;
}

/**
 * Closes the tube; anybody in this domain may. What was sent before can still be received on the other side; where the
 * tube is full and busy, what the caller has sent and not awaited goes first. When it
 * answers, the tube's name is free again on this side. `{error, badarg}` for what is no open tube.
 */
export async function close(self: Self, tube: Port): Promise<Done> {
  if (!isOpen(self, tube)) return ['error', 'badarg'];
  const sent = self.sent(tube);
  if (sent) await sent;
  return callTubeServer(self, ['close', tube]);
}

/**
 * Waits until packets can be sent without loss, and answers how many, whatever their sizes: in an empty tube 30, or 31 as
 * LING has it, or what a larger ring has room for. Several senders that ask at the same time are each told of a part of the
 * room; it is theirs for the next few turns of the event loop. `{error, closed}` when the tube closes meanwhile,
 * `{error, badarg}` for what is no open tube.
 */
export async function can_send(self: Self, tube: Port): Promise<Result<number, 'closed' | 'badarg'>> {
  const asked = can_send_async(self, tube);
  if (asked !== 'ok') return ['error', 'badarg'];
  const isAnswer = (message: unknown): message is CanSendMessage =>
    isTuple(message) && message[0] === 'can_send' && message[1] === tube;
  const [, , slots] = await self.receive(isAnswer);
  return slots === 'closed' ? ['error', 'closed'] : ['ok', slots];
}

/**
 * Sends each of them as `port_command` does, in order: one call for many packets, for who has many. Answers true when all
 * are sent, which with `['full', 'busy']` may take until there is room for them; in the other mode those that found none are
 * counted as drops. **To be awaited.** Raises badarg as port_command does: for a closed tube, also one that closes meanwhile,
 * and for what is no packet; those before that are sent.
 */
export async function send_many(self: Self, tube: Port, packets: readonly IoData[]): Promise<true> {
  checkSelf(self);
  for (let sent = self.commandMany(tube, packets); sent < packets.length; ) {
    // Suspends the caller, as there is no room.
    await self.port_command(tube, packets[sent++] as IoData);
    sent += self.commandMany(tube, packets, sent);
  }
  return true;
}

/** As can_send, but answers at once; `['can_send', tube, slots]` comes as a message, at the latest when the tube closes. */
export function can_send_async(self: Self, tube: Port): Done<'badarg'> {
  checkSelf(self);
  const answer = orBadarg(() => self.port_control(tube, TUBE_SEND_SLOTS, ''));
  return Buffer.isBuffer(answer) && answer[0] === 0 ? 'ok' : ['error', 'badarg'];
}

/**
 * The next packet, in passive mode; of several processes that wait each gets one, in turn. `{error, timeout}` when
 * none has come after so many milliseconds, `{error, closed}` when the tube has closed and nothing is left in it,
 * `{error, einval}` in any other mode, `{error, badarg}` for what is no tube. Raises badarg for a bad time.
 */
export async function recv(
  self: Self,
  tube: Port,
  timeout: Timeout = 'infinity',
): Promise<Result<Buffer, 'timeout' | 'closed' | 'einval' | 'badarg'>> {
  checkSelf(self);
  if (timeout !== 'infinity' && !isTid(timeout))
    throw badarg(`the timeout ${formatShort(timeout)} is no time`);
  if (!(tube instanceof Port)) return ['error', 'badarg'];
  if (self.port_info(tube, 'id') === 'undefined') return ['error', 'closed'];
  if (!isTube(self, tube)) return ['error', 'badarg'];
  try {
    const request = timeout === 'infinity' ? '' : encode(timeout);
    const answer = (await self.port_control(tube, TUBE_RECV, request)) as Buffer;
    if (answer[0] === 0) return ['ok', answer.subarray(1)];
    return ['error', answer[0] === 2 ? 'timeout' : 'einval'];
  } catch (error) {
    if (isBadarg(error)) return ['error', 'closed'];
    throw error;
  }
}

/** Sets options. `{error, einval}` for unknown ones, `{error, badarg}` for what is no open tube. Anybody may. */
export function setopts(self: Self, tube: Port, options: readonly TubeOption[]): Done<'badarg' | 'einval'> {
  if (!isOpen(self, tube)) return ['error', 'badarg'];
  return orBadarg(() => self.port_call(tube, TUBE_SETOPTS, options)) === 'ok' ? 'ok' : ['error', 'einval'];
}

/**
 * Options as they are, as a list of `[name, value]`: of `active` what is left of a number. `{error, einval}` and
 * `{error, badarg}` as of setopts.
 */
export function getopts<K extends keyof TubeSettings>(
  self: Self,
  tube: Port,
  names: readonly K[],
): Result<List<[K, TubeSettings[K]]>, 'badarg' | 'einval'> {
  if (!isOpen(self, tube)) return ['error', 'badarg'];
  const options = orBadarg(() => self.port_call(tube, TUBE_GETOPTS, names));
  return options === undefined ? ['error', 'einval'] : ['ok', options as List<[K, TubeSettings[K]]>];
}

/**
 * Gives the tube to another process together with what of it has come already, in any mode: packets keep their order
 * and none is lost. The caller has to be the owner; it is not linked to the tube any more. Options stay as they are,
 * and answers to can_send_async and recv come to who has asked. What the caller has sent and not awaited goes first.
 * (port_connect, which anybody may call, leaves what has come before with the former owner; only what comes later goes
 * to the new one.)
 *
 * `{error, not_owner}`; `{error, closed}` for a tube that has closed; `{error, badarg}` for what is no tube or no
 * living process. The caller then keeps what it has.
 */
export async function controlling_process(
  self: Self,
  tube: Port,
  owner: Pid,
): Promise<Done<'not_owner' | 'closed' | 'badarg'>> {
  checkSelf(self);
  if (!(tube instanceof Port && owner instanceof Pid)) return ['error', 'badarg'];
  for (let sent = self.sent(tube); sent; sent = self.sent(tube)) await sent;
  const connected = self.port_info(tube, 'connected');
  if (connected === 'undefined') return ['error', 'closed'];
  if (!isTube(self, tube)) return ['error', 'badarg'];
  if (connected[1] === owner) return 'ok';
  if (connected[1] !== self.pid) return ['error', 'not_owner'];
  if (orBadarg(() => self.port_connect(tube, owner)) === undefined) return ['error', 'badarg'];
  self.unlink(tube);
  // In the very turn of port_connect: no packet has come to the new owner yet, nor can it have run.
  passOn(self, isOf(tube), owner);
  return 'ok';
}

/** What the owner is told as such: {@link TubeMessage} and {@link TubePassiveMessage}. */
function isOf(tube: Port): (message: unknown) => boolean {
  const isPacket = isData(tube);
  return (message) =>
    isPacket(message) || (isTuple(message) && message[0] === 'tube_passive' && message[1] === tube);
}

function isOpen(self: Self, tube: Port): boolean {
  checkSelf(self);
  return tube instanceof Port && isTube(self, tube);
}

/** What it answers; undefined where that raises badarg. */
function orBadarg<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (isBadarg(error)) return undefined;
    throw error;
  }
}

function isBadarg(error: unknown): boolean {
  return (error as { reason?: unknown } | undefined)?.reason === 'badarg';
}
