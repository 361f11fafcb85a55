/** The names of OTP's behaviours: those that one can be started under, and all by which it can be reached. */
import { isNameOnNode, type NameOnNode } from '../actors/destination.js';
import { badarg, ErlangError } from '../actors/errors.js';
import { formatShort } from '../actors/format.js';
import { Pid, type Port, type Reference } from '../actors/identifiers.js';
import type { MonitorOption } from '../actors/monitors.js';
import type { Process } from '../actors/process.js';
import { isTuple } from '../actors/term.js';
import { checkSelf } from './check-self.js';

/**
 * Who keeps names of its own kind, as the modules of OTP's `{via, Module, Name}` do; names are any terms. `self` is the
 * process that asks; on behalf of one that registers, it is that process itself.
 */
export interface Registry {
  register_name(name: unknown, pid: Pid, self: Process): Awaitable<'yes' | 'no'>;
  unregister_name(name: unknown, self: Process): unknown;
  whereis_name(name: unknown, self: Process): Pid | 'undefined';
  send(name: unknown, message: unknown, self: Process): unknown;
}

type Awaitable<T> = T | Promise<T>;

export type Via = readonly ['via', Registry, unknown];

/** What a behaviour can be started as: a registered name, or one that a {@link Registry} keeps. */
export type ServerName = string | readonly ['local', string] | Via;

/** How a behaviour can be reached; `[name, node]` also says a name of this node. */
export type ServerRef = Pid | string | NameOnNode | Via;

export function isVia(term: unknown): term is Via {
  return isTuple(term) && term.length === 3 && term[0] === 'via';
}

/** Raises badarg for what cannot keep names. */
function registryOf([, registry]: Via): Registry {
  for (const name of REGISTRY) {
    if (typeof registry?.[name] !== 'function')
      throw badarg(`the registry ${formatShort(registry)} has no function ${name}`);
  }
  return registry;
}

const REGISTRY: readonly (keyof Registry)[] = ['register_name', 'unregister_name', 'whereis_name', 'send'];

/** The part of a name that people know it by. */
export function readableName(name: ServerName): unknown {
  if (typeof name === 'string') return name;
  return name[0] === 'via' ? name[2] : name[1];
}

/**
 * Gives the name to the caller. Answers true, or who has it.
 * @throws badarg for what is no name, and where the caller has a registered name already
 */
export async function registerName(self: Process, name: ServerName): Promise<true | Pid | Port> {
  const holder = nameHolder(self, name);
  if (holder !== 'undefined') return holder;
  if (!isVia(name)) return self.register(localName(name), self.pid);
  const registry = registryOf(name);
  const [, , term] = name;
  if ((await registry.register_name(term, self.pid, self)) === 'yes') return true;
  const winner = registry.whereis_name(term, self);
  if (winner === 'undefined') throw badarg('the registry refuses the name, and says nobody has it');
  return winner;
}

/** Frees the name of the caller. */
export function unregisterName(self: Process, name: ServerName): void {
  if (isVia(name)) registryOf(name).unregister_name(name[2], self);
  else self.unregister(localName(name));
}

/** Who has a name that one wants to be started under. Raises badarg for what is no name. */
export function nameHolder(self: Process, name: ServerName): Pid | Port | 'undefined' {
  return isVia(name) ? registryOf(name).whereis_name(name[2], self) : self.whereis(localName(name));
}

function localName(name: Exclude<ServerName, Via>): string {
  if (typeof name === 'string') return name;
  if (isTuple(name) && name.length === 2 && name[0] === 'local' && typeof name[1] === 'string')
    return name[1];
  throw badarg(
    `the name of a server is an atom, {local, Name} or {via, Registry, Name}, not ${formatShort(name)}`,
  );
}

/** Whom it means right now: a name of another node as it is, `undefined` where nobody has the name. */
export function whereIs(self: Process, server: ServerRef): Pid | Port | NameOnNode | 'undefined' {
  if (server instanceof Pid) return server;
  if (typeof server === 'string') return self.whereis(server);
  if (isVia(server)) return registryOf(server).whereis_name(server[2], self);
  return isTuple(server) && server[1] === self.node() ? self.whereis(server[0]) : server;
}

/** Sends, and does not care whether anybody is there. */
export function sendTo(self: Process, server: ServerRef, message: unknown): 'ok' {
  checkSelf(self);
  if (isVia(server)) {
    const registry = registryOf(server);
    if (registry.whereis_name(server[2], self) !== 'undefined') registry.send(server[2], message, self);
  } else if (typeof server !== 'string' || self.whereis(server) !== 'undefined') self.send(server, message);
  return 'ok';
}

/**
 * Monitors a server that {@link whereIs} has found. A node that cannot be reached, because this one is not part of a
 * cluster, is a connection that has been lost: there is a `'DOWN'` message with reason `noconnection` at once. Raises
 * function_clause for what nobody can be reached by.
 */
export function monitorServer(
  self: Process,
  server: Pid | NameOnNode,
  options?: readonly MonitorOption[],
): Reference {
  if (!(server instanceof Pid) && !isNameOnNode(server)) throw noServer(server);
  if (server instanceof Pid || server[1] === self.node()) return self.monitor('process', server, options);
  try {
    return self.monitor('process', server, options);
  } catch (error) {
    if (!(error instanceof ErlangError)) throw error;
    const ref = self.make_ref();
    self.send(self.pid, ['DOWN', ref, 'process', server, 'noconnection']);
    return ref;
  }
}

function noServer(server: unknown): ErlangError {
  const ways = 'a pid, a name, {Name, Node} or {via, Registry, Name}';
  return new ErlangError(
    'function_clause',
    `function_clause: a server is ${ways}, not ${formatShort(server)}`,
  );
}
