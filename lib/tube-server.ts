/**
 * The process `tube_server`: knows the tubes of its domain, on whichever side, and who waits for one. It never waits
 * for a peer: every tube has a keeper process of its own.
 */
import type { Pid, Port, Reference } from '../actors/identifiers.js';
import { isTuple } from '../actors/term.js';
import { LEAST_RING } from '../native/index.js';
import type { Ring, TubeOption } from '../ports/drivers/tube-options.js';
import type { Self } from '../ports/self.js';
import type { Domid } from '../xen/hypervisor.js';
import { NOCK, parseInvitation, TIP } from '../xen/tube-handshake.js';
import { isDisconnection } from './disconnection.js';
import { hypervisorOf } from './domain-runtime.js';
import type { Behaviour, From, NoReply } from './gen-server.js';
import * as gen_server from './gen-server.js';
import { type Done, ok, type Result } from './result.js';
import { type Accepted, keepAcceptor } from './tube-acceptor.js';
import { Invitations } from './tube-invitations.js';
import type { Caller, CloseRequest, TubeOptions } from './tube-keeper.js';
import { startKeeper } from './tube-keepers.js';
import { keepOpener } from './tube-opener.js';
import { removeResidue, type TubeName, tubesInXenstore } from './tube-residue.js';
import * as xenstore from './xenstore.js';

/** The name that tube_server is registered under. */
export const TUBE_SERVER = 'tube_server';

export type TubeCall =
  | [request: ['open', Domid, number, readonly TubeOption[], Ring | undefined], reply: Result<Port>]
  | [request: ['accept', readonly TubeOption[]], reply: Result<Port>]
  | [request: ['close', Port], reply: Done];

export interface TubeServerOptions {
  /** How long a peer may take for a handshake, in milliseconds. */
  readonly timeout: number;
  /** The largest rings that are made for those who open tubes to this domain. */
  readonly ring: Ring;
}

/** Who opens a tube, and the rings that it would like. */
interface Opening extends Caller {
  readonly ring: Ring | undefined;
}

/** A tube as this side knows it. */
interface Tube {
  readonly name: TubeName;
  keeper: Pid | undefined;
  port: Port | undefined;
  /** Who opens it, if that is this side. */
  readonly opener: Opening | undefined;
  /** Who waits for its end, having asked for it. */
  readonly closers: From[];
  /** Who wants to open the same tube once this one is gone. */
  readonly successors: Opening[];
  /** The peer has invited to the next tube of this name before this one was gone. */
  invitedAgain: boolean;
  /** The caller of accept that the keeper has been told to serve, until it has. */
  promised: Caller | undefined;
  /** Its keeper has crashed, and another process removes what is left of it. */
  hasCrashed: boolean;
}

interface State {
  readonly me: Domid;
  readonly timeout: number;
  readonly ring: Ring;
  /** By side, peer and tid: see keyOf. */
  readonly tubes: Map<string, Tube>;
  readonly keepers: Map<Pid, Tube>;
  /** Some of them may be pending, or processes wait in accept; never both. */
  readonly invitations: Invitations<Pid>;
  readonly accepting: { caller: Caller; monitor: Reference }[];
  /** Whether lingd is there: without it nobody can be invited. */
  connected: boolean;
}

const DISCONNECTED = 'disconnected';

