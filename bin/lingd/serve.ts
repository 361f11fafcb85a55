/** lingd itself, from its start to its end. */
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type HandedSockets, takeHandedSockets } from '../../xen/lingd/activation.js';
import { Lingd } from '../../xen/lingd/lingd.js';
import type { Log, LogLevel } from '../../xen/lingd/log.js';
import { PolicyError } from '../../xen/lingd/policy.js';
import type { Quota } from '../../xen/xenstore/quota.js';
import { isJournal, type LogFormat, openLog } from './log.js';
import { ServiceManager } from './service-manager.js';

export interface ServeOptions {
  readonly directory: string;
  /** Not only the default. */
  readonly isDirectoryNamed: boolean;
  readonly foreground: boolean;
  /** In milliseconds. */
  readonly linger: number;
  readonly quota: Partial<Quota>;
  /** A file. */
  readonly policy: string | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly lock: number | undefined;
}

/**
 * For how long to try where another one has the lock on the directory, in milliseconds: somebody may only be looking. Who
 * has been handed the sockets has others waiting in them, and the lingd before may be about to end.
 */
const PATIENCE = { activated: 10_000, foreground: 500, onDemand: 0 };
const RETRY = 20;

export async function serve(options: ServeOptions): Promise<void> {
  const { foreground, logFormat } = options;
  const log = openLog({ level: options.logLevel, format: logFormat, style: foreground ? 'dated' : 'plain' });
  const manager = new ServiceManager(process.env);
  // Nobody has to read what this prints.
  process.stdout.on('error', () => {});
  process.on('uncaughtExceptionMonitor', ({ stack }) => log.error('crashed', { stack }));
  let lingd: Lingd | undefined;
  // Before anything is made that an end would have to remove.
  const end = (signal: NodeJS.Signals): void => {
    manager.tell('STOPPING=1', `STATUS=Stopping: ${signal}`);
    if (lingd) void lingd.stop(signal);
    else process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, end);
  // A terminal that is closed says the same as a service manager that has other settings.
  process.on('SIGHUP', () => {
    if (!lingd?.isReloadable) return end('SIGHUP');
    manager.tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    lingd.reloadPolicy();
    manager.tell('READY=1');
  });
  const fail = (message: string, status = 1): never => {
    // Else lines of people's and machines' own would be mixed.
    if (logFormat === 'json' || isJournal()) log.error('cannot start', { why: message });
    else console.error(`lingd: ${message}`);
    process.exit(status);
  };
  try {
    const sockets = takeHandedSockets(process.env, process.pid);
    const directory = directoryOf(options, sockets);
    lingd = await start({ ...options, directory }, sockets, log, () => manager.status(statusLine));
    // Started on demand this is the normal end of a race; by hand it is worth a word.
    if (!lingd) return foreground || sockets ? fail(`another lingd serves ${directory}`) : undefined;
    if (foreground)
      console.log(`lingd: serving ${directory} (for Xen's tools: export XENSTORED_RUNDIR=${directory})`);
    manager.tell('READY=1', `STATUS=${statusLine()}`);
  } catch (error) {
    fail((error as Error).message, error instanceof PolicyError ? 2 : 1);
  }

  function statusLine(): string {
    const { domains = 0, awaited = 0 } = lingd?.status ?? {};
    const expected = awaited > 0 ? `, ${awaited} expected back` : '';
    return `${domains} domain${domains === 1 ? '' : 's'}${expected}`;
  }
}

async function start(
  { directory, linger, quota, policy, lock, foreground }: ServeOptions,
  sockets: HandedSockets | undefined,
  log: Log,
  onChange: () => void,
): Promise<Lingd | undefined> {
  const patience = PATIENCE[sockets ? 'activated' : foreground ? 'foreground' : 'onDemand'];
  for (const deadline = Date.now() + patience; ; await sleep(RETRY)) {
    const options = {
      ...{ directory, linger, quota, policy, lock, sockets },
      ...{ log, onChange, version: packageVersion() },
    };
    const lingd = Lingd.start(options);
    if (lingd || Date.now() >= deadline) return lingd;
  }
}

function directoryOf({ directory, isDirectoryNamed }: ServeOptions, sockets?: HandedSockets): string {
  if (!sockets) return directory;
  if (isDirectoryNamed && path.resolve(directory) !== sockets.directory)
    throw new Error(`the sockets that were handed over are in ${sockets.directory}, not in ${directory}`);
  return sockets.directory;
}

function packageVersion(): string {
  const manifest = path.join(__dirname, '../../../package.json');
  return JSON.parse(fs.readFileSync(manifest, 'utf8')).version;
}
