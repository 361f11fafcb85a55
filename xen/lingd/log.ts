/** What lingd says of itself: who came and left, what was refused, what went wrong. */

export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What there is to know of an event. Anything in it may come from a domain; undefined is left out. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Takes events: what has happened, in words that are always the same where it is the same, and of whom. Never throws. */
export type Log = Readonly<
  Record<Exclude<LogLevel, 'silent'>, (event: string, fields?: LogFields) => void>
> & {
  /** From which level on events are written. */
  level: LogLevel;
};

export function isLogLevel(text: string): text is LogLevel {
  return (LOG_LEVELS as readonly string[]).includes(text);
}

const ignore = (): void => {};

export const NO_LOG: Log = { level: 'silent', error: ignore, warn: ignore, info: ignore, debug: ignore };
