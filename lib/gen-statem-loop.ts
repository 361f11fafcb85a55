import { noteContext } from '../actors/crash.js';
import { ErlangError, ErlangExit, exitReason } from '../actors/errors.js';
import { formatReason, formatShort } from '../actors/format.js';
import type { Process } from '../actors/process.js';
import { isTuple, toList } from '../actors/term.js';
import * as gen from './gen.js';
import { Timeouts } from './gen-statem-timeouts.js';
import {
  type Answer,
  type AnyEvent,
  eachOf,
  isReplyAction,
  isSame,
  makeEvent,
  Options,
  readAnswer,
  readEnterAnswer,
  typeOf,
} from './gen-statem-transition.js';
import type {
  AnyEvents,
  Event,
  HandleEventFunction,
  ReplyAction,
  StateFunctions,
} from './gen-statem-types.js';
import type { DebugEvent } from './sys-debug.js';
import { SystemMessages } from './system-messages.js';

export type AnyMachine<P extends Process> =
  | StateFunctions<string, unknown, AnyEvents, unknown, P>
  | HandleEventFunction<unknown, unknown, AnyEvents, unknown, P>;

/** A process becomes a state machine: initializes it, says so, and runs it until its end. */
export async function serve<P extends Process>(
  self: P,
  machine: AnyMachine<P>,
  args: unknown,
  birth: gen.Birth,
): Promise<never> {
  self.put('$initial_call', INITIAL_CALL);
  let result: unknown;
  try {
    if (typeof machine?.init !== 'function')
      gen.undefinedFunction(`the gen_statem ${formatShort(machine)} has no init`);
    result = await returned(() => machine.init(args, self));
  } catch (thrown) {
    if (!self.isAlive) throw thrown;
    return gen.initFail(self, birth, ['error', bareReason(thrown)], thrown);
  }
  const [kind, state, data, actions] = isTuple(result) ? result : [];
  if (isTuple(result) && kind === 'ok' && (result.length === 3 || result.length === 4)) {
    gen.initAck(self);
    return new Loop(self, machine, birth, state, data).run(actions);
  }
  if (result === 'ignore' || (isTuple(result) && kind === 'stop' && result.length === 2))
    return gen.refuseInit(self, birth, result);
  const reason = ['bad_return_from_init', result];
  return gen.initFail(self, birth, ['error', reason], new ErlangError(reason));
}

const INITIAL_CALL = ['gen_statem', 'init', 1] as const;

/**
 * Where an event comes from, and where it goes:
 *
 *     mailbox    ->  events  ->  callback  ->  postponed
 *     timers         ^   ^          |              |
 *     due timeouts       |          +- next_event  |
 *                        +-------------------------+ when the state changes
 *
 * Timeouts of zero wait until no event is left, the mailbox until no timeout of zero is.
 */
export class Loop<P extends Process> {
  private readonly system: SystemMessages;
  private readonly timeouts: Timeouts;
  /** The next one is the last: all are put in at that end. */
  private readonly events: AnyEvent[] = [];
  /** Oldest first. */
  private postponed: AnyEvent[] = [];

  constructor(
    private readonly self: P,
    private readonly machine: AnyMachine<P>,
    birth: gen.Birth,
    private state: unknown,
    private data: unknown,
  ) {
    this.timeouts = new Timeouts(self);
    this.system = new SystemMessages(self, birth, {
      module: 'gen_statem',
      getState: () => [this.state, this.data],
      replaceState: (change) => this.replaceState(change),
      formatState: () => this.formatState(),
      details: () => [
        ['Time-outs', [this.timeouts.size, this.timeouts.toList()]],
        ['Postponed', toList(this.postponed.map((event) => [typeOf(event), event[1]]))],
      ],
      describe,
    });
  }

