/** The CONTROL requests, with which an administrator looks into the server (xenstore-control). */
import type { Domain } from './domains.js';
import { XenstoreError } from './errors.js';
import { leadingDomid } from './number.js';
import { PATH_MAX } from './path.js';
import { QUOTA_NAMES, type Quota, wholeNumber } from './quota.js';

export interface ControlContext {
  readonly quota: Quota;
  setQuota(quota: Partial<Quota>): void;
  findDomain(domid: number): Domain | undefined;
  /** Answers that are on their way to the domain. */
  outstanding(domain: Domain): number;
  /** Those of whoever runs the server. */
  readonly more: ControlCommands;
}

/** By their names; they answer with ASCII, or throw a {@link XenstoreError}. */
export type ControlCommands = ReadonlyMap<
  string,
  { readonly usage: string; run(args: readonly string[]): string }
>;

/** The text a command answers with; `EINVAL` when there is no such command, `ENOENT` no such domain. */
export function control(context: ControlContext, command: string, args: readonly string[]): string {
  const run = COMMANDS.get(command);
  if (run !== undefined) return run(context, args);
  const other = context.more.get(command);
  if (other === undefined) throw new XenstoreError('EINVAL');
  return other.run(args);
}

const COMMANDS = new Map<string, (context: ControlContext, args: readonly string[]) => string>([
  ['quota', quotaCommand],
  [
    'help',
    ({ more }, args) => {
      if (args.length > 0) throw new XenstoreError('EINVAL');
      const others = [...more].map(([name, { usage }]) => `${name}\t${usage}\n`);
      return ['quota\t[set <name> <val>|<domid>]\n', ...others, 'help\t\n'].join('');
    },
  ],
]);

function quotaCommand(context: ControlContext, [first, ...rest]: readonly string[]): string {
  if (first === undefined) return describeQuota(context.quota);
  if (first === 'set' && rest.length > 0) return setQuota(context, rest);
  const domain = rest.length === 0 ? context.findDomain(leadingDomid(first)) : undefined;
  if (domain === undefined) throw new XenstoreError(rest.length === 0 ? 'ENOENT' : 'EINVAL');
  return describeDomain(domain, context.outstanding(domain));
}

/** In force from here on, for what is asked for; what domains have already stays theirs. */
function setQuota(context: ControlContext, [name = '', value = '', ...more]: readonly string[]): string {
  const named = QUOTA_NAMES.get(name);
  const number = wholeNumber(value);
  if (named === undefined || number === undefined || more.length > 0) throw new XenstoreError('EINVAL');
  context.setQuota({ [named.key]: number });
  return 'OK';
}

function describeQuota(quota: Quota): string {
  const rows = [...QUOTA_NAMES].map(([name, { key, meaning }]) => row(name, 17, quota[key], meaning));
  rows.splice(-1, 0, row('path-max', 17, PATH_MAX, 'Max. length of a node path'));
  return ['Quota settings:', ...rows, ''].join('\n');
}

function describeDomain(domain: Domain, outstanding: number): string {
  const { domid, nodes, watches, transactions, memory } = domain;
  const used = Object.entries({ nodes, watches, transactions, outstanding, memory });
  return [`Domain ${domid}:`, ...used.map(([name, value]) => row(name, 16, value)), ''].join('\n');
}

function row(name: string, width: number, value: number, meaning?: string): string {
  return `${name.padEnd(width)}:${String(value).padStart(9)}${meaning === undefined ? '' : ` ${meaning}`}`;
}
