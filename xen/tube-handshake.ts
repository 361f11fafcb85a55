/**
 * How two domains agree on a tube: the Xenstore keys of LING's protocol, and a machine for each side of it.
 *
 *     Nock = /local/domain/A/data/nock/B/Tid    what A, who opens, writes
 *     Tip  = /local/domain/B/data/tip/A/Tid     what B, who accepts, writes
 *
 * The machines say what to do next as the names of actions; who runs them (lib/tube-keeper.ts) tells them how
 * that went, what the peer's `state` key says, and that time is up. Nothing here waits or writes.
 */
import { createMachine, type StateMachine } from '@xstate/fsm';
import type { Domid } from './hypervisor.js';

export interface TubeKeys {
  readonly nock: string;
  readonly tip: string;
}

export function tubeKeys(opener: Domid, acceptor: Domid, tid: number): TubeKeys {
  return {
    nock: `/local/domain/${opener}/data/nock/${acceptor}/${tid}`,
    tip: `/local/domain/${acceptor}/data/tip/${opener}/${tid}`,
  };
}

/** Where every domain is told of tubes that others want to open. */
export const TIP = 'data/tip';
export const NOCK = 'data/nock';

/** The largest number of a tube. */
export const MOST_TID = 0xffff_ffff;

/** The opener and tid of a `data/tip/<opener>/<tid>/nock` key; undefined for any other path. */
export function parseInvitation(path: string): { opener: Domid; tid: number } | undefined {
  const [, opener, tid] = /^data\/tip\/(0|[1-9]\d{0,4})\/(0|[1-9]\d{0,9})\/nock$/.exec(path) ?? [];
  return opener === undefined || Number(tid) > MOST_TID
    ? undefined
    : { opener: Number(opener), tid: Number(tid) };
}

/** Values of the `state` keys: XenbusState. */
export const INITIALISING = 1;
export const INIT_WAIT = 2;
export const INITIALISED = 3;
export const CONNECTED = 4;

export type HandshakeEvent = {
  type: /** What the peer's state key says. Gone: neither the key nor its directory is there. */
    | 'PEER_GONE'
    | 'PEER_SILENT'
    | 'PEER_INITIALISING'
    | 'PEER_INIT_WAIT'
    | 'PEER_INITIALISED'
    | 'PEER_CONNECTED'
    | 'PEER_OTHER'
    /** How an action went. One that failed is FAILED. */
    | 'ANNOUNCED'
    | 'ATTACHED'
    | 'OFFERED'
    | 'HANDED_OVER'
    | 'NOBODY_THERE'
    | 'FAILED'
    /** On the accepting side: a process that accepts is there. */
    | 'ACCEPTED'
    | 'TIMEOUT'
    /** The port on this side has closed, or the process that waits for it has died. */
    | 'ABANDONED';
};

/** `state` as read, or undefined; `present`: whether the directory of the key is there. */
export function peerEvent(state: number | undefined, present: boolean): HandshakeEvent {
  switch (state) {
    case undefined:
      return { type: present ? 'PEER_SILENT' : 'PEER_GONE' };
    case INITIALISING:
      return { type: 'PEER_INITIALISING' };
    case INIT_WAIT:
      return { type: 'PEER_INIT_WAIT' };
    case INITIALISED:
      return { type: 'PEER_INITIALISED' };
    case CONNECTED:
      return { type: 'PEER_CONNECTED' };
    default:
      return { type: 'PEER_OTHER' };
  }
}

export type HandshakeAction =
  | 'announce'
  | 'attach'
  | 'answerOpen'
  | 'greet'
  | 'offer'
  | 'becomePending'
  | 'handOver'
  | 'hangUp';

type Typestate<V extends string> = { value: V; context: object };
export type Handshake<V extends string = string> = StateMachine.Machine<object, HandshakeEvent, Typestate<V>>;
export type HandshakeState = StateMachine.State<object, HandshakeEvent, Typestate<string>>;

/** Nothing comes after these; the own directory is removed. */
export const FINAL_STATES: ReadonlySet<string> = new Set(['refused', 'timedOut', 'abandoned', 'closed']);

const ENDS = {
  PEER_GONE: 'refused',
  FAILED: 'refused',
  TIMEOUT: 'timedOut',
  ABANDONED: 'abandoned',
} as const;
const FINAL = { refused: {}, timedOut: {}, abandoned: {}, closed: {} };

/** Whatever the peer's state is now, the tube is no longer connected over there. */
const HANG_UP = { target: 'closed', actions: 'hangUp' } as const;
const CONNECTED_STATE = {
  on: {
    PEER_GONE: HANG_UP,
    PEER_SILENT: HANG_UP,
    PEER_INITIALISING: HANG_UP,
    PEER_INIT_WAIT: HANG_UP,
    PEER_INITIALISED: HANG_UP,
    PEER_OTHER: HANG_UP,
    ABANDONED: 'closed',
  },
} as const;

/** The side that calls open: announce -> the peer's ring is there -> attach -> the peer is connected. */
export const openerHandshake = createMachine<object, HandshakeEvent, Typestate<string>>({
  id: 'opener',
  initial: 'announcing',
  states: {
    // An earlier tube of the same name may still be about to be removed over there.
    announcing: { entry: 'announce', on: { ...ENDS, PEER_GONE: 'announcing', ANNOUNCED: 'unanswered' } },
    unanswered: {
      on: {
        ...ENDS,
        PEER_INITIALISING: 'answered',
        PEER_INITIALISED: 'attaching',
        PEER_CONNECTED: 'refused',
      },
    },
    answered: { on: { ...ENDS, PEER_SILENT: 'refused', PEER_INITIALISED: 'attaching' } },
    attaching: { entry: 'attach', on: { ...ENDS, ATTACHED: 'confirming' } },
    // The other side may have accepted and closed already: then what it has left in the ring says so.
    confirming: {
      on: {
        ...ENDS,
        PEER_GONE: HANG_UP,
        PEER_SILENT: HANG_UP,
        PEER_OTHER: HANG_UP,
        PEER_CONNECTED: { target: 'connected', actions: 'answerOpen' },
      },
    },
    connected: CONNECTED_STATE,
    ...FINAL,
  },
});

/** The side that calls accept: greet -> the peer waits -> offer the ring -> the peer has it -> somebody accepts. */
export const acceptorHandshake = createMachine<object, HandshakeEvent, Typestate<string>>({
  id: 'acceptor',
  initial: 'greeting',
  states: {
    greeting: {
      entry: 'greet',
      on: { ...ENDS, PEER_SILENT: 'refused', PEER_OTHER: 'refused', PEER_INIT_WAIT: 'offering' },
    },
    offering: { entry: 'offer', on: { ...ENDS, OFFERED: 'offered' } },
    offered: {
      on: { ...ENDS, PEER_SILENT: 'refused', PEER_OTHER: 'refused', PEER_CONNECTED: 'pending' },
    },
    pending: {
      entry: 'becomePending',
      on: { ...ENDS, PEER_SILENT: 'refused', PEER_OTHER: 'refused', ACCEPTED: 'handing' },
    },
    handing: {
      entry: 'handOver',
      on: {
        ...ENDS,
        PEER_SILENT: 'refused',
        PEER_OTHER: 'refused',
        HANDED_OVER: 'connected',
        NOBODY_THERE: 'pending',
      },
    },
    connected: CONNECTED_STATE,
    ...FINAL,
  },
});
