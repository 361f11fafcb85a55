/**
 * LING's module `tube`: packet links between two domains on the same box.
 *
 * One side opens, the other accepts, in either order: each waits for the other. A tube is a port: send with
 * `self.port_command(tube, data)`, 1 to 4096 bytes a packet; packets come as `[tube, ['data', Buffer]]` to the
 * process that opened or accepted it, or that `port_connect` gave it to, which is also linked to it. Packets of one
 * direction stay in order. A packet that finds the tube full (31 packets) is dropped; who wants no loss paces itself
 * with can_send.
 *
 * When the other side closes or dies, what it had sent before is delivered, then the port closes by itself: a
 * linked process that traps exits gets `['EXIT', tube, 'normal']`, and monitors get 'DOWN'.
 */
import { Port } from '../actors/identifiers.js';
import { isTuple } from '../actors/term.js';
import { TUBE_SEND_SLOTS } from '../ports/drivers/tube.js';
import type { Self } from '../ports/self.js';
import { type Domid, isDomid } from '../xen/hypervisor.js';
import type { Done, Result } from './result.js';
import { callTubeServer } from './tube-call.js';

/** A packet as its owner gets it. */
export type TubeMessage = [tube: Port, data: ['data', Buffer]];
/** The answer to can_send_async: how many packets can be sent now, or that the tube has closed. */
export type CanSendMessage = ['can_send', tube: Port, slots: number | 'closed'];

/**
 * Opens a tube to another domain and waits until that accepts it. Any number of tubes can join two domains; the tid
 * tells them apart.
 *
 * `{error, Reason}`: badarg (no domid, or a tid that is no integer from 0 to 2^32 - 1), exists (this tube is open
 * from here already), not_found (no such domain, or none that accepts tubes), timeout (the other side has not
 * answered in time), closed (it has gone meanwhile), or what the hypervisor refused, such as emfile. As with every
 * function here that waits, the caller exits if tube_server crashes meanwhile; after a crash the next one is waited for.
 */
export async function open(self: Self, domid: Domid, tid = 0): Promise<Result<Port>> {
  if (!isDomid(domid) || !Number.isInteger(tid) || tid < 0 || tid > 0xffff_ffff) return ['error', 'badarg'];
  return callTubeServer(self, ['open', domid, tid]);
}

/**
 * Waits for the next tube that another domain opens to this one. Several processes may wait; each gets one.
 * `{error, econnreset}` when lingd goes meanwhile, `{error, enotconn}` when it has gone.
 */
export async function accept(self: Self): Promise<Result<Port>> {
  return callTubeServer(self, 'accept');
}

/**
 * Closes the tube; anybody in this domain may. What was sent before can still be received on the other side. When it
 * answers, the tube's name is free again on this side. `{error, badarg}` for what is no open tube.
 */
export async function close(self: Self, tube: Port): Promise<Done> {
  if (!(tube instanceof Port) || self.port_info(tube, 'id') === 'undefined') return ['error', 'badarg'];
  return callTubeServer(self, ['close', tube]);
}

/**
 * Waits until packets can be sent without loss, and answers how many: 1 to 31. That is for one sender: of several
 * that ask at the same time, each is told of all the room there is. `{error, closed}` when the tube closes
 * meanwhile, `{error, badarg}` for what is no open tube.
 */
export async function can_send(self: Self, tube: Port): Promise<Result<number, 'closed' | 'badarg'>> {
  const asked = can_send_async(self, tube);
  if (asked !== 'ok') return ['error', 'badarg'];
  const isAnswer = (message: unknown): message is CanSendMessage =>
    isTuple(message) && message[0] === 'can_send' && message[1] === tube;
  const [, , slots] = await self.receive(isAnswer);
  return slots === 'closed' ? ['error', 'closed'] : ['ok', slots];
}

/** As can_send, but answers at once; `['can_send', tube, slots]` comes as a message, at the latest when the tube closes. */
export function can_send_async(self: Self, tube: Port): Done<'badarg'> {
  try {
    const answer = self.port_control(tube, TUBE_SEND_SLOTS, '');
    return Buffer.isBuffer(answer) && answer[0] === 0 ? 'ok' : ['error', 'badarg'];
  } catch (error) {
    if ((error as { reason?: unknown }).reason === 'badarg') return ['error', 'badarg'];
    throw error;
  }
}

/** A guard for receive: packets of this tube. */
export function isData(tube: Port): (message: unknown) => message is TubeMessage {
  return (message): message is TubeMessage =>
    isTuple(message) && message[0] === tube && isTuple(message[1]) && message[1][0] === 'data';
}
