/**
 * Domains that stop in the middle of a tube, each at a step of its own. A step is a message that a domain sends to lingd;
 * which it is, the name of the domain says:
 *
 *     stops before <step>     it does not send that one, nor any later one
 *     unheard from <step>     lingd takes no notice of that one, nor of any later one
 *     unanswered from <step>  lingd does it, and writes that down, but does not say so; later ones as above
 *     halts before <step>     its OS process stops (SIGSTOP) before it sends that one, and goes on when it is continued
 *     halts lingd at <step>   lingd does, before it takes notice of that one
 *
 * So all of them are there at once for one kill -9. Loaded into the OS process that will be killed: that of the domains, or
 * lingd, which prints a line `stopped` for each.
 */
const { closeFd } = require('#native');
const hypercall = require('#xen/hypercall');
const { DomainConnection } = require('#xen/lingd/domain-connection');
const { UnixChannel } = require('#xen/unix-channel');
const wire = require('#xen/xenstore/wire');

/** What messages are called: a name for each thing that is said for the first time in the life of a tube. */
class Steps {
  names = [];
  #begun = false;
  /** Which state this side has written last. */
  #state = '';
  #calls = new Map();

  /** The next message; undefined as long as they are not about a tube. */
  next(packet) {
    const name = this.#nameOf(packet);
    if (name !== undefined && !this.names.includes(name)) this.names.push(name);
    return name;
  }

  #nameOf({ type, txId, payload }) {
    const [path, value] = payload.toString('latin1').split('\0');
    const place = path.replace(TUBE, '$1');
    this.#begun ||= place !== path;
    if (!this.#begun) return undefined;
    const what = TYPES.get(type);
    if (type >= wire.FIRST_HYPERCALL) return `${what} ${this.#count(what)}`;
    // How often it looks depends on how fast the other side is, and whether there is a state yet.
    if (what === 'READ' && this.#state !== '' && LOOK.test(place))
      return `READ ${place.replace(LOOK, '$1/state')} at ${this.#state}`;
    const inTransaction = txId !== 0 && type !== wire.XS_TRANSACTION_END ? ' (T)' : '';
    if (what === 'WRITE' && place.endsWith('/state')) this.#state = value;
    const written = what === 'WRITE' && place.endsWith('/state') ? ` ${value}` : '';
    const named = place.replace(PEER, "the peer's $1").replace(NOCKS, 'the nocks');
    return `${what} ${named}`.trim() + written + inTransaction;
  }

  #count(what) {
    const count = (this.#calls.get(what) ?? 0) + 1;
    this.#calls.set(what, count);
    return count;
  }
}

const TUBE = /^\/local\/domain\/\d+\/data\/((?:nock|tip))\/\d+\/\d+/;
const LOOK = /^(nock|tip)(\/state)?$/;
/** Of all tubes with a peer. */
const NOCKS = /^\/local\/domain\/\d+\/data\/nock\/\d+$/;
const PEER = /^\/local\/domain\/\d+\/(domid)$/;

const TYPES = new Map(
  [...Object.entries(wire), ...Object.entries(hypercall)].flatMap(([name, type]) => {
    const [, what] = /^(?:XS|HYPERCALL)_(.+)$/.exec(name) ?? [];
    return what === undefined ? [] : [[type, what]];
  }),
);

class Stop {
  steps = new Steps();
  isReached = false;
  #hasHalted = false;
  /** Sends what it has stopped before. */
  goOn = () => {};

  constructor(where, step) {
    this.where = where;
    this.step = step;
  }

  /** What the name of a domain that says hello says, if it is one of these. */
  static of({ type, payload }, where) {
    const [, found, step] = PLAN.exec(type === hypercall.HYPERCALL_HELLO ? payload.toString() : '') ?? [];
    return found !== undefined && where.includes(found) ? new Stop(found, step) : undefined;
  }

  /** Whether that is where it stops. */
  isAt(packet) {
    this.isReached = this.steps.next(packet) === this.step;
    return this.isReached;
  }

  /** Whether it goes on after it has stopped; stops where that is, once. */
  halts(packet) {
    if (!this.where.startsWith('halts')) return false;
    if (this.steps.next(packet) !== this.step || this.#hasHalted) return true;
    this.#hasHalted = true;
    process.kill(process.pid, 'SIGSTOP');
    // Another thread may have taken the signal: this one is stopped a little later.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    return true;
  }
}

const PLAN = /^(stops before|unheard from|unanswered from|halts before|halts lingd at) (.+)$/;

// ---- In the OS process of the domains

/** By channel. */
const senders = new Map();

const { send } = UnixChannel.prototype;
UnixChannel.prototype.send = function (packet, fds = []) {
  if (isMuted(packet)) return fds.forEach(closeFd);
  const stop = senders.get(this) ?? Stop.of(packet, ['stops before', 'halts before']);
  if (!stop) return send.call(this, packet, fds);
  senders.set(this, stop);
  if (stop.halts(packet)) return send.call(this, packet, fds);
  if (stop.isReached) return fds.forEach(closeFd);
  if (!stop.isAt(packet)) return send.call(this, packet, fds);
  stop.goOn = () => send.call(this, packet, fds);
};

/** Whether all of these domains have stopped. */
exports.haveStopped = () => [...senders.values()].every(({ isReached }) => isReached);

/** Each sends the message that it has stopped before, and then nothing any more. */
exports.sendLast = () => {
  for (const { goOn } of senders.values()) goOn();
};

/** The steps that each of these domains has come to. */
exports.steps = () => [...senders.values()].map(({ steps }) => steps.names);

// ---- In lingd

/** By connection. */
const asking = new WeakMap();
/** The number of the request that is handled, and not answered. */
let muted;

function isMuted({ type, reqId }) {
  return reqId === muted && type !== wire.XS_WATCH_EVENT;
}

const { handle } = DomainConnection.prototype;
DomainConnection.prototype.handle = function (packet, fds) {
  const stop = asking.get(this) ?? Stop.of(packet, ['unheard from', 'unanswered from', 'halts lingd at']);
  if (!stop) return handle.call(this, packet, fds);
  asking.set(this, stop);
  if (stop.halts(packet)) return handle.call(this, packet, fds);
  if (stop.isReached) return fds.forEach(closeFd);
  if (!stop.isAt(packet)) return handle.call(this, packet, fds);
  if (stop.where === 'unheard from') fds.forEach(closeFd);
  else {
    muted = packet.reqId;
    handle.call(this, packet, fds);
    muted = undefined;
  }
  process.stdout.write('stopped\n');
};
