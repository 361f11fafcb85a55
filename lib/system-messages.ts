/** The behaviour's side of `sys`: what a behaviour does with messages `['system', from, request]`. */
import { ErlangExit, ErlangThrow, exitReason, isError } from '../actors/errors.js';
import { formatReason } from '../actors/format.js';
import type { Pid } from '../actors/identifiers.js';
import type { Process } from '../actors/process.js';
import { isTuple, type List, list } from '../actors/term.js';
import { type Birth, type From, isFrom, reply, Stop } from './gen.js';
import { readableName } from './gen-name.js';
import { Debug, type DebugEvent } from './sys-debug.js';

/** What `sys` needs of a behaviour. What these raise, the caller of `sys` gets, and the behaviour goes on. */
export interface Inspected {
  /** The behaviour as the module that it is in OTP, e.g. `gen_server`. */
  readonly module: string;
  getState(): unknown;
  /** Makes what `change` makes of the state the state, and answers it. */
  replaceState(change: (state: unknown) => unknown): unknown;
  /** What get_status shows of the state: mostly what the callback `format_status` makes of it. */
  formatState(): unknown;
  /** What else get_status shows, by its name in OTP. */
  details?(): readonly [name: string, value: unknown][];
  /** A line for a trace, without the name. */
  describe(event: DebugEvent): string;
}

/** What get_status answers. */
export type Status = [
  'status',
  Pid,
  ['module', string],
  List<unknown> &
    readonly [
      dictionary: List<[key: unknown, value: unknown]>,
      'running' | 'suspended',
      parent: Pid,
      debug: List<unknown>,
      details: List<['header', Buffer] | ['data', List<readonly [name: string, value: unknown]>]>,
    ],
];

/** One for each running behaviour. */
export class SystemMessages {
  /** Tell it of events only while it is on: `if (system.debug.isOn) system.debug.tell(...)`. */
  readonly debug: Debug;
  /** What people know the server by: its name, otherwise its pid. */
  readonly name: unknown;
  private readonly parent: Pid | undefined;
  private isSuspended = false;

  constructor(
    private readonly self: Process,
    birth: Birth,
    private readonly inspected: Inspected,
  ) {
    this.parent = birth.parent;
    this.name = birth.name === undefined ? self.pid : readableName(birth.name);
    this.debug = new Debug(birth.debug, (event) => `${formatReason(this.name)} ${inspected.describe(event)}`);
  }

  /** Whether the loop of the behaviour has to {@link handle} this message: a system message, or its parent's end. */
  concerns(message: unknown): message is unknown[] {
    if (!isTuple(message) || message.length !== 3) return false;
    if (message[0] === 'EXIT') return message[1] === this.parent && this.parent !== undefined;
    return message[0] === 'system' && isFrom(message[1]);
  }

  /**
   * Does what the message asks for. Where that is to suspend, it returns only when the behaviour is resumed; all but
   * system messages stay in the mailbox until then. Throws {@link Stop} when the behaviour has to end.
   */
  async handle(message: unknown[]): Promise<void> {
    await this.handleOne(message);
    const concerns = (next: unknown): next is unknown[] => this.concerns(next);
    while (this.isSuspended) await this.handleOne(await this.self.receive(concerns));
  }

  private async handleOne([kind, from, request]: unknown[]): Promise<void> {
    if (kind === 'EXIT') throw new Stop(request);
    const answer = await this.answer(request);
    reply(this.self, from as From, answer);
    if (isTuple(request) && request[0] === 'terminate') throw new Stop(request[1]);
  }

  private async answer(request: unknown): Promise<unknown> {
    const [what, argument] = isTuple(request) ? request : [request];
    switch (what) {
      case 'suspend':
      case 'resume':
        this.isSuspended = what === 'suspend';
        return 'ok';
      case 'get_state':
        return this.attempt('system_get_state', () => this.inspected.getState());
      case 'replace_state':
        return this.attempt('system_replace_state', () =>
          this.inspected.replaceState(argument as (state: unknown) => unknown),
        );
      case 'get_status':
        return this.status();
      case 'debug':
        return this.debug.change(argument);
      case 'terminate':
        return 'ok';
      default:
        return ['error', ['unknown_system_msg', request]];
    }
  }

  private async attempt(callback: string, job: () => unknown): Promise<unknown> {
    try {
      return ['ok', await job()];
    } catch (thrown) {
      if (!this.self.isAlive) throw thrown;
      return ['error', ['callback_failed', [this.inspected.module, callback], classified(thrown)]];
    }
  }

  private async status(): Promise<Status> {
    const { self, debug, inspected } = this;
    const state = this.isSuspended ? 'suspended' : 'running';
    const parent = this.parent ?? self.pid;
    const header = Buffer.from(`Status for ${inspected.module} ${formatReason(this.name)}`);
    const details = inspected.details?.() ?? [];
    const misc = list<unknown>(
      ['header', header],
      ['data', list(['Status', state], ['Parent', parent], ['Logged events', debug.events()], ...details)],
      ['data', list(['State', await this.formattedState()])],
    );
    const dictionary = list(...(self.dictionary ?? []));
    const items = list<unknown>(dictionary, state, parent, debug.toList(), misc) as Status[3];
    return ['status', self.pid, ['module', inspected.module], items];
  }

  /** Who only looks harms nobody: as OTP does, it says that it could not be shown. */
  private async formattedState(): Promise<unknown> {
    try {
      return await this.inspected.formatState();
    } catch (thrown) {
      if (!this.self.isAlive) throw thrown;
      return Buffer.from(`${this.inspected.module}:format_status crashed`);
    }
  }
}

/** Class and reason of what was thrown, as `catch Class:Reason` has them. */
function classified(thrown: unknown): ['error' | 'exit' | 'throw', unknown] {
  try {
    if (thrown instanceof ErlangExit) return ['exit', thrown.reason];
    if (thrown instanceof ErlangThrow) return ['throw', thrown.value];
    if (!isError(thrown)) return ['throw', thrown];
    const [reason] = exitReason(thrown) as unknown[];
    return ['error', reason];
  } catch {
    // A revoked proxy cannot even be asked what it is.
    return ['throw', thrown];
  }
}
