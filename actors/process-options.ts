import { badarg } from './errors.js';
import { formatShort } from './format.js';
import type { Pid, Reference } from './identifiers.js';
import { type MonitorOption, parseMonitorOptions } from './monitors.js';
import { parseFlags, parseOptions } from './options.js';

export type Priority = 'low' | 'normal' | 'high' | 'max';
/** Kept and answered, without effect: messages are shared and not copied to anywhere. */
export type MessageQueueData = 'on_heap' | 'off_heap';
export type SendOption = 'nosuspend' | 'noconnect';
export type SpawnOption =
  | 'link'
  | 'monitor'
  | readonly ['monitor', readonly MonitorOption[]]
  | readonly ['priority', Priority]
  | readonly ['message_queue_data', MessageQueueData]
  /** Checked, without effect: memory is the JavaScript engine's. */
  | readonly ['min_heap_size' | 'min_bin_vheap_size' | 'fullsweep_after', number]
  /** No limit: there can be none. */
  | readonly ['max_heap_size', 0];

type MonitoredOption = 'monitor' | readonly ['monitor', readonly MonitorOption[]];
/** What spawn_opt answers: the pid, with a monitor its reference too, or either where the options are not known. */
export type SpawnAnswer<N, O extends readonly SpawnOption[]> = true extends {
  [I in keyof O]: O[I] extends MonitoredOption ? true : false;
}[number]
  ? [Pid<N>, Reference]
  : [Extract<O[number], MonitoredOption>] extends [never]
    ? Pid<N>
    : Pid<N> | [Pid<N>, Reference];

/** Raises badarg. */
export function checkSendOptions(options: unknown): void {
  parseFlags(options, ['nosuspend', 'noconnect']);
}

export function isPriority(value: unknown): value is Priority {
  return value === 'low' || value === 'normal' || value === 'high' || value === 'max';
}

export function isMessageQueueData(value: unknown): value is MessageQueueData {
  return value === 'on_heap' || value === 'off_heap';
}

interface ParsedSpawnOptions {
  link: boolean;
  monitor: readonly MonitorOption[] | undefined;
  priority: Priority | undefined;
  messageQueueData: MessageQueueData | undefined;
}

/** Raises badarg. */
export function parseSpawnOptions(options: unknown): ParsedSpawnOptions {
  const parsed: ParsedSpawnOptions = {
    link: false,
    monitor: undefined,
    priority: undefined,
    messageQueueData: undefined,
  };
  for (const option of parseOptions(options)) {
    const [key, value] = Array.isArray(option) && option.length === 2 ? option : [];
    if (option === 'link') parsed.link = true;
    else if (option === 'monitor') parsed.monitor = [];
    else if (key === 'monitor') parsed.monitor = value;
    else if (key === 'priority' && isPriority(value)) parsed.priority = value;
    else if (key === 'message_queue_data' && isMessageQueueData(value)) parsed.messageQueueData = value;
    else if (!isMemoryOption(key, value)) throw badarg(`${formatShort(option)} is no option of spawn_opt`);
  }
  if (parsed.monitor !== undefined) parseMonitorOptions(parsed.monitor);
  return parsed;
}

function isMemoryOption(key: unknown, value: unknown): boolean {
  if (!Number.isSafeInteger(value)) return false;
  if (key === 'max_heap_size') return value === 0;
  const isSize = key === 'min_heap_size' || key === 'min_bin_vheap_size' || key === 'fullsweep_after';
  return isSize && (value as number) >= 0;
}
