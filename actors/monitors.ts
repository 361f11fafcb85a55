import type { AliasMode } from './alias.js';
import { badarg } from './errors.js';
import { formatShort } from './format.js';
import type { Pid, Port, Reference } from './identifiers.js';
import { Linked, LinkedList } from './linked-list.js';
import { parseOptions, parsePair } from './options.js';
import type { Sender } from './signal.js';
import { type List, list } from './term.js';
import type { Watch } from './watchers.js';

export type MonitorOption =
  | readonly ['alias', 'explicit_unalias' | 'demonitor' | 'reply_demonitor']
  | readonly ['tag', unknown];

/** One monitor, as who made it keeps it, and the signal that makes it known to whom it is about. */
export class Monitor extends Linked {
  readonly type = 'monitor';
  /** @internal Its place among the {@link Watchers} of the target, until that ends. */
  watch: Watch | undefined = undefined;

  constructor(
    readonly ref: Reference,
    /** Who made it. */
    readonly from: Sender,
    readonly kind: 'process' | 'port',
    /** The identifier, or `[name, node]`: what the `'DOWN'` message names. */
    readonly object: unknown,
    /** Who has to hear of a demonitor; undefined where there was nobody. */
    readonly target: Pid | Port | undefined,
    readonly tag: unknown,
  ) {
    super();
  }
}

/** The monitors that a process holds on others; each is found by its reference, which leads to it while it is held. */
export class Monitors extends LinkedList<Monitor> {
  override add(monitor: Monitor): void {
    super.add(monitor);
    monitor.ref.monitor = monitor;
  }

  override delete(monitor: Monitor): void {
    super.delete(monitor);
    monitor.ref.monitor = undefined;
  }

  /** As process_info shows them: `['process', object]` or `['port', object]`. */
  toList(): List<['process' | 'port', unknown]> {
    return list(...Array.from(this, ({ kind, object }): ['process' | 'port', unknown] => [kind, object]));
  }
}
/** Checks the options of monitor/3; raises badarg. */
export function parseMonitorOptions(options: unknown): { alias: AliasMode | undefined; tag: unknown } {
  const parsed: { alias: AliasMode | undefined; tag: unknown } = { alias: undefined, tag: 'DOWN' };
  for (const option of parseOptions(options)) {
    const [key, value] = parsePair(option);
    if (key === 'tag') parsed.tag = value;
    else if (key === 'alias' && isMonitorAlias(value)) parsed.alias = value;
    else throw badarg(`${formatShort(option)} is no option of monitor`);
  }
  return parsed;
}

function isMonitorAlias(value: unknown): value is AliasMode {
  return value === 'explicit_unalias' || value === 'demonitor' || value === 'reply_demonitor';
}
