/** What a supervisor tells of its own, beside the crashes of its children, which tell of themselves. */
import { Crash, isReported } from '../actors/crash.js';
import { isError, originOf } from '../actors/errors.js';
import { formatReason } from '../actors/format.js';
import type { Process } from '../actors/process.js';
import { isTuple } from '../actors/term.js';
import type { RestartIntensity } from './restart-intensity.js';

/**
 * A child that could not be started (kind `start_error`), or the end of a supervisor that has restarted too often
 * (`shutdown`). `pid` and `name` are the supervisor's, `reason` is of the child's last end or start; `thrown` is the Error
 * behind it, where one was raised in this OS process and has not been reported by the child itself.
 */
export class SupervisorReport extends Crash {
  readonly #kind: 'start_error' | 'shutdown';

  constructor(
    self: Process,
    kind: 'start_error' | 'shutdown',
    /** The id of the child. */
    readonly child: unknown,
    reason: unknown,
    private readonly limit = '',
  ) {
    const origin = originOf(reason);
    super(self.pid, self.registeredName, reason, isReported(origin) ? undefined : origin);
    this.#kind = kind;
  }

  override get kind(): 'start_error' | 'shutdown' {
    return this.#kind;
  }

  override toString(): string {
    const { position, who, reason } = this;
    const child = formatReason(this.child);
    if (this.kind === 'shutdown') {
      return `Supervisor ${who} gives up: ${this.limit}; the last child was ${child}, because ${formatReason(reason)}`;
    }
    const place = position === undefined ? '' : ` at ${position}`;
    return `Child ${child} of supervisor ${who} could not be started${place}: ${this.why}`;
  }

  protected override get why(): string {
    return isError(this.thrown) ? super.why : formatReason(this.reason);
  }
}

/** Tells that a start has failed, unless that is a supervisor which has told of the child that it failed for. */
export function reportStart(self: Process, child: unknown, reason: unknown): void {
  const [kind, cause] = isTuple(reason) ? reason : [];
  if (kind === 'shutdown' && isTuple(cause) && cause[0] === 'failed_to_start_child') return;
  self.runtime.report(new SupervisorReport(self, 'start_error', child, reason));
}

/** Tells that a supervisor ends because this was one restart too many. */
export function reportEnd(self: Process, restarts: RestartIntensity, child: unknown, reason: unknown): void {
  self.runtime.report(new SupervisorReport(self, 'shutdown', child, reason, `${restarts}`));
}
