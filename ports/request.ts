import { Pid } from '../actors/identifiers.js';
import type { Sender } from '../actors/signal.js';
import { isTuple } from '../actors/term.js';
import type { PortObject } from './port.js';

/** What a message can ask of a port. */
type Request =
  | { owner: Pid; type: 'command'; data: unknown }
  | { owner: Pid; type: 'connect'; pid: Pid }
  | { owner: Pid; type: 'close' };

/** `{Pid, {command, Data}}`, whoever the pid and whatever the data are: what a busy port has its sender wait with. */
export function isCommand(message: unknown): boolean {
  return parseRequest(message)?.type === 'command';
}

/** Does what a message asks, in the owner's name: anybody may send it. Anything else is a badsig. */
export function serve(port: PortObject, message: unknown, sender: Sender | undefined): void {
  const request = parseRequest(message);
  if (request === undefined || request.owner !== port.owner) return badsig(port);
  switch (request.type) {
    case 'command':
      return command(port, request.data, sender);
    case 'connect': {
      // Not linked, and not asked whether it is alive: as Erlang does it, unlike port_connect.
      const { owner } = port;
      port.owner = request.pid;
      owner.receiver?.message([port.id, 'connected'], port.id);
      return;
    }
    case 'close':
      port.closeAndAnswer();
  }
}

function command(port: PortObject, data: unknown, sender: Sender | undefined): void {
  try {
    port.command(data, sender instanceof Pid ? sender : undefined);
  } catch {
    // Only what is wrong with the data gets here.
    badsig(port);
  }
}

/** An exit signal to the owner, linked or not, whoever sent the message; the port goes on. */
function badsig(port: PortObject): void {
  port.owner.receiver?.signal({ type: 'exit', from: port.id, reason: 'badsig', linked: false });
}

/** Undefined for a message that asks nothing. */
function parseRequest(message: unknown): Request | undefined {
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
