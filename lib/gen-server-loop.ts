/** The process of a gen_server. */
import { noteContext } from '../actors/crash.js';
import { ErlangExit, exitReason } from '../actors/errors.js';
import { formatReason, formatShort } from '../actors/format.js';
import type { Process } from '../actors/process.js';
import { isTuple } from '../actors/term.js';
import * as gen from './gen.js';
import type { Behaviour, Call, InitResult, Then } from './gen-server-types.js';
import type { DebugEvent } from './sys-debug.js';
import { SystemMessages } from './system-messages.js';

type From = gen.From;

/** Initializes the server, tells who starts it, and serves until it ends. */
export async function serve<P extends Process, S, C extends Call, K, A>(
  self: P,
  behaviour: Behaviour<S, C, K, A, P>,
  args: A,
  birth: gen.Birth,
): Promise<never> {
  self.put('$initial_call', INITIAL_CALL);
  let result: InitResult<S>;
  try {
    if (typeof behaviour?.init !== 'function')
      gen.undefinedFunction(`the gen_server ${formatShort(behaviour)} has no init`);
    result = (await returned(() => behaviour.init(args, self))) as InitResult<S>;
  } catch (thrown) {
    return gen.initCrashed(self, birth, thrown);
  }
  if (!isStarted(result)) return gen.refuseInit(self, birth, result);
  gen.initAck(self);
  return new Loop(self, behaviour, birth, result[1]).run(result[2]);
}

const INITIAL_CALL = ['gen_server', 'init', 1] as const;

/** Its state and its callbacks, from {@link Loop.run} until its end. */
export class Loop<P extends Process, S, C extends Call, K, A> {
  private readonly system: SystemMessages;

  constructor(
    private readonly self: P,
    private readonly behaviour: Behaviour<S, C, K, A, P>,
    birth: gen.Birth,
    private state: S,
  ) {
    this.system = new SystemMessages(self, birth, {
      module: 'gen_server',
      getState: () => this.state,
      replaceState: async (change) => {
        this.state = (await change(this.state)) as S;
        return this.state;
      },
      formatState: () => this.formatState(),
      describe,
    });
  }

  async run(first: Then | undefined): Promise<never> {
    const { self, system } = this;
    let then = first;
    let message: unknown;
    try {
      for (;;) {
        if (isContinue(then)) {
          then = await this.goOn(then[1]);
          // A server that goes on by itself, as one that receives, lets others have their turns.
          if (isContinue(then)) await self.yield();
          continue;
        }
        // What is there is not awaited: most of the cost of a call would be turns of the microtask queue.
        const received = isForEver(then) ? self.receive() : self.receive(undefined, { after: then });
        message = Array.isArray(received) ? received : ((await received) ?? 'timeout');
        gen.ensureAlive(self);
        const call = isCall(message) ? message : undefined;
        if (call === undefined && system.concerns(message)) {
          await system.handle(message);
          continue;
        }
        if (system.debug.isOn) system.debug.tell(['in', message]);
        let result: unknown;
        try {
          result = call === undefined ? this.dispatch(message) : this.answer(call);
          if (!Array.isArray(result)) result = await result;
        } catch (thrown) {
          result = gen.thrownValue(thrown);
        }
        then = this.next(result, call?.[1], message);
      }
    } catch (thrown) {
      // Where it goes on by itself, `then` is still what it was doing.
      const lastMessage = isContinue(then) || message === undefined ? then : lastMessageOf(message);
      return await this.end(thrown, lastMessage);
    }
  }

  private answer([, from, request]: CallMessage): unknown {
    const { self, behaviour, state } = this;
    if (behaviour.handle_call === undefined)
      return gen.undefinedFunction(
        `the gen_server has no handle_call; the request was ${formatShort(request)}`,
      );
    return behaviour.handle_call(request, from, state, self);
  }

  private dispatch(message: unknown): unknown {
    const { self, behaviour, state } = this;
    if (isCast(message)) {
      if (behaviour.handle_cast === undefined)
        return gen.undefinedFunction(
          `the gen_server has no handle_cast; the cast was ${formatShort(message[1])}`,
        );
      return behaviour.handle_cast(message[1] as K, state, self);
    }
    if (behaviour.handle_info === undefined) return ['noreply', state];
    return behaviour.handle_info(message, state, self);
  }

  private async goOn(what: unknown): Promise<Then | undefined> {
    const { self, behaviour, system } = this;
    if (system.debug.isOn) system.debug.tell(['continue', what]);
    return this.next(
      await returned(() => {
        if (behaviour.handle_continue !== undefined) return behaviour.handle_continue(what, this.state, self);
        return gen.undefinedFunction(`the gen_server has no handle_continue, for ${formatShort(what)}`);
      }),
      undefined,
      undefined,
    );
  }