  async run(actions: unknown): Promise<never> {
    const { self, system, machine } = this;
    let event: AnyEvent | undefined;
    let answer: Answer = { stop: false, state: this.state, data: this.data, actions, isRepeated: true };
    try {
      for (;;) {
        if (answer.stop) return this.stop(answer);
        const { state: before, data: oldData } = this;
        const options = this.begin(answer, event);
        if (machine.state_enter && (answer.isRepeated || !isSame(before, this.state)))
          await this.enter(before, oldData, options);
        this.finish(options);

        event = this.queued();
        // A machine that goes on by itself, as one that receives, lets others have their turns.
        if (event !== undefined) await self.yield();
        while (event === undefined) {
          // What is there is not awaited: most of the cost of a call would be turns of the microtask queue.
          const received = self.receive();
          const message = Array.isArray(received) ? received : await received;
          gen.ensureAlive(self);
          if (system.concerns(message)) await system.handle(message);
          else event = this.eventOf(message);
        }
        let result: unknown;
        try {
          result = this.ask(event, this.state, this.data);
          if (!Array.isArray(result)) result = await result;
        } catch (thrown) {
          result = gen.thrownValue(thrown);
        }
        answer = readAnswer(result, this.state, this.data);
      }
    } catch (thrown) {
      return await this.end(thrown, event);
    }
  }

  /** An event that need not be waited for. */
  private queued(): AnyEvent | undefined {
    return this.events.pop() ?? this.tell('in', timeoutEvent(this.timeouts.takeDue()));
  }

  /** Undefined when it is of a timer that was cancelled meanwhile. */
  private eventOf(message: unknown): AnyEvent | undefined {
    const timeout = this.timeouts.take(message);
    return timeout === 'stale' ? undefined : this.tell('in', timeoutEvent(timeout) ?? toEvent(message));
  }

  private ask(event: AnyEvent, state: unknown, data: unknown): unknown {
    const { machine, self } = this;
    if (!('states' in machine)) {
      if (machine.handle_event !== undefined) return machine.handle_event(event, state, data, self);
      return gen.undefinedFunction(`the gen_statem has no handle_event; the event was ${formatShort(event)}`);
    }
    const isKnown = typeof state === 'string' && Object.hasOwn(machine.states, state);
    const callback = isKnown ? machine.states[state] : undefined;
    if (callback !== undefined) return callback.call(machine.states, event as Event<string>, data, self);
    const lost = `${formatShort(state)}; the event was ${formatShort(event)}`;
    return gen.undefinedFunction(`the gen_statem has no function for state ${lost}`);
  }

  /** What was answered to an event, or by `init` (undefined), up to the state enter call. */
  private begin(answer: Answer & { readonly stop: false }, event: AnyEvent | undefined): Options {
    const { timeouts, events, state: before } = this;
    const options = new Options();
    this.act(answer, options, false);
    if (event !== undefined) {
      if (options.postpone) this.postponed.push(event);
      this.tell(options.postpone ? 'postpone' : 'consume', event, before);
    }
    if (!isSame(before, this.state)) {
      for (let i = this.postponed.length - 1; i >= 0; i--) events.push(this.postponed[i]!);
      this.postponed = [];
      timeouts.cancel('state_timeout');
    }
    timeouts.cancel('timeout');
    return options;
  }

  /** What comes after it. */
  private finish({ timeouts, nextEvents }: Options): void {
    this.timeouts.change(timeouts);
    for (let i = nextEvents.length - 1; i >= 0; i--) this.events.push(nextEvents[i]!);
  }

  /** The state enter call, until it does not repeat itself. */
  private async enter(before: unknown, oldData: unknown, options: Options): Promise<void> {
    for (;;) {
      const { state, data } = this;
      // As in OTP: `terminate` sees that a machine whose state enter call has raised did not enter.
      this.state = before;
      this.data = oldData;
      const result = await returned(() => this.ask(['enter', before], state, data));
      this.state = state;
      this.data = data;
      const answer = readEnterAnswer(result, state, data);
      if (answer.stop) return this.stop(answer);
      this.act(answer, options, true);
      if (!answer.isRepeated) return;
      await this.self.yield();
    }
  }

