/** The process `navel`: knows the nodes this one is connected to, finds the postman for each, and runs what peers call. */
import {
  type Domid,
  ErlangExit,
  exitReason,
  gen_server,
  isTuple,
  type List,
  list,
  Pid,
  type Port,
  type Reference,
  type Self,
  timer,
  tube,
} from '../../lib/index.js';
import { Link, noTraffic, type Traffic } from './link.js';
import { type CallMessage, type CallNoReturn, encodeMessage } from './message.js';
import { type PostmanMessage, type ServerMessage, startPostman } from './postman.js';

/** A function that peers may call: with a process of its own, and what they have given, which can be anything. */
export type Exported = (self: Self, ...args: unknown[]) => unknown;
/** All that peers may call: module, function. */
export type Exports = Readonly<Record<string, Readonly<Record<string, Exported>>>>;

export interface ServerOptions {
  readonly name: string;
  readonly exports: Exports;
  /** The longest message to accept, in bytes. */
  readonly limit: number;
}

export type Requests =
  | [request: ['call', node: string, message: Buffer, deadline: number], reply: unknown]
  | [request: ['send', node: string, message: Buffer], reply: 'ok' | ['badrpc', unknown]]
  | [request: ['connect', domid: Domid, tid: number], reply: ['ok', string] | ['error', unknown]]
  | [request: 'subscribe', reply: 'ok']
  | [request: 'unsubscribe', reply: 'ok']
  | [request: 'nodes', reply: List<string>]
  | [request: 'traffic', reply: Traffic];

interface Connection {
  readonly node: string;
  readonly link: Link;
  postman: Pid;
}

interface State extends ServerOptions {
  acceptor: Pid;
  readonly byNode: Map<string, Connection>;
  readonly byTube: Map<Port, Connection>;
  /** Who opens a tube for whom. */
  readonly connectors: Map<Pid, gen_server.From>;
  /** Functions that run: for which tube, and whether it wants the value. */
  readonly running: Map<Reference, { readonly tube: Port; readonly returns: boolean }>;
  readonly subscribers: Map<Pid, Reference>;
  /** Of the tubes that are gone. */
  readonly past: Traffic;
}

type NoReply = ['noreply', State];

export const navelServer: gen_server.Behaviour<State, Requests, never, ServerOptions, Self> = {
  init(options, self) {
    self.process_flag('trap_exit', true);
    const state: State = {
      ...options,
      acceptor: startAcceptor(self, options),
      byNode: new Map(),
      byTube: new Map(),
      connectors: new Map(),
      running: new Map(),
      subscribers: new Map(),
      past: noTraffic(),
    };
    return ['ok', state];
  },

  handle_call(request, from, state, self) {
    if (request === 'nodes') return ['reply', list(...state.byNode.keys()), state];
    if (request === 'traffic') return ['reply', traffic(self, state), state];
    if (request === 'subscribe' || request === 'unsubscribe') {
      subscribe(self, state, from[0], request === 'subscribe');
      return ['reply', 'ok', state];
    }
    if (request[0] === 'connect') {
      const [, domid, tid] = request;
      const connector = self.spawn_link((process) => connect(process, self.pid, state, domid, tid, from));
      state.connectors.set(connector, from);
      return ['noreply', state];
    }
    const [kind, node, message] = request;
    if (message.length > state.limit) return ['reply', ['badrpc', 'system_limit'], state];
    const postman = state.byNode.get(node)?.postman;
    if (postman === undefined) return ['reply', ['badrpc', 'nodedown'], state];
    const order: ServerMessage = kind === 'call' ? [kind, from, message, request[3]] : [kind, from, message];
    self.send(postman, order);
    return ['noreply', state];
  },

  handle_info(message, state, self): NoReply {
    if (!isTuple(message)) return ['noreply', state];
    const [kind] = message;
    if (kind === 'EXIT' && message[1] instanceof Pid) onExit(self, state, message[1], message[2]);
    else if (kind === 'DOWN') onDown(self, state, message as Down);
    else onPostman(self, state, message as PostmanMessage);
    return ['noreply', state];
  },
};

type Down = ['DOWN', ref: Reference, 'process', Pid, reason: unknown];

// ---- Tubes

/** Milliseconds from an accept that failed to the next. */
const ACCEPT_PAUSE = 500;

function startAcceptor(self: Self, options: ServerOptions): Pid {
  const server = self.pid;
  return self.spawn_link(async (acceptor) => {
    for (;;) {
      const [tag, port] = await tube.accept(acceptor);
      if (tag === 'ok') await startPostman(acceptor, new Link(port, server, options));
      // For want of lingd, descriptors or memory, which may be there in a while.
      else await timer.sleep(acceptor, ACCEPT_PAUSE);
    }
  });
}

async function connect(
  self: Self,
  server: Pid,
  options: ServerOptions,
  domid: Domid,
  tid: number,
  from: gen_server.From,
): Promise<void> {
  const opened = await tube.open(self, domid, tid);
  if (opened[0] === 'ok') await startPostman(self, new Link(opened[1], server, options, from));
  else gen_server.reply(self, from, opened);
}

/** Neither who accepts nor who opens traps exits: a tube that breaks before it has a postman takes them along. */
function onExit(self: Self, state: State, pid: Pid, reason: unknown): void {
  if (pid === state.acceptor) {
    // Without tube_server there is nothing to accept, and no sense in trying.
    if (isTuple(reason)) return self.exit(reason);
    state.acceptor = startAcceptor(self, state);
  }
  for (const { postman, link } of state.byTube.values()) {
    if (postman === pid) return onKilled(self, state, link, reason);
  }
  const from = state.connectors.get(pid);
  if (from === undefined) return;
  state.connectors.delete(pid);
  // One that ends normally has told the caller, or its postman will.
  if (reason !== 'normal') gen_server.reply(self, from, ['error', reason]);
}