export const tubeServer: Behaviour<State, TubeCall, never, TubeServerOptions, Self> = {
  async init({ timeout, ring }, self) {
    const { domid: me, closed } = hypervisorOf(self);
    const connected = await prepareXenstore(self, me);
    void closed.then(() => self.runtime.send(self.pid, DISCONNECTED));
    const state = {
      me,
      timeout,
      ring,
      tubes: new Map(),
      keepers: new Map(),
      invitations: new Invitations<Pid>(),
      accepting: [],
      connected,
    };
    return ['ok', state];
  },

  handle_call(request, from, state, self) {
    switch (request[0]) {
      case 'open': {
        const [, peer, tid, options, ring] = request;
        return open(self, state, { from, options, ring }, peer, tid);
      }
      case 'accept': {
        if (!state.connected) return ['reply', ['error', 'enotconn'], state];
        const [, options] = request;
        state.accepting.push({ caller: { from, options }, monitor: self.monitor('process', from[0]) });
        matchAccepting(self, state);
        return ['noreply', state];
      }
      case 'close':
        return close(self, state, from, request[1]);
    }
  },

  async handle_info(message, state, self): Promise<NoReply<State>> {
    if (message === DISCONNECTED) onDisconnected(self, state);
    if (!isTuple(message)) return ['noreply', state];
    const [kind, subject, detail] = message;
    if (kind === 'watch' && typeof subject === 'string') {
      // Only `data/tip/<opener>/<tid>/nock` means that a tube is wanted.
      const invitation = parseInvitation(subject);
      if (invitation) await invite(self, state, invitation.opener, invitation.tid);
      else if (subject === TIP) await inviteAll(self, state);
    } else if (kind === 'port') setPort(state, subject as Pid, detail as Port);
    else if (kind === 'pending') {
      const tube = state.keepers.get(subject as Pid);
      if (tube) state.invitations.addPending(tube.name.peer, subject as Pid);
      matchAccepting(self, state);
    } else if (kind === 'served') {
      const tube = state.keepers.get(subject as Pid);
      if (tube) {
        tube.promised = undefined;
        await endInvitation(self, state, tube);
      }
    } else if (kind === 'DOWN') {
      const [, , , pid, reason] = message;
      const tube = state.keepers.get(pid as Pid);
      if (tube) await onKeeperExit(self, state, tube, reason);
      const gone = state.accepting.findIndex(({ monitor }) => monitor === subject);
      if (gone !== -1) state.accepting.splice(gone, 1);
    }
    return ['noreply', state];
  },
};

/**
 * The directories that others read and write; without what an earlier tube_server may have left in them. Answers
 * false when lingd is gone.
 */
async function prepareXenstore(self: Self, me: Domid): Promise<boolean> {
  const steps = [
    () => xenstore.mkdir(self, TIP),
    () => xenstore.set_perms(self, TIP, [`b${me}`]),
    () => xenstore.mkdir(self, NOCK),
    () => xenstore.set_perms(self, NOCK, [`r${me}`]),
    () => xenstore.watch(self, TIP),
  ];
  for (const tube of await tubesInXenstore(self)) await removeResidue(self, me, tube);
  for (const step of steps) {
    const done = await step();
    if (done !== 'ok' && isDisconnection(done[1])) return false;
    ok(done);
  }
  return true;
}

function onDisconnected(self: Self, state: State): void {
  state.connected = false;
  for (const { caller, monitor } of state.accepting.splice(0)) {
    self.demonitor(monitor, ['flush']);
    gen_server.reply(self, caller.from, ['error', 'econnreset']);
  }
}

async function open(
  self: Self,
  state: State,
  caller: Opening,
  peer: Domid,
  tid: number,
): Promise<['noreply', State] | ['reply', Result<Port>, State]> {
  const name: TubeName = { side: 'opener', peer, tid };
  const tube = state.tubes.get(keyOf(name));
  if (!tube) await startTube(self, state, name, caller);
  // It is over on this side already, but its directory is still being removed.
  else if (tube.hasCrashed || (tube.port && self.port_info(tube.port, 'id') === 'undefined'))
    tube.successors.push(caller);
  else return ['reply', ['error', 'exists'], state];
  return ['noreply', state];
}

function close(
  self: Self,
  state: State,
  from: From,
  port: Port,
): ['noreply', State] | ['reply', Done, State] {
  const tube = [...state.tubes.values()].find((each) => each.port === port);
  if (tube) {
    tube.closers.push(from);
    if (tube.keeper) self.send(tube.keeper, ['close'] satisfies CloseRequest);
    return ['noreply', state];
  }
  // The peer has gone, and its last packets have not been received.
  if (!isTube(self, port)) return ['reply', ['error', 'badarg'], state];
  self.port_close(port);
  return ['reply', 'ok', state];
}

async function invite(self: Self, state: State, peer: Domid, tid: number): Promise<void> {
  const name: TubeName = { side: 'acceptor', peer, tid };
  const tube = state.tubes.get(keyOf(name));
  if (tube) tube.invitedAgain = true;
  else if (state.invitations.begin(peer, tid)) await startTube(self, state, name);
}

