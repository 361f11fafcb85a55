import { badarg } from './errors.js';
import { formatShort } from './format.js';
import { Pid } from './identifiers.js';
import { parseOptions } from './options.js';
import type { Process } from './process.js';
import type { Sender } from './signal.js';
import { type List, list } from './term.js';

/** How each item of process_info/2 is found; `asker` is the process that asks. */
const ITEMS = {
  dictionary: ({ dictionary }) => list(...(dictionary ?? [])),
  group_leader: ({ groupLeader }) => groupLeader,
  // What Erlang says of each that was spawned with a fun.
  initial_call: () => ['erlang', 'apply', 2],
  links: ({ links }) => links?.toList() ?? list<Sender>(),
  message_queue_data: ({ messageQueueData }) => messageQueueData,
  message_queue_len: ({ mailbox }) => mailbox.length,
  messages: ({ mailbox }) => list(...mailbox),
  monitored_by: ({ watchers }) => watchers?.toList() ?? list<Sender>(),
  monitors: ({ monitors }) => monitors?.toList() ?? list(),
  parent: ({ parent }) => parent ?? 'undefined',
  priority: ({ priority }) => priority,
  registered_name: ({ registeredName }) => registeredName ?? list<never>(),
  status: (actor, asker) => (actor === asker ? 'running' : actor.status),
  trap_exit: ({ trapExit }) => trapExit,
} satisfies Record<string, (actor: Process, asker: Process) => unknown>;

export type InfoItem = keyof typeof ITEMS;
/** `[item, value]`. */
export type InfoPair<I extends InfoItem = InfoItem> = {
  [K in I]: [item: K, value: ReturnType<(typeof ITEMS)[K]>];
}[I];
/** The answer for one item: where there is no name, nothing but the empty list. */
export type InfoAnswer<I extends InfoItem> = I extends 'registered_name'
  ? [item: I, value: string] | List<never>
  : InfoPair<I>;

/** The items that process_info/1 lists, which leaves out the long ones. */
const SUMMARY: readonly InfoItem[] = [
  'registered_name',
  'initial_call',
  'status',
  'message_queue_len',
  'links',
  'dictionary',
  'trap_exit',
  'priority',
  'group_leader',
];

/**
 * process_info: `[item, value]`, or a list of such for a list of items or none. `undefined` when `pid` has exited. A
 * process without a name has no item `registered_name`: the answer is the empty list, and a list leaves it out where
 * no items were asked for. Raises badarg.
 */
export function processInfo(asker: Process, pid: unknown, wanted: unknown): unknown {
  if (!(pid instanceof Pid)) throw badarg(`${formatShort(pid)} is no pid`);
  const items = Array.isArray(wanted) ? parseOptions(wanted) : wanted === undefined ? [] : [wanted];
  for (const item of items) {
    if (typeof item === 'string' && Object.hasOwn(ITEMS, item)) continue;
    throw badarg(`${formatShort(item)} is no item; the items are ${Object.keys(ITEMS).join(', ')}`);
  }
  const actor = pid.receiver as Process | undefined;
  if (actor === undefined) return 'undefined';
  const describe = (item: InfoItem): [InfoItem, unknown] => [item, ITEMS[item](actor, asker)];
  if (wanted === undefined) {
    return list(
      ...SUMMARY.filter((item) => item !== 'registered_name' || actor.registeredName).map(describe),
    );
  }
  if (Array.isArray(wanted)) return list(...wanted.map(describe));
  if (wanted === 'registered_name' && actor.registeredName === undefined) return list() as List<never>;
  return describe(wanted as InfoItem);
}