  /** Does what a callback has answered to a message; undefined: to handle_continue. */
  private next(result: unknown, from: From | undefined, message: unknown): Then | undefined {
    const { debug } = this.system;
    if (isTuple(result)) {
      const { length } = result;
      const [kind, second, third, fourth] = result;
      if (kind === 'noreply' && (length === 2 || length === 3) && isThen(third)) {
        this.state = second as S;
        if (debug.isOn) debug.tell(['noreply', second]);
        return third;
      }
      if (kind === 'reply' && from !== undefined && (length === 3 || length === 4) && isThen(fourth)) {
        this.state = third as S;
        gen.reply(this.self, from, second);
        if (debug.isOn) debug.tell(['out', second, from, third]);
        return fourth;
      }
      if (kind === 'stop' && length === 3) {
        this.state = third as S;
        throw new gen.Stop(second);
      }
      if (kind === 'stop' && length === 4 && from !== undefined) {
        this.state = fourth as S;
        throw new StopAndReply(second, from, third);
      }
    }
    const [kind] = message === undefined ? ['continue'] : lastMessageOf(message);
    throw gen.badReturn(`handle_${kind}`, result);
  }

  /** Also what stops a killed server comes along here; then `terminate` is not called, as in OTP. */
  private async end(thrown: unknown, lastMessage: unknown): Promise<never> {
    const { self, behaviour, system } = this;
    if (!self.isAlive) throw thrown;
    noteContext(self.pid, { lastMessage });
    try {
      const reason = thrown instanceof gen.Stop ? thrown.reason : exitReason(thrown);
      await returned(() => behaviour.terminate?.(reason, this.state, self));
    } finally {
      // The caller who is still owed a reply gets it after `terminate`, whatever becomes of that.
      if (thrown instanceof StopAndReply && self.isAlive) {
        const { from, reply } = thrown;
        gen.reply(self, from, reply);
        if (system.debug.isOn) system.debug.tell(['out', reply, from, this.state]);
      }
    }
    throw thrown instanceof gen.Stop ? new ErlangExit(thrown.reason) : thrown;
  }

  private async formatState(): Promise<unknown> {
    const { behaviour, state } = this;
    if (behaviour.format_status === undefined) return state;
    return (await behaviour.format_status(new Map([['state', state]]))).get('state');
  }
}

class StopAndReply extends gen.Stop {
  constructor(
    reason: unknown,
    readonly from: From,
    readonly reply: unknown,
  ) {
    super(reason);
  }
}

async function returned(callback: () => unknown): Promise<unknown> {
  try {
    return await callback();
  } catch (thrown) {
    return gen.thrownValue(thrown);
  }
}

function isStarted<S>(result: InitResult<S>): result is ['ok', S, Then?] {
  if (!isTuple(result) || result[0] !== 'ok') return false;
  return (result.length === 2 || result.length === 3) && isThen(result[2]);
}

function isThen(term: unknown): term is Then | undefined {
  return term === undefined || term === 'hibernate' || gen.isTimeout(term) || isContinue(term);
}

function isContinue(term: unknown): term is readonly ['continue', unknown] {
  return isTuple(term) && term.length === 2 && term[0] === 'continue';
}

function isForEver(then: Then | undefined): then is undefined | 'infinity' | 'hibernate' {
  return then === undefined || then === 'infinity' || then === 'hibernate';
}

type CallMessage = [label: '$gen_call', from: From, request: unknown];

function isCall(message: unknown): message is CallMessage {
  return isTuple(message) && message.length === 3 && message[0] === '$gen_call' && gen.isFrom(message[1]);
}

function isCast(message: unknown): message is ['$gen_cast', unknown] {
  return isTuple(message) && message.length === 2 && message[0] === '$gen_cast';
}

/** As a crash tells it. */
function lastMessageOf(message: unknown): readonly [kind: 'call' | 'cast' | 'info', ...unknown[]] {
  if (isCall(message)) return ['call', message[2], message[1][0]];
  return isCast(message) ? ['cast', message[1]] : ['info', message];
}

/** How OTP words a gen_server's events in a trace. */
function describe([kind, first, second, third]: DebugEvent): string {
  switch (kind) {
    case 'in': {
      if (isCall(first)) return `got call ${formatReason(first[2])} from ${first[1][0]}`;
      return isCast(first) ? `got cast ${formatReason(first[1])}` : `got ${formatReason(first)}`;
    }
    case 'out':
      return `sent ${formatReason(first)} to ${(second as From)[0]}, new state ${formatReason(third)}`;
    case 'continue':
      return `goes on with ${formatReason(first)}`;
    default:
      return `new state ${formatReason(first)}`;
  }
}
