/** The CONTROL requests, with which an administrator looks into the server (xenstore-control). */
import type { Domain } from './domains.js';
import { XenstoreError } from './errors.js';
import { leadingDomid } from './number.js';
import type { Quota } from './quota.js';

export interface ControlContext {
  readonly quota: Quota;
  findDomain(domid: number): Domain | undefined;
}

/** The text a command answers with; `EINVAL` when there is no such command, `ENOENT` no such domain. */
export function control(context: ControlContext, command: string, args: readonly string[]): string {
  const run = COMMANDS.get(command);
  if (run === undefined) throw new XenstoreError('EINVAL');
  return run(context, args);
}

const COMMANDS = new Map<string, (context: ControlContext, args: readonly string[]) => string>([
  ['help', () => 'help\nquota [<domid>]\n'],
  [
    'quota',
    ({ quota, findDomain }, [domid]) => {
      if (domid === undefined) return table('Quota of a domain:', Object.entries(quota));
      const domain = findDomain(leadingDomid(domid));
      if (domain === undefined) throw new XenstoreError('ENOENT');
      return describeDomain(domain);
    },
  ],
]);

function describeDomain({ domid, nodes, watches, transactions, memory }: Domain): string {
  return table(`Domain ${domid}:`, [
    ['nodes', nodes],
    ['watches', watches],
    ['transactions', transactions],
    // xenstored's word for requests not answered yet. Here each is answered before the next is looked at.
    ['outstanding', 0],
    ['memory', memory],
  ]);
}

function table(title: string, rows: [name: string, value: number][]): string {
  const lines = rows.map(([name, value]) => `${name.padEnd(16)}:${String(value).padStart(9)}`);
  return `${[title, ...lines].join('\n')}\n`;
}
