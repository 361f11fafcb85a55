/**
 * The process `tube_server`: knows the tubes of its domain, on whichever side, and who waits for one. It never waits
 * for a peer: every tube has a keeper process of its own.
 */
import { Pid, type Port, type Reference } from '../actors/identifiers.js';
import { isTuple } from '../actors/term.js';
import type { Self } from '../ports/self.js';
import type { Domid } from '../xen/hypervisor.js';
import { NOCK, parseInvitation, TIP } from '../xen/tube-handshake.js';
import { hypervisorOf } from './domain-runtime.js';
import type { Behaviour, From, NoReply } from './gen-server.js';
import * as gen_server from './gen-server.js';
import { type Done, ok, type Result } from './result.js';
import { type Accepted, keepAcceptor } from './tube-acceptor.js';
import type { CloseRequest, TubeOptions } from './tube-keeper.js';
import { keepOpener } from './tube-opener.js';
import * as xenstore from './xenstore.js';

/** The name that tube_server is registered under. */
export const TUBE_SERVER = 'tube_server';

export type TubeCall =
  | [request: ['open', Domid, number], reply: Result<Port>]
  | [request: 'accept', reply: Result<Port>]
  | [request: ['close', Port], reply: Done];

export interface TubeServerOptions {
  /** How long a peer may take for a handshake, in milliseconds. */
  readonly timeout: number;
}

/** A tube as this side knows it: named by the opener, the acceptor and the tid, so by this key. */
interface Tube {
  readonly key: string;
  readonly keeper: Pid;
  port: Port | undefined;
  /** Who waits for its end, having asked for it. */
  readonly closers: From[];
  /** Who wants to open the same tube once this one is gone. */
  readonly successors: From[];
  /** The peer has invited to the next tube of this name before this one was gone. */
  invitedAgain: boolean;
  /** The caller of accept that the keeper has been told to serve, until it has. */
  promised: From | undefined;
}

interface State {
  readonly me: Domid;
  readonly timeout: number;
  readonly tubes: Map<string, Tube>;
  readonly keepers: Map<Pid, Tube>;
  /** Keepers of accepted tubes that nobody has asked for yet, and processes that wait in accept; never both. */
  readonly pending: Pid[];
  readonly accepting: { from: From; monitor: Reference }[];
  /** Whether lingd is there: without it nobody can be invited. */
  connected: boolean;
}

const DISCONNECTED = 'disconnected';

/** A peer that sends invitations without end gets no more than this many at a time. */
const MOST_TUBES = 16_384;

export const tubeServer: Behaviour<State, TubeCall, never, TubeServerOptions, Self> = {
  async init({ timeout }, self) {
    self.process_flag('trap_exit', true);
    const me = ok(await xenstore.domid(self));
    for (const [directory, letter] of [
      [TIP, 'b'],
      [NOCK, 'r'],
    ] as const) {
      ok(await xenstore.mkdir(self, directory));
      ok(await xenstore.set_perms(self, directory, [`${letter}${me}`]));
    }
    ok(await xenstore.watch(self, TIP));
    void hypervisorOf(self).closed.then(() => self.runtime.send(self.pid, DISCONNECTED));
    return [
      'ok',
      { me, timeout, tubes: new Map(), keepers: new Map(), pending: [], accepting: [], connected: true },
    ];
  },

  handle_call(request, from, state, self) {
    if (request === 'accept') {
      if (!state.connected) return ['reply', ['error', 'enotconn'], state];
      state.accepting.push({ from, monitor: self.monitor('process', from[0]) });
      matchAccepting(self, state);
      return ['noreply', state];
    }
    const [verb] = request;
    if (verb === 'open') return open(self, state, from, request[1], request[2]);
    const tube = [...state.tubes.values()].find(({ port }) => port === request[1]);
    if (!tube) return ['reply', ['error', 'badarg'], state];
    tube.closers.push(from);
    self.send(tube.keeper, ['close'] satisfies CloseRequest);
    return ['noreply', state];
  },

  handle_info(message, state, self): NoReply<State> {
    if (message === DISCONNECTED) onDisconnected(self, state);
    if (!isTuple(message)) return ['noreply', state];
    const [kind, subject, detail] = message;
    if (kind === 'watch' && typeof subject === 'string') onInvitation(self, state, subject);
    else if (kind === 'port') setPort(state, subject as Pid, detail as Port);
    else if (kind === 'pending') {
      state.pending.push(subject as Pid);
      matchAccepting(self, state);
    } else if (kind === 'served') {
      const tube = state.keepers.get(subject as Pid);
      if (tube) tube.promised = undefined;
    } else if (kind === 'DOWN') {
      const gone = state.accepting.findIndex(({ monitor }) => monitor === subject);
      if (gone !== -1) state.accepting.splice(gone, 1);
    } else if (kind === 'EXIT' && subject instanceof Pid) onKeeperExit(self, state, subject, detail);
    return ['noreply', state];
  },
};

