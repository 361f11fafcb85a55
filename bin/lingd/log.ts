/** lingd's log: one line an event, on stderr. */
import fs from 'node:fs';
import type { Logger } from 'pino';
import { LOG_LEVELS, type Log, type LogFields, type LogLevel } from '../../xen/lingd/log.js';
import { StderrWriter } from './stderr-writer.js';
import { escapeControls, type TextStyle, textLine } from './text-line.js';

export const LOG_FORMATS = ['text', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** How lines of text begin where no journal reads them. */
  readonly style: Exclude<TextStyle, 'journal'>;
}

/** A log that nobody has to wait for: what stderr does not take is lost, and how many lines that were is said later. */
export function openLog({ level, format, style }: LogOptions): Log {
  const writer = new StderrWriter();
  const write = (line: string): void => writer.write(`${escapeControls(line)}\n`);
  const text = isJournal() ? 'journal' : style;
  let pino: Logger | undefined;
  // pino is loaded only when there is something to say, as that takes a fifth of lingd's start, for which domains wait. That
  // lingd is out of descriptors may be the first thing; files are read one after the other, so this one is enough for them.
  const reserve = fs.openSync('/dev/null', 'r');
  const loadPino = (): Logger => {
    fs.closeSync(reserve);
    return makePino((line) => write(format === 'json' ? line.trimEnd() : textLine(text, JSON.parse(line))));
  };
  const say = (at: Exclude<LogLevel, 'silent'>, event: string, fields: LogFields): void => {
    if (LOG_LEVELS.indexOf(at) > LOG_LEVELS.indexOf(log.level)) return;
    pino ??= loadPino();
    if (writer.lost > 0) tellOfLost(pino, writer);
    pino[at](fields, event);
  };
  const log: Log = {
    level,
    error: (event, fields = {}) => say('error', event, fields),
    warn: (event, fields = {}) => say('warn', event, fields),
    info: (event, fields = {}) => say('info', event, fields),
    debug: (event, fields = {}) => say('debug', event, fields),
  };
  return log;
}

function tellOfLost(pino: Logger, writer: StderrWriter): void {
  const { lost } = writer;
  pino.warn({ lines: lost }, 'log lines lost');
  // Itself it is none of them.
  writer.lost = writer.lost === lost ? 0 : lost;
}

/** What is to be written has been decided already, by a level that can be changed before there is a pino. */
function makePino(write: (line: string) => void): Logger {
  const { pino } = require('pino') as typeof import('pino');
  const formatters = { level: (label: string) => ({ level: label }) };
  const base = { pid: process.pid };
  return pino({ level: 'debug', base, formatters, timestamp: pino.stdTimeFunctions.isoTime }, { write });
}

/** Whether stderr is what systemd means: the variable also reaches programs that were started with another one. */
export function isJournal(): boolean {
  try {
    const { dev, ino } = fs.fstatSync(process.stderr.fd);
    return process.env.JOURNAL_STREAM === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
