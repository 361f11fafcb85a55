/** The children of a simple_one_for_one supervisor: any number of one kind, named by their pids. */
import { Pid } from '../actors/identifiers.js';
import type { Process } from '../actors/process.js';
import { type List, list, toList } from '../actors/term.js';
import { type Started, shutDown, startChild } from './child.js';
import type { CheckedSpec } from './child-spec.js';
import { type ChildCount, type ChildInfo, type Children, isRestarted, type Outcome } from './children.js';
import * as gen_server from './gen-server.js';
import type { CheckedFlags } from './supervisor-flags.js';
import { reportEnd, reportStart } from './supervisor-report.js';

interface Dynamic {
  readonly args: readonly unknown[];
  /** Its last start has failed, and the next is under way; the pid is that of its earlier life. */
  readonly isRestarting: boolean;
}

const UNNAMED = 'simple_one_for_one';

export class DynamicChildren<P extends Process> implements Children<P> {
  readonly #self: P;
  readonly #flags: CheckedFlags;
  readonly #spec: CheckedSpec<P>;
  readonly #children = new Map<Pid, Dynamic>();

  constructor(self: P, flags: CheckedFlags, spec: CheckedSpec<P>) {
    this.#self = self;
    this.#flags = flags;
    this.#spec = spec;
  }

  async start(args: readonly unknown[]): Promise<Started> {
    if (!Array.isArray(args)) return ['error', ['badarg', args]];
    const started = await startChild(this.#self, this.#spec.start, args);
    if (started[0] === 'ok' && started[1] !== 'undefined') this.#add(started[1], args);
    return started;
  }

  async terminate(pid: unknown): Promise<'ok' | ['error', unknown]> {
    if (!(pid instanceof Pid)) return ['error', UNNAMED];
    const child = this.#children.get(pid);
    // One that has ended may have been a child.
    if (child === undefined) return pid.receiver === undefined ? 'ok' : ['error', 'not_found'];
    if (!child.isRestarting) await shutDown(this.#self, [pid], this.#spec.shutdown);
    this.#children.delete(pid);
    return 'ok';
  }

  async restart(): Promise<Started> {
    return ['error', UNNAMED];
  }

  delete(): ['error', unknown] {
    return ['error', UNNAMED];
  }

  specOf(pid: unknown): ['ok', CheckedSpec<P>] | ['error', unknown] {
    const isKnown = pid instanceof Pid && (this.#children.has(pid) || pid.receiver === undefined);
    return isKnown || pid === this.#spec.id ? ['ok', this.#spec] : ['error', 'not_found'];
  }

  which(): List<ChildInfo> {
    const { type, modules } = this.#spec;
    return toList(
      Array.from(
        this.#children,
        ([pid, { isRestarting }]): ChildInfo => [
          'undefined',
          isRestarting ? 'restarting' : pid,
          type,
          modules,
        ],
      ),
    );
  }

  count(): ChildCount {
    const { size } = this.#children;
    const restarting = [...this.#children.values()].filter(({ isRestarting }) => isRestarting).length;
    const isSupervisor = this.#spec.type === 'supervisor';
    return list(
      ['specs', 1],
      ['active', size - restarting],
      ['supervisors', isSupervisor ? size : 0],
      ['workers', isSupervisor ? 0 : size],
    );
  }

  async exited(pid: Pid, reason: unknown): Promise<Outcome> {
    const child = this.#children.get(pid);
    if (child === undefined || child.isRestarting) return 'goesOn';
    if (isRestarted(this.#spec.restart, reason)) return this.#restart(pid, child, reason);
    this.#children.delete(pid);
    return this.#spec.significant && this.#isOver() ? 'shutdown' : 'goesOn';
  }

  async tryAgain(pid: unknown, reason: unknown): Promise<Outcome> {
    const child = this.#children.get(pid as Pid);
    return child?.isRestarting ? this.#restart(pid as Pid, child, reason) : 'goesOn';
  }

  /** All at once. */
  async terminateAll(): Promise<void> {
    const running = [...this.#children].filter(([, { isRestarting }]) => !isRestarting);
    this.#children.clear();
    await shutDown(
      this.#self,
      running.map(([pid]) => pid),
      this.#spec.shutdown,
    );
  }

  #isOver(): boolean {
    const { autoShutdown } = this.#flags;
    return (
      autoShutdown === 'any_significant' || (autoShutdown === 'all_significant' && this.#children.size === 0)
    );
  }

  async #restart(pid: Pid, { args }: Dynamic, reason: unknown): Promise<Outcome> {
    const { restarts } = this.#flags;
    const { id, start } = this.#spec;
    this.#children.delete(pid);
    if (!restarts.allows()) {
      reportEnd(this.#self, restarts, id, reason);
      return 'shutdown';
    }
    const started = await startChild(this.#self, start, args);
    if (started[0] === 'error') {
      reportStart(this.#self, id, started[1]);
      this.#children.set(pid, { args, isRestarting: true });
      gen_server.cast(this.#self, this.#self.pid, ['try_again_restart', pid, started[1]]);
    } else if (started[1] !== 'undefined') this.#add(started[1], args);
    return 'goesOn';
  }

  #add(pid: Pid, args: readonly unknown[]): void {
    // Only who may be started again needs them.
    const kept = this.#spec.restart === 'temporary' ? [] : args;
    this.#children.set(pid, { args: kept, isRestarting: false });
  }
}
