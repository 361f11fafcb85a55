/** What a supervisor can do with its children, whatever its strategy. */
import type { Pid } from '../actors/identifiers.js';
import type { Process } from '../actors/process.js';
import type { List } from '../actors/term.js';
import type { Started } from './child.js';
import type { CheckedSpec, ChildSpec, ChildType, Modules, Restart } from './child-spec.js';
import { isOrderly } from './exit-reason.js';

/** As which_children tells it. */
export type ChildInfo = [
  id: unknown,
  pid: Pid | 'undefined' | 'restarting',
  type: ChildType,
  modules: Modules,
];
export type ChildCount = List<['specs' | 'active' | 'supervisors' | 'workers', number]>;

/** After the end of a child: whether the supervisor ends as well. */
export type Outcome = 'goesOn' | 'shutdown';

export interface Children<P extends Process> {
  start(what: ChildSpec<P> | readonly unknown[]): Promise<Started>;
  terminate(id: unknown): Promise<'ok' | ['error', unknown]>;
  restart(id: unknown): Promise<Started>;
  delete(id: unknown): 'ok' | ['error', unknown];
  specOf(id: unknown): ['ok', CheckedSpec<P>] | ['error', unknown];
  which(): List<ChildInfo>;
  count(): ChildCount;
  exited(pid: Pid, reason: unknown): Promise<Outcome>;
  /** A restart had failed for this reason: the next attempt, unless that has been settled otherwise. */
  tryAgain(id: unknown, reason: unknown): Promise<Outcome>;
  terminateAll(): Promise<void>;
}

/** Whether a child that has ended for this reason is started again. */
export function isRestarted(restart: Restart, reason: unknown): boolean {
  if (restart !== 'transient') return restart === 'permanent';
  return !isOrderly(reason);
}
