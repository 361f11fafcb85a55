/** The children of a supervisor that have an order: all strategies but simple_one_for_one. */
import type { Pid } from '../actors/identifiers.js';
import type { Process } from '../actors/process.js';
import { type List, list, toList } from '../actors/term.js';
import { type Started, shutDown, startChild } from './child.js';
import { type CheckedSpec, type ChildSpec, checkSpec, isSameId } from './child-spec.js';
import { type ChildCount, type ChildInfo, type Children, isRestarted, type Outcome } from './children.js';
import * as gen_server from './gen-server.js';
import type { CheckedFlags } from './supervisor-flags.js';
import { reportEnd, reportStart } from './supervisor-report.js';

interface Child<P extends Process> {
  readonly spec: CheckedSpec<P>;
  /** `restarting`: its last start has failed, and the next is under way. */
  pid: Pid | 'undefined' | 'restarting';
}

type Failure<P extends Process> = readonly [child: Child<P>, reason: unknown];

export class OrderedChildren<P extends Process> implements Children<P> {
  readonly #self: P;
  readonly #flags: CheckedFlags;
  /** In the order they are started in. */
  #children: Child<P>[];

  constructor(self: P, flags: CheckedFlags, specs: readonly CheckedSpec<P>[]) {
    this.#self = self;
    this.#flags = flags;
    this.#children = specs.map((spec) => ({ spec, pid: 'undefined' }));
  }

  async startAll(): Promise<'ok' | ['error', unknown]> {
    const failure = await this.#startEach(this.#children);
    if (failure === undefined) return 'ok';
    await this.terminateAll();
    const [{ spec }, reason] = failure;
    return ['error', ['failed_to_start_child', spec.id, reason]];
  }

  async terminateAll(): Promise<void> {
    await this.#terminateEach(this.#children);
  }

  // ---- What is asked of it

  async start(spec: ChildSpec<P>): Promise<Started> {
    const checked = checkSpec(spec, this.#flags.autoShutdown);
    if (checked[0] === 'error') return checked;
    const child: Child<P> = { spec: checked[1], pid: 'undefined' };
    const other = this.#find(child.spec.id);
    if (typeof other?.pid === 'object') return ['error', ['already_started', other.pid]];
    if (other !== undefined) return ['error', 'already_present'];
    const started = await startChild(this.#self, child.spec.start);
    if (started[0] === 'error') return ['error', [started[1], child.spec]];
    child.pid = started[1];
    if (child.pid !== 'undefined' || child.spec.restart !== 'temporary') this.#children.push(child);
    return started;
  }

  async terminate(id: unknown): Promise<'ok' | ['error', unknown]> {
    const child = this.#find(id);
    if (child === undefined) return ['error', 'not_found'];
    await this.#terminateEach([child]);
    return 'ok';
  }

  async restart(id: unknown): Promise<Started> {
    const child = this.#find(id);
    if (child === undefined) return ['error', 'not_found'];
    if (child.pid !== 'undefined') return ['error', child.pid === 'restarting' ? 'restarting' : 'running'];
    const started = await startChild(this.#self, child.spec.start);
    if (started[0] === 'ok') child.pid = started[1];
    return started;
  }

  delete(id: unknown): 'ok' | ['error', unknown] {
    const child = this.#find(id);
    if (child === undefined) return ['error', 'not_found'];
    if (child.pid !== 'undefined') return ['error', child.pid === 'restarting' ? 'restarting' : 'running'];
    this.#remove(child);
    return 'ok';
  }

  specOf(id: unknown): ['ok', CheckedSpec<P>] | ['error', unknown] {
    const child = this.#find(id);
    return child === undefined ? ['error', 'not_found'] : ['ok', child.spec];
  }

  /** The last one first. */
  which(): List<ChildInfo> {
    return toList(
      this.#children.map(({ spec: { id, type, modules }, pid }): ChildInfo => [id, pid, type, modules]),
    ).reverse() as List<ChildInfo>;
  }

  count(): ChildCount {
    const supervisors = this.#children.filter(({ spec }) => spec.type === 'supervisor').length;
    const active = this.#children.filter(({ pid }) => typeof pid === 'object' && pid.receiver !== undefined);
    return list(
      ['specs', this.#children.length],
      ['active', active.length],
      ['supervisors', supervisors],
      ['workers', this.#children.length - supervisors],
    );
  }

  // ---- Ends and restarts

  async exited(pid: Pid, reason: unknown): Promise<Outcome> {
    const child = this.#children.find((each) => each.pid === pid);
    if (child === undefined) return 'goesOn';
    if (isRestarted(child.spec.restart, reason)) return this.#restart(child, reason);
    this.#drop(child);
    return child.spec.significant && this.#isOver() ? 'shutdown' : 'goesOn';
  }

  async tryAgain(id: unknown, reason: unknown): Promise<Outcome> {
    const child = this.#find(id);
    return child?.pid === 'restarting' ? this.#restart(child, reason) : 'goesOn';
  }

  /** A significant child has ended: whether that was enough of them. */
  #isOver(): boolean {
    const { autoShutdown } = this.#flags;
    if (autoShutdown !== 'all_significant') return autoShutdown === 'any_significant';
    return !this.#children.some(({ spec, pid }) => spec.significant && pid !== 'undefined');
  }

  async #restart(child: Child<P>, reason: unknown): Promise<Outcome> {
    const { restarts } = this.#flags;
    if (!restarts.allows()) {
      reportEnd(this.#self, restarts, child.spec.id, reason);
      this.#drop(child);
      return 'shutdown';
    }
    child.pid = 'undefined';
    const affected = this.#affectedBy(child);
    await this.#terminateEach(affected);
    const failure = await this.#startEach(affected.filter(({ spec }) => spec.restart !== 'temporary'));
    if (failure === undefined) return 'goesOn';
    // Through the mailbox, so that the supervisor also listens to others while a child will not start.
    const [failed, why] = failure;
    failed.pid = 'restarting';
    gen_server.cast(this.#self, this.#self.pid, ['try_again_restart', failed.spec.id, why]);
    return 'goesOn';
  }

  #affectedBy(child: Child<P>): Child<P>[] {
    switch (this.#flags.strategy) {
      case 'one_for_all':
        return [...this.#children];
      case 'rest_for_one':
        return this.#children.slice(this.#children.indexOf(child));
      default:
        return [child];
    }
  }

  /** In order, up to one that fails. */
  async #startEach(children: readonly Child<P>[]): Promise<Failure<P> | undefined> {
    for (const child of [...children]) {
      const started = await startChild(this.#self, child.spec.start);
      if (started[0] === 'error') {
        reportStart(this.#self, child.spec.id, started[1]);
        return [child, started[1]];
      }
      child.pid = started[1];
      if (child.pid === 'undefined') this.#drop(child);
    }
    return undefined;
  }

  /** In reverse order. */
  async #terminateEach(children: readonly Child<P>[]): Promise<void> {
    for (const child of [...children].reverse()) {
      if (typeof child.pid === 'object') await shutDown(this.#self, [child.pid], child.spec.shutdown);
      this.#drop(child);
    }
  }

  /** It has ended: a temporary child is forgotten, of any other the specification stays. */
  #drop(child: Child<P>): void {
    child.pid = 'undefined';
    if (child.spec.restart === 'temporary') this.#remove(child);
  }

  #remove(child: Child<P>): void {
    this.#children = this.#children.filter((each) => each !== child);
  }

  #find(id: unknown): Child<P> | undefined {
    return this.#children.find(({ spec }) => isSameId(spec.id, id));
  }
}