/** A process has accepted it, or it is over; the next one of this peer may begin. */
async function endInvitation(self: Self, state: State, { name }: Tube): Promise<void> {
  if (name.side === 'opener') return;
  const next = state.invitations.end(name.peer, name.tid);
  if (next !== undefined) await invite(self, state, name.peer, next);
}

/** The watch is new, or lingd is: those who have invited before there was anybody to see it, or to tell of it. */
async function inviteAll(self: Self, state: State): Promise<void> {
  for (const { side, peer, tid } of await tubesInXenstore(self)) {
    if (side === 'acceptor') await invite(self, state, peer, tid);
  }
}

async function startTube(self: Self, state: State, name: TubeName, opener?: Opening): Promise<void> {
  const tube: Tube = {
    name,
    keeper: undefined,
    port: undefined,
    opener,
    closers: [],
    successors: [],
    invitedAgain: false,
    promised: undefined,
    hasCrashed: false,
  };
  state.tubes.set(keyOf(name), tube);
  const { me, timeout } = state;
  const ring = opener ? (opener.ring ?? LEAST_RING) : state.ring;
  const options: TubeOptions = { me, peer: name.peer, tid: name.tid, ring, timeout, server: self.pid };
  await keep(self, state, tube, (keeper) =>
    opener ? keepOpener(keeper, options, opener) : keepAcceptor(keeper, options),
  );
}

async function keep(
  self: Self,
  state: State,
  tube: Tube,
  body: (keeper: Self) => Promise<void>,
): Promise<void> {
  tube.keeper = await startKeeper(self, body);
  state.keepers.set(tube.keeper, tube);
  self.monitor('process', tube.keeper);
}

function setPort(state: State, keeper: Pid, port: Port): void {
  const tube = state.keepers.get(keeper);
  if (tube) tube.port = port;
}

async function onKeeperExit(self: Self, state: State, tube: Tube, reason: unknown): Promise<void> {
  const keeper = tube.keeper as Pid;
  state.keepers.delete(keeper);
  state.invitations.removePending(tube.name.peer, keeper);
  if (tube.promised) {
    state.accepting.unshift({
      caller: tube.promised,
      monitor: self.monitor('process', tube.promised.from[0]),
    });
    tube.promised = undefined;
    matchAccepting(self, state);
  }
  // Who removes what is left may be killed as well.
  if (reason === 'killed' || (reason !== 'normal' && !tube.hasCrashed)) {
    tube.hasCrashed = true;
    if (tube.opener) gen_server.reply(self, tube.opener.from, ['error', 'closed']);
    return keep(self, state, tube, (sweeper) => removeResidue(sweeper, state.me, tube.name));
  }

  const { side, peer, tid } = tube.name;
  state.tubes.delete(keyOf(tube.name));
  await endInvitation(self, state, tube);
  // Asked when it was ending already, it may have left the port to whoever receives its last packets.
  if (tube.closers.length > 0 && tube.port && self.port_info(tube.port, 'id') !== 'undefined')
    self.port_close(tube.port);
  for (const from of tube.closers) gen_server.reply(self, from, 'ok');
  if (side === 'acceptor' && tube.invitedAgain) await invite(self, state, peer, tid);
  const [successor, ...others] = tube.successors;
  if (!successor) return;
  await startTube(self, state, tube.name, successor);
  for (const { from } of others) gen_server.reply(self, from, ['error', 'exists']);
}

function matchAccepting(self: Self, state: State): void {
  while (state.accepting.length > 0) {
    const keeper = state.invitations.takePending();
    if (!keeper) return;
    const next = state.accepting.shift() as State['accepting'][number];
    self.demonitor(next.monitor, ['flush']);
    const tube = state.keepers.get(keeper);
    // It may be about to end, and not see this any more.
    if (tube) tube.promised = next.caller;
    self.send(keeper, ['accepted', next.caller] satisfies Accepted);
  }
}

/** Whether that is an open port of the tube driver. */
export function isTube(self: Self, port: Port): boolean {
  const name = self.port_info(port, 'name');
  return name !== 'undefined' && name[1] === 'tube';
}

function keyOf({ side, peer, tid }: TubeName): string {
  return `${side}/${peer}/${tid}`;
}
