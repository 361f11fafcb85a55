/** An event as a line of text: `domain joined domid=1 name="the client"` behind what the style begins with. */
import type { LogLevel } from '../../xen/lingd/log.js';

/**
 * `dated` for people; `journal` for systemd, which knows the time and takes the priority from `<4>`; `plain` for the domain
 * that has started lingd, which makes a warning of it.
 */
export type TextStyle = 'dated' | 'journal' | 'plain';

export interface LoggedEvent {
  readonly level: Exclude<LogLevel, 'silent'>;
  /** ISO 8601. */
  readonly time: string;
  readonly pid: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** Those of syslog. */
const PRIORITIES: Readonly<Record<LoggedEvent['level'], number>> = { error: 3, warn: 4, info: 6, debug: 7 };

export function textLine(style: TextStyle, event: LoggedEvent): string {
  const { level: _level, time: _time, pid: _pid, msg, ...fields } = event;
  const words = [msg, ...Object.entries(fields).map(([name, value]) => `${name}=${valueText(value)}`)];
  return `${beginning(style, event)}${words.join(' ')}`;
}

function beginning(style: TextStyle, { level, time, pid }: LoggedEvent): string {
  if (style === 'journal') return `<${PRIORITIES[level]}>`;
  return style === 'dated' ? `${time} lingd[${pid}] ${level}: ` : 'lingd: ';
}

/** As it is where that is one plain word; otherwise as JSON, which says where it ends. */
function valueText(value: unknown): string {
  return typeof value === 'string' && !/^[\w./:@+-]+$/.test(value) ? JSON.stringify(value) : String(value);
}

/**
 * What a terminal or a reader of lines could take for something else becomes `\u001b` and the like, which is also what it
 * is in a string of JSON: a domain may call itself what it likes.
 */
export function escapeControls(line: string): string {
  return line.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from({ length: character.length }, (_, i) => escapeUnit(character.charCodeAt(i))).join(''),
  );
}

function escapeUnit(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`;
}