function onDisconnected(self: Self, state: State): void {
  state.connected = false;
  for (const { from, monitor } of state.accepting.splice(0)) {
    self.demonitor(monitor, ['flush']);
    gen_server.reply(self, from, ['error', 'econnreset']);
  }
}

function open(
  self: Self,
  state: State,
  from: From,
  peer: Domid,
  tid: number,
): ['noreply', State] | ['reply', Result<Port>, State] {
  const tube = state.tubes.get(openerKey(peer, tid));
  if (!tube) startOpener(self, state, from, peer, tid);
  // Closed on this side already, but its directory is still being removed.
  else if (tube.port && self.port_info(tube.port, 'id') === 'undefined') tube.successors.push(from);
  else return ['reply', ['error', 'exists'], state];
  return ['noreply', state];
}

function startOpener(self: Self, state: State, from: From, peer: Domid, tid: number): void {
  const options = keeperOptions(self, state, peer, tid);
  addTube(
    state,
    openerKey(peer, tid),
    self.spawn_link((keeper) => keepOpener(keeper, options, from)),
  );
}

function startAcceptor(self: Self, state: State, opener: Domid, tid: number): void {
  const options = keeperOptions(self, state, opener, tid);
  addTube(
    state,
    acceptorKey(opener, tid),
    self.spawn_link((keeper) => keepAcceptor(keeper, options)),
  );
}

function keeperOptions(self: Self, { me, timeout }: State, peer: Domid, tid: number): TubeOptions {
  return { me, peer, tid, timeout, server: self.pid };
}

function addTube(state: State, key: string, keeper: Pid): void {
  const tube: Tube = {
    key,
    keeper,
    port: undefined,
    closers: [],
    successors: [],
    invitedAgain: false,
    promised: undefined,
  };
  state.tubes.set(key, tube);
  state.keepers.set(keeper, tube);
}

function setPort(state: State, keeper: Pid, port: Port): void {
  const tube = state.keepers.get(keeper);
  if (tube) tube.port = port;
}

/** Something has changed below data/tip; only `<opener>/<tid>/nock` means that a tube is wanted. */
function onInvitation(self: Self, state: State, path: string): void {
  const invitation = parseInvitation(path);
  if (!invitation || state.tubes.size >= MOST_TUBES) return;
  const { opener, tid } = invitation;
  const tube = state.tubes.get(acceptorKey(opener, tid));
  if (tube) tube.invitedAgain = true;
  else startAcceptor(self, state, opener, tid);
}

function onKeeperExit(self: Self, state: State, keeper: Pid, reason: unknown): void {
  const tube = state.keepers.get(keeper);
  // Whoever started this server.
  if (!tube) return self.exit(reason);
  state.keepers.delete(keeper);
  state.tubes.delete(tube.key);
  const pending = state.pending.indexOf(keeper);
  if (pending !== -1) state.pending.splice(pending, 1);
  if (tube.promised) {
    state.accepting.unshift({ from: tube.promised, monitor: self.monitor('process', tube.promised[0]) });
    matchAccepting(self, state);
  }
  for (const from of tube.closers) gen_server.reply(self, from, 'ok');

  const [side, peer, tid] = parseKey(tube.key);
  if (side === 'acceptor' && tube.invitedAgain) startAcceptor(self, state, peer, tid);
  const [successor, ...others] = tube.successors;
  if (!successor) return;
  startOpener(self, state, successor, peer, tid);
  for (const from of others) gen_server.reply(self, from, ['error', 'exists']);
}

function matchAccepting(self: Self, state: State): void {
  while (state.pending.length > 0) {
    const next = state.accepting.shift();
    if (!next) return;
    self.demonitor(next.monitor, ['flush']);
    const keeper = state.pending.shift() as Pid;
    const tube = state.keepers.get(keeper);
    // It may be about to end, and not see this any more.
    if (tube) tube.promised = next.from;
    self.send(keeper, ['accepted', next.from] satisfies Accepted);
  }
}

function openerKey(acceptor: Domid, tid: number): string {
  return `opener/${acceptor}/${tid}`;
}

function acceptorKey(opener: Domid, tid: number): string {
  return `acceptor/${opener}/${tid}`;
}

function parseKey(key: string): [side: string, peer: Domid, tid: number] {
  const [side, peer, tid] = key.split('/');
  return [side as string, Number(peer), Number(tid)];
}
