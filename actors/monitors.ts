import type { AliasMode } from './alias.js';
import { badarg } from './errors.js';
import type { Pid, Port, Reference } from './identifiers.js';
import { parseOptions, parsePair } from './options.js';
import { type List, list } from './term.js';

export type MonitorOption =
  | readonly ['alias', 'explicit_unalias' | 'demonitor' | 'reply_demonitor']
  | readonly ['tag', unknown];

/** One monitor, as the process that made it keeps it. */
export interface Monitor {
  readonly kind: 'process' | 'port';
  /** The identifier, or `[name, node]`: what the `'DOWN'` message names. */
  readonly object: unknown;
  /** Who has to hear of a demonitor; undefined where there was nobody. */
  readonly target: Pid | Port | undefined;
  readonly tag: unknown;
}

/** The monitors that a process holds on others. */
export class Monitors {
  private readonly held = new Map<Reference, Monitor>();

  add(ref: Reference, monitor: Monitor): void {
    this.held.set(ref, monitor);
  }

  has(ref: Reference): boolean {
    return this.held.has(ref);
  }

  /** Removes and answers it, or undefined where it was not held (any more). */
  take(ref: Reference): Monitor | undefined {
    const monitor = this.held.get(ref);
    if (monitor !== undefined) this.held.delete(ref);
    return monitor;
  }

  /** As process_info shows them: `['process', object]` or `['port', object]`. */
  toList(): List<['process' | 'port', unknown]> {
    return list(
      ...[...this.held.values()].map(({ kind, object }): ['process' | 'port', unknown] => [kind, object]),
    );
  }

  *[Symbol.iterator](): IterableIterator<[Reference, Monitor]> {
    yield* this.held;
  }
}

/** Checks the options of monitor/3; raises badarg. */
export function parseMonitorOptions(options: unknown): { alias: AliasMode | undefined; tag: unknown } {
  const parsed: { alias: AliasMode | undefined; tag: unknown } = { alias: undefined, tag: 'DOWN' };
  for (const option of parseOptions(options)) {
    const [key, value] = parsePair(option);
    if (key === 'tag') parsed.tag = value;
    else if (key === 'alias' && isMonitorAlias(value)) parsed.alias = value;
    else throw badarg();
  }
  return parsed;
}

function isMonitorAlias(value: unknown): value is AliasMode {
  return value === 'explicit_unalias' || value === 'demonitor' || value === 'reply_demonitor';
}
