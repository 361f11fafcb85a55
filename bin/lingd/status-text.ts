/** How a lingd is, for people. */
import type { DomainStatus, LingdStatus } from '../../xen/lingd/status.js';
import { colors, printable, table, timeText } from '../cli/table.js';

type Count = 'nodes' | 'watches' | 'memory' | 'grants' | 'channels' | 'outstanding';
const COUNTS: readonly Count[] = ['nodes', 'watches', 'memory', 'grants', 'channels', 'outstanding'];
const OWNERS = ['pid', 'uid', 'gid'] as const;

export function statusText(lingd: LingdStatus, domains: readonly DomainStatus[]): string {
  const { pid, version, directory, activated, restarts, since, logLevel, requests, connections, awaited } =
    lingd;
  const facts = [
    ['lingd', `${version}, pid ${pid}${activated ? ', started by its sockets' : ''}`],
    ['directory', printable(directory)],
    ['since', `${timeText(since)} (${duration(Date.now() - Date.parse(since))}), restarts ${restarts}`],
    ['requests', String(requests)],
    ['connections', String(connections)],
    ['domains', `${domains.length}${awaited > 0 ? colors.yellow(`, ${awaited} expected back`) : ''}`],
    ['log level', logLevel],
  ];
  const head = facts.map(([name = '', value]) => `${colors.bold(name.padEnd(11))}  ${value}\n`).join('');
  return domains.length === 0 ? head : `${head}\n${domainsTable(domains)}`;
}

function domainsTable(domains: readonly DomainStatus[]): string {
  // Only what is known of any of them.
  const owners = OWNERS.filter((name) => domains.some((domain) => domain[name] !== null));
  const titles = ['domid', 'name', ...owners, 'since', ...COUNTS];
  const rows = domains.map((domain) => [
    ...[String(domain.domid), printable(domain.name)],
    ...owners.map((name) => String(domain[name] ?? '-')),
    domain.since === null ? colors.yellow('expected back') : timeText(domain.since),
    ...COUNTS.map((name) => String(domain[name])),
  ]);
  const total = (name: Count): string => String(domains.reduce((sum, domain) => sum + domain[name], 0));
  const blank = owners.map(() => '');
  if (domains.length > 1) rows.push(['', colors.bold('all'), ...blank, '', ...COUNTS.map(total)]);
  return table(titles, new Set(['domid', ...OWNERS, ...COUNTS]), rows);
}

/** `2d 3h`, `5m 7s`: the two largest units. */
function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([count], i) => count > 0 || i === parts.length - 1);
  return parts
    .slice(first, first + 2)
    .map(([count, unit]) => `${count}${unit}`)
    .join(' ');
}
