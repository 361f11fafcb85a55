import { badarg } from '../actors/errors.js';
import { formatShort } from '../actors/format.js';
import { type List, list } from '../actors/term.js';
import type { PortObject } from './port.js';

/** How each item of port_info/2 is found. */
const ITEMS = {
  connected: ({ owner }) => owner,
  id: ({ id }) => id.id,
  input: ({ bytesIn }) => bytesIn,
  links: ({ links }) => links.toList(),
  // Erlang knows false (no threads), port_level and driver_level.
  locking: () => 'port_level' as const,
  // What drivers hold is not known here.
  memory: () => 0,
  monitored_by: ({ watchers }) => watchers.toList(),
  monitors: ({ end }) => end.monitors,
  name: ({ name }) => name,
  os_pid: ({ osPid }) => osPid ?? ('undefined' as const),
  output: ({ bytesOut }) => bytesOut,
  parallelism: ({ options }) => options.parallelism,
  queue_size: ({ end }) => end.queue.size,
  registered_name: ({ registeredName }) => registeredName,
} satisfies Record<string, (port: PortObject) => unknown>;

export type PortInfoItem = keyof typeof ITEMS;
/** `[item, value]`. */
export type PortInfo<I extends PortInfoItem = PortInfoItem> = {
  [K in I]: [item: K, value: NonNullable<ReturnType<(typeof ITEMS)[K]>>];
}[I];
/** The answer for one item: where there is no name, nothing but the empty list. */
export type PortInfoAnswer<I extends PortInfoItem> =
  | PortInfo<I>
  | ('registered_name' extends I ? List<never> : never);

/** The items that port_info/1 lists, in this order. */
const SUMMARY: readonly PortInfoItem[] = [
  'registered_name',
  'name',
  'links',
  'id',
  'connected',
  'input',
  'output',
  'os_pid',
];

/**
 * port_info: `[item, value]`, or a list of such when no item is given; `undefined` for a port that is closed, whatever
 * is asked. Erlang's items come first, then those of the driver. A port without a name has no item
 * `registered_name`: the answer is the empty list, a quirk of Erlang's that programs match on. Raises badarg.
 */
export function portInfo(port: PortObject | undefined, item: unknown): unknown {
  if (item !== undefined && typeof item !== 'string') throw noItem(port, item);
  if (port === undefined) return 'undefined';
  if (item === undefined) {
    const listed = SUMMARY.map((key): [string, unknown] => [key, ITEMS[key](port)]);
    return list(...listed.filter(([, value]) => value !== undefined));
  }
  if (item === 'registered_name' && port.registeredName === undefined) return list();
  if (Object.hasOwn(ITEMS, item)) return [item, ITEMS[item as PortInfoItem](port)];
  const further = port.driverInfo();
  if (!Object.hasOwn(further, item)) throw noItem(port, item);
  return [item, further[item]];
}

function noItem(port: PortObject | undefined, item: unknown): Error {
  return badarg(`port_info has no item ${formatShort(item)}${port ? ` of driver ${port.driver.name}` : ''}`);
}
