/** What a port tells its owner, and guards of receive for it: messages `[port, what]`. */
import type { Port } from '../actors/identifiers.js';
import { isTuple } from '../actors/term.js';

/** Data: those of a tube, and of a port opened with `binary`, are Buffers. */
export type DataMessage<D = Buffer> = [port: Port, data: ['data', D]];
/** How a program has ended. */
export type ExitStatusMessage = [port: Port, status: ['exit_status', number]];

/**
 * A guard: data of this port, of the type that its options give them: Buffers with `binary`, else lists of bytes; and with
 * `line` one of these behind `'eol'` or `'noeol'`. Where a Port does not say it, they are taken for Buffers.
 */
export function isData<D>(
  port: Port<D>,
): (message: unknown) => message is DataMessage<unknown extends D ? Buffer : D> {
  return (message): message is DataMessage<unknown extends D ? Buffer : D> => isTold(message, port, 'data');
}

/** A guard: how the program of this port has ended, for option `exit_status`. */
export function isExitStatus(port: Port): (message: unknown) => message is ExitStatusMessage {
  return (message): message is ExitStatusMessage => isTold(message, port, 'exit_status');
}

/** A guard: the end of what this port reads, for option `eof`. */
export function isEof(port: Port): (message: unknown) => message is [port: Port, 'eof'] {
  return (message): message is [Port, 'eof'] =>
    isTuple(message) && message[0] === port && message[1] === 'eof';
}

/** A guard: the answer to `{Owner, close}`. */
export function isClosed(port: Port): (message: unknown) => message is [port: Port, 'closed'] {
  return (message): message is [Port, 'closed'] =>
    isTuple(message) && message[0] === port && message[1] === 'closed';
}

function isTold(message: unknown, port: Port, what: string): boolean {
  return isTuple(message) && message[0] === port && isTuple(message[1]) && message[1][0] === what;
}