function onPostman(self: Self, state: State, message: PostmanMessage): void {
  switch (message[0]) {
    case 'introduced':
      return onIntroduced(self, state, message[1], message[2]);
    case 'serve':
      return serve(self, state, message[1], message[2] as CallMessage | CallNoReturn);
    case 'moved': {
      const [, postman, link, heir] = message;
      const connection = state.byTube.get(link.tube);
      if (connection) connection.postman = heir;
      self.send(postman, ['noted', link.tube]);
      return;
    }
    case 'over': {
      const [, postman, link, reason] = message;
      onOver(self, state, link, reason);
      self.send(postman, ['noted', link.tube]);
    }
  }
}

function onIntroduced(self: Self, state: State, postman: Pid, link: Link): void {
  const node = link.peer as string;
  if (node === state.name || state.byNode.has(node)) {
    self.send(postman, ['refused', 'name_in_use'] satisfies ServerMessage);
    return;
  }
  const connection: Connection = { node, link, postman };
  state.byNode.set(node, connection);
  state.byTube.set(link.tube, connection);
  if (link.connecting) gen_server.reply(self, link.connecting, ['ok', node]);
  link.connecting = undefined;
  for (const pid of state.subscribers.keys()) self.send(pid, ['nodeup', node]);
}

function onOver(self: Self, state: State, link: Link, reason: unknown): void {
  add(state.past, link.traffic);
  const connection = state.byTube.get(link.tube);
  if (connection === undefined) return;
  state.byTube.delete(link.tube);
  state.byNode.delete(connection.node);
  for (const pid of state.subscribers.keys()) self.send(pid, ['nodedown', connection.node, reason]);
}

/** A postman was ended by somebody, and its tube with it, so it cannot tell those who wait. */
function onKilled(self: Self, state: State, link: Link, reason: unknown): void {
  for (const from of link.takeWaiting()) gen_server.reply(self, from, ['badrpc', 'nodedown']);
  onOver(self, state, link, reason);
}

// ---- What peers call

/** How a process that runs an exported function exits: with the message that answers the call. */
const RETURNS = Symbol('returns');

function serve(self: Self, state: State, port: Port, message: CallMessage | CallNoReturn): void {
  if (!state.byTube.has(port)) return;
  const { exports } = state;
  const [, ref] = self.spawn_monitor((process) => run(process, exports, message));
  state.running.set(ref, { tube: port, returns: message[0] === '$call' });
}

async function run(self: Self, exports: Exports, message: CallMessage | CallNoReturn): Promise<never> {
  let answer: Buffer;
  try {
    answer = encodeReturns(await applyExported(self, exports, message));
  } catch (thrown) {
    answer = encodeReturns(['badrpc', ['EXIT', exitReason(thrown)]]);
  }
  throw new ErlangExit([RETURNS, answer]);
}

function applyExported(self: Self, exports: Exports, [, module, name, args]: CallMessage | CallNoReturn) {
  const functions = Object.hasOwn(exports, module) ? exports[module]! : {};
  if (!Object.hasOwn(functions, name)) {
    throw new ErlangExit(['undef', list([module, name, args, list()])]);
  }
  return functions[name]!(self, ...args);
}

/** A function that returns nothing has done what it was told: `ok`. */
function encodeReturns(value: unknown): Buffer {
  return encodeMessage(['$returns', value === undefined ? 'ok' : value]);
}

function onDown(self: Self, state: State, [, ref, , pid, reason]: Down): void {
  if (state.subscribers.get(pid) === ref) state.subscribers.delete(pid);
  const served = state.running.get(ref);
  state.running.delete(ref);
  const postman = served && state.byTube.get(served.tube)?.postman;
  if (!served?.returns || postman === undefined) return;
  const answer = isTuple(reason) && reason[0] === RETURNS ? (reason[1] as Buffer) : encodeFailure(reason);
  const fits = answer.length <= state.limit;
  self.send(postman, ['returns', fits ? answer : encodeFailure('system_limit')] satisfies ServerMessage);
}

/** The answer when a function's process has been ended by somebody else. */
function encodeFailure(reason: unknown): Buffer {
  try {
    return encodeReturns(['badrpc', ['EXIT', reason]]);
  } catch {
    return encodeReturns(['badrpc', ['EXIT', 'badarg']]);
  }
}

// ---- Who wants to know

function subscribe(self: Self, state: State, pid: Pid, wanted: boolean): void {
  const monitor = state.subscribers.get(pid);
  if (monitor !== undefined) self.demonitor(monitor, ['flush']);
  state.subscribers.delete(pid);
  if (!wanted) return;
  state.subscribers.set(pid, self.monitor('process', pid));
  for (const node of state.byNode.keys()) self.send(pid, ['nodeup', node]);
}

function traffic(self: Self, state: State): Traffic {
  const sum = { ...state.past };
  for (const { link } of state.byTube.values()) {
    add(sum, link.traffic);
    const drops = self.port_info(link.tube, 'drops');
    if (drops !== 'undefined') sum.drops += drops[1] as number;
  }
  return sum;
}

function add(sum: Traffic, more: Traffic): void {
  for (const key of Object.keys(sum) as (keyof Traffic)[]) sum[key] += more[key];
}
