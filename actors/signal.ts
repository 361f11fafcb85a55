/**
 * What processes and ports can be told.
 *
 * In Erlang's run-time system a process and a port are two kinds of signal receiver. This file is the seam:
 * whatever implements {@link Receiver} can be linked, monitored, sent to and sent exit signals, so ports need
 * no place in this layer and this layer no import of theirs.
 *
 * Signals are delivered by a direct call, so those from one sender to one receiver arrive in the order sent,
 * whatever their kind (Erlang manual, "Processes", signal order).
 */
import type { Pid, Port } from './identifiers.js';
import type { Monitor } from './monitors.js';

/** Why a process or port ended, or was asked to: any term. */
export type Reason = unknown;

/** Who can send a signal. */
export type Sender = Pid | Port;

export type Signal =
  /** `from` linked itself to the receiver. */
  | { readonly type: 'link'; readonly from: Sender }
  | { readonly type: 'unlink'; readonly from: Sender }
  /**
   * An exit signal. `linked`: it comes over a link, because `from` ended (then `kill` is a reason like any
   * other); otherwise somebody called exit/2 (then `kill` cannot be trapped).
   */
  | { readonly type: 'exit'; readonly from: Sender; readonly reason: Reason; readonly linked: boolean }
  /** `from` monitors the receiver. */
  | Monitor
  | { readonly type: 'demonitor'; readonly monitor: Monitor }
  /** What the receiver monitored has ended. */
  | { readonly type: 'down'; readonly monitor: Monitor; readonly reason: Reason };

/** A process or a port, seen by somebody who sends it signals. Never throws at its sender. */
export interface Receiver {
  readonly id: Pid | Port;
  /** A registered name, kept here so that an exit can release it. */
  registeredName: string | undefined;
  /**
   * A message; `sender` is the process or port that sent it, where one did. Messages are shared, not copied. A promise
   * (of the message) suspends the sender: its program waits for it.
   */
  message(message: unknown, sender?: Sender): Promise<unknown> | undefined;
  /** Whether that message would suspend its sender. */
  wouldSuspend?(message: unknown, sender?: Sender): boolean;
  signal(signal: Signal): void;
}
