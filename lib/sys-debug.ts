/** What `sys` can show of a running behaviour: its events as they happen, the last of them, and how many. */
import { list, toList } from '../actors/term.js';

/** What a behaviour can be started with; `log` keeps 10 events. */
export type DebugOption = 'trace' | 'log' | readonly ['log', number] | 'statistics';

/** `in` is a message that came, `out` one that was sent; all others are the behaviour's own. */
export type DebugEvent = readonly [kind: 'in' | 'out' | string, ...details: unknown[]];

const LOGGED = 10;

/** How a behaviour's events are observed. While nothing is, `isOn` is false, and nobody need tell of any. */
export class Debug {
  isOn = false;
  private isTracing = false;
  private logged: DebugEvent[] = [];
  private logLimit = 0;
  private statistics: { since: Date; in: number; out: number } | undefined = undefined;

  constructor(
    options: readonly DebugOption[],
    /** How an event is told to people. */
    private readonly describe: (event: DebugEvent) => string,
  ) {
    // As in OTP, what is no option is passed over.
    for (const option of options) {
      if (option === 'trace' || option === 'log' || option === 'statistics') this.change([option, true]);
      else if (Array.isArray(option) && option[0] === 'log') this.change(['log', [true, option[1]]]);
    }
  }

  tell(event: DebugEvent): void {
    if (this.isTracing) this.print(event);
    if (this.logLimit > 0) {
      this.logged.push(event);
      if (this.logged.length > this.logLimit) this.logged.shift();
    }
    if (this.statistics !== undefined && (event[0] === 'in' || event[0] === 'out'))
      this.statistics[event[0]]++;
  }

  /** Does what a `['debug', change]` asks for, and says what is to be replied. */
  change(change: unknown): unknown {
    const answer = this.doChange(change);
    this.isOn = this.isTracing || this.logLimit > 0 || this.statistics !== undefined;
    return answer;
  }

  private doChange(change: unknown): unknown {
    const [what, how] = Array.isArray(change) ? change : [];
    switch (what) {
      case 'trace':
        if (typeof how !== 'boolean') break;
        this.isTracing = how;
        return 'ok';
      case 'statistics':
        if (how === 'get') return ['ok', this.counts()];
        if (typeof how !== 'boolean') break;
        this.statistics = how ? { since: new Date(), in: 0, out: 0 } : undefined;
        return 'ok';
      case 'log':
        if (how === 'get') return ['ok', this.events()];
        if (how === 'print') {
          for (const event of this.logged) this.print(event);
          return 'ok';
        }
        return this.log(how);
    }
    return 'unknown_debug';
  }

  /** The events that are kept, oldest first. */
  events() {
    return list(...this.logged);
  }

  /** As get_status shows it. */
  toList() {
    const shown = list<unknown>();
    if (this.isTracing) shown.push(['trace', true]);
    if (this.logLimit > 0) shown.push(['log', [this.logLimit, this.events()]]);
    if (this.statistics !== undefined) shown.push(['statistics', this.counts()]);
    return shown;
  }

  private log(how: unknown): unknown {
    const [isOn, limit] = Array.isArray(how) ? how : [how, LOGGED];
    if (typeof isOn !== 'boolean' || !(Number.isInteger(limit) && limit > 0)) return 'unknown_debug';
    this.logLimit = isOn ? limit : 0;
    this.logged = isOn ? this.logged.slice(-limit) : [];
    return 'ok';
  }

  private counts(): unknown {
    if (this.statistics === undefined) return 'no_statistics';
    const { since, in: messagesIn, out } = this.statistics;
    return toList([
      ['start_time', dateTime(since)],
      ['current_time', dateTime(new Date())],
      ['messages_in', messagesIn],
      ['messages_out', out],
    ]);
  }

  private print(event: DebugEvent): void {
    process.stdout.write(`*DBG* ${this.describe(event)}\n`);
  }
}

/** As calendar:local_time/0. */
function dateTime(date: Date): unknown {
  return [
    [date.getFullYear(), date.getMonth() + 1, date.getDate()],
    [date.getHours(), date.getMinutes(), date.getSeconds()],
  ];
}
