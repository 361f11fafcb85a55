const REASONS: ReadonlySet<string> = new Set(['enotconn', 'econnreset']);

/** Whether that reason of an error says that lingd is gone, and not what it has answered. */
export function isDisconnection(reason: string): boolean {
  return REASONS.has(reason);
}