  private act(answer: Answer & { readonly stop: false }, options: Options, isEnterCall: boolean): void {
    this.state = answer.state;
    this.data = answer.data;
    for (const action of eachOf(answer.actions)) {
      const reply = options.add(action, isEnterCall);
      if (reply !== undefined) this.reply(reply);
    }
    if (!isEnterCall) for (const event of options.nextEvents) this.tell('in', event);
  }

  private reply([, from, value]: ReplyAction): void {
    if (this.system.debug.isOn) this.system.debug.tell(['out', value, from]);
    gen.reply(this.self, from, value);
  }

  private stop({ reason, data, replies }: Answer & { readonly stop: true }): never {
    this.data = data;
    for (const action of eachOf(replies)) {
      if (!isReplyAction(action)) throw new ErlangError(['bad_reply_action_from_state_function', action]);
      this.reply(action);
    }
    throw new gen.Stop(reason);
  }

  /** Also what stops a killed machine comes along here; then `terminate` is not called, as in OTP. */
  private async end(thrown: unknown, event: AnyEvent | undefined): Promise<never> {
    const { self, machine, state } = this;
    if (!self.isAlive) throw thrown;
    const lastMessage = event?.[0] === 'call' ? ['call', event[1], event[2][0]] : event;
    noteContext(self.pid, { lastMessage, state });
    const reason = thrown instanceof gen.Stop ? thrown.reason : bareReason(thrown);
    await returned(() => machine.terminate?.(reason, this.state as never, this.data, self));
    throw thrown instanceof gen.Stop ? new ErlangExit(thrown.reason) : thrown;
  }

  private async replaceState(change: (state: unknown) => unknown): Promise<unknown> {
    const changed = await change([this.state, this.data]);
    if (!isTuple(changed) || changed.length !== 2) throw new ErlangError(['badmatch', changed]);
    [this.state, this.data] = changed;
    return changed;
  }

  private async formatState(): Promise<unknown> {
    const { machine, state, data } = this;
    if (machine.format_status === undefined) return [state, data];
    const shown = await machine.format_status(
      new Map([
        ['state', state],
        ['data', data],
      ]),
    );
    return [shown.get('state'), shown.get('data')];
  }

  private tell<T extends AnyEvent | undefined>(kind: string, event: T, before = this.state): T {
    if (event !== undefined && this.system.debug.isOn)
      this.system.debug.tell([kind, [typeOf(event), event[1]], before, this.state]);
    return event;
  }
}

function toEvent(message: unknown): AnyEvent {
  const [kind, second, third] = isTuple(message) ? message : [];
  if (kind === '$gen_call' && gen.isFrom(second)) return ['call', third, second];
  return kind === '$gen_cast' ? ['cast', second] : ['info', message];
}

function timeoutEvent(timeout: { type: unknown; content: unknown } | undefined): AnyEvent | undefined {
  return timeout === undefined ? undefined : makeEvent(timeout.type, timeout.content);
}

/** Unlike the reason of the exit, the one that `terminate` and the starter get is without a stack. */
function bareReason(thrown: unknown): unknown {
  return thrown instanceof ErlangExit ? thrown.reason : (exitReason(thrown) as [unknown])[0];
}

async function returned(callback: () => unknown): Promise<unknown> {
  try {
    return await callback();
  } catch (thrown) {
    return gen.thrownValue(thrown);
  }
}

/** How OTP words a gen_statem's events in a trace. */
function describe([kind, first, second, third]: DebugEvent): string {
  if (kind === 'out') return `send ${formatReason(first)} to ${(second as gen.From)[0]}`;
  const [type, content] = first as [unknown, unknown];
  const [name, from] = isTuple(type) ? type : [];
  const event =
    name === 'call'
      ? `call ${formatReason(content)} from ${(from as gen.From)[0]}`
      : `${formatReason(type)} ${formatReason(content)}`;
  if (kind === 'in') return `receive ${event} in state ${formatReason(second)}`;
  const change = isSame(second, third) ? '' : ` => ${formatReason(third)}`;
  return `${kind} ${event} in state ${formatReason(second)}${change}`;
}
