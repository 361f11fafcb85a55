import { Pid } from '../actors/identifiers.js';
import { isTuple } from '../actors/term.js';

/** What a message can ask of a port. */
export type Request =
  | { owner: Pid; type: 'command'; data: unknown }
  | { owner: Pid; type: 'connect'; pid: Pid }
  | { owner: Pid; type: 'close' };

/** Undefined for a message that asks nothing. */
export function parseRequest(message: unknown): Request | undefined {
  if (!isTuple(message) || message.length !== 2) return undefined;
  const [owner, what] = message;
  if (!(owner instanceof Pid)) return undefined;
  if (what === 'close') return { owner, type: 'close' };
  if (!isTuple(what) || what.length !== 2) return undefined;
  const [verb, argument] = what;
  if (verb === 'command') return { owner, type: 'command', data: argument };
  if (verb === 'connect' && argument instanceof Pid) return { owner, type: 'connect', pid: argument };
  return undefined;
}

/** `{Pid, {command, Data}}`, whoever the pid and whatever the data are: what a busy port has its sender wait with. */
export function isCommand(message: unknown): boolean {
  return parseRequest(message)?.type === 'command';
}
