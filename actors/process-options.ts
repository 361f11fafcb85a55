import { badarg } from './errors.js';
import { type MonitorOption, parseMonitorOptions } from './monitors.js';

export type Priority = 'low' | 'normal' | 'high' | 'max';
/** Kept and answered, without effect: messages are shared and not copied to anywhere. */
export type MessageQueueData = 'on_heap' | 'off_heap';
export type SendOption = 'nosuspend' | 'noconnect';
export type SpawnOption =
  | 'link'
  | 'monitor'
  | readonly ['monitor', readonly MonitorOption[]]
  | readonly ['priority', Priority]
  | readonly ['message_queue_data', MessageQueueData];

/** Raises badarg. */
export function checkSendOptions(options: unknown): void {
  if (!Array.isArray(options)) throw badarg();
  if (options.some((option) => option !== 'nosuspend' && option !== 'noconnect')) throw badarg();
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
  if (!Array.isArray(options)) throw badarg();
  for (const option of options) {
    const [key, value] = Array.isArray(option) ? option : [option, undefined];
    if (option === 'link') parsed.link = true;
    else if (option === 'monitor') parsed.monitor = [];
    else if (key === 'monitor') parsed.monitor = value;
    else if (key === 'priority' && isPriority(value)) parsed.priority = value;
    else if (key === 'message_queue_data' && isMessageQueueData(value)) parsed.messageQueueData = value;
    else throw badarg();
  }
  if (parsed.monitor !== undefined) parseMonitorOptions(parsed.monitor);
  return parsed;
}
