/** How a lingd is, for who asks it by CONTROL. */
import type { Domid } from '../hypervisor.js';
import type { ControlCommands } from '../xenstore/control.js';
import { XenstoreError } from '../xenstore/errors.js';
import { homePath } from '../xenstore/path.js';
import type { Usage, XenstoreServer } from '../xenstore/server.js';
import { PAYLOAD_MAX } from '../xenstore/wire.js';
import { domainName } from './domain-home.js';
import { isLogLevel, LOG_LEVELS, type Log, type LogLevel } from './log.js';

export interface LingdStatus {
  readonly pid: number;
  readonly version: string;
  readonly directory: string;
  /** Whether a service manager has handed it its sockets. */
  readonly activated: boolean;
  /** How many lingds there have been since the first that a domain of now may remember. */
  readonly restarts: number;
  /** ISO 8601. */
  readonly since: string;
  readonly logLevel: LogLevel;
  /** Requests answered. */
  readonly requests: number;
  /** Of domains and of tools. */
  readonly connections: number;
  /** Connected, or expected back. */
  readonly domains: number;
  readonly awaited: number;
}

export interface DomainStatus extends Usage {
  readonly domid: Domid;
  /** Null where domain 0 has removed it, as with the next three. */
  readonly name: string | null;
  /** What is known of its OS process. */
  readonly pid: number | null;
  readonly uid: number | null;
  readonly gid: number | null;
  /** Of its connection, ISO 8601; null for one that is expected back. */
  readonly since: string | null;
  /** Pages granted. */
  readonly grants: number;
  /** Ends of event channels. */
  readonly channels: number;
}

/** What a lingd says of itself. */
export interface StatusSource {
  readonly log: Log;
  readonly xenstore: XenstoreServer;
  status(): LingdStatus;
  /** Undefined for a domain that is expected back. */
  connectedSince(domid: Domid): number | undefined;
  grants(domid: Domid): number;
  channels(domid: Domid): number;
}

/** `status`, `status domains [<after>]` and `log-level [<level>]`: see docs/protocol.md. */
export function statusControls(source: StatusSource): ControlCommands {
  return new Map([
    ['status', { usage: '[domains [<after domid>]]', run: (args) => status(source, args) }],
    ['log-level', { usage: `[${LOG_LEVELS.join('|')}]`, run: (args) => logLevel(source.log, args) }],
  ]);
}

function status(source: StatusSource, [what, after = '0', ...more]: readonly string[]): string {
  if (what === undefined) return asciiJson(source.status());
  if (what !== 'domains' || !/^\d{1,5}$/.test(after) || more.length > 0) throw new XenstoreError('EINVAL');
  return page(source, Number(after));
}

/** As many domains as fit one packet, from the one behind that domid on. */
function page(source: StatusSource, after: number): string {
  const domids = source.xenstore.introducedDomids().filter((domid) => domid > after);
  const texts: string[] = [];
  let length = 2;
  for (const domid of domids.sort((a, b) => a - b)) {
    const text = asciiJson(domainStatus(source, domid));
    length += text.length + 1;
    if (length > PAYLOAD_MAX) break;
    texts.push(text);
  }
  return `[${texts.join(',')}]`;
}

function domainStatus(source: StatusSource, domid: Domid): DomainStatus {
  const { xenstore } = source;
  const since = source.connectedSince(domid);
  const number = (name: string): number | null => {
    const text = xenstore.read(`${homePath(domid)}/${name}`)?.toString() ?? '';
    return /^\d{1,10}$/.test(text) ? Number(text) : null;
  };
  return {
    domid,
    name: domainName(xenstore, domid) ?? null,
    ...{ pid: number('pid'), uid: number('uid'), gid: number('gid') },
    since: since === undefined ? null : new Date(since).toISOString(),
    ...xenstore.usage(domid)!,
    ...{ grants: source.grants(domid), channels: source.channels(domid) },
  };
}

function logLevel(log: Log, [level, ...more]: readonly string[]): string {
  if (level === undefined) return log.level;
  if (!isLogLevel(level) || more.length > 0) throw new XenstoreError('EINVAL');
  log.level = level;
  log.info('log level set', { to: level });
  return 'OK';
}

/** A domain's name may be anything. */
function asciiJson(document: unknown): string {
  return JSON.stringify(document).replace(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
