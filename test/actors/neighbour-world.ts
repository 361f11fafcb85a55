/** What the cases of test/fixtures/erlang/neighbours.escript are written with, beside the helpers of the oracle's. */
import { type ErlangExit, ErlangThrow } from '#actors/errors';
import type { Pid, Reference } from '#actors/identifiers';
import type { MonitorOption } from '#actors/monitors';
import { isTuple, type List, list, toList } from '#actors/term';
import type { Self } from '#ports/self';
import { World } from '../support/erlang-world';

export type Any = never;
export type Job = (self: Self) => unknown;
export type Play = (w: NeighbourWorld, self: Self) => unknown;

export const TRAPS = ['notrap', 'trap'] as const;

/** Every way to end. */
export const DEATHS: Job[] = [
  (s) => s.exit('normal'),
  (s) => s.exit('boom'),
  (s) => s.exit('kill'),
  (s) => s.exit(s.pid, 'kill'),
  (s) => s.exit('shutdown'),
  (s) => s.exit(['shutdown', 'x']),
  (s) => s.error('boom'),
  (s) => s.throw('boom'),
  (s) => s.link('foo' as Any),
];

export class NeighbourWorld extends World<Self> {
  /** A process that is monitored, and the monitor. */
  async watched(options: readonly MonitorOption[] = []): Promise<[Pid, Reference]> {
    const x = await this.proc('X');
    return [x, this.name(this.self.monitor('process', x, options), 'M')];
  }

  /** What is left of a process: its messages, if it lives. */
  async left(pid: Pid): Promise<unknown> {
    return (await this.fate(pid)) === 'alive' ? this.inbox(pid) : 'dead';
  }

  info(pid: Pid, item: 'links'): unknown {
    return this.normalise(this.self.process_info(pid, item));
  }

  override async ex(job: () => unknown): Promise<unknown> {
    try {
      return ['ok', await job()];
    } catch (thrown) {
      if (thrown instanceof ErlangThrow) return ['throw', thrown.value];
      return [(thrown as Error).name === 'ErlangExit' ? 'exit' : 'error', (thrown as ErlangExit).reason];
    }
  }

  /** In the order of terms: tuples by their sizes first. */
  async sorted(terms: unknown): Promise<unknown> {
    const items = Array.from((await terms) as List, (item) => this.normalise(item));
    const key = (item: unknown) => `${isTuple(item) ? item.length : 0}${JSON.stringify(item)}`;
    return toList(items.sort((a, b) => (key(a) < key(b) ? -1 : 1)));
  }
}

export async function each<T>(items: readonly T[], job: (item: T) => unknown): Promise<List> {
  const results = list();
  for (const item of items) results.push(await job(item));
  return results;
}

export const idle = (s: Self) => s.receive((m): m is 'stop' => m === 'stop');
export const sleep = (self: Self, after: number) => self.receive(() => false, { after });
