#!/usr/bin/env node
/** The hypervisor daemon. Domains start it themselves; a service manager or a person starts it with --foreground. */
import fs from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { Lingd } from '../xen/lingd/lingd.js';
import { defaultRunDirectory } from '../xen/run-directory.js';
import { parseQuota, type Quota } from '../xen/xenstore/quota.js';

/** Seconds without a connection before a lingd that was started by a domain leaves, unless LINGD_LINGER says so. */
const LINGER = '5';

const options = new Command('lingd')
  .description('Domids, grants, event channels and Xenstore for the domains of one user on one box.')
  .option('--rundir <directory>', 'where to listen', defaultRunDirectory())
  .option('--foreground', 'say what happens, and stay when no domain is left')
  .option('--linger <seconds>', 'leave when nobody has been connected for so long', seconds)
  .option('--quota <what>=<number>', 'what a domain may use up of the Xenstore (repeatable)', quota, {})
  .addOption(new Option('--lock <descriptor>', 'the lock on the directory').argParser(Number).hideHelp())
  .showHelpAfterError()
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse()
  .opts<{ rundir: string; foreground?: boolean; linger?: number; quota: Partial<Quota>; lock?: number }>();

main();

function main(): void {
  const { rundir: directory, foreground } = options;
  const linger = 1000 * (options.linger ?? (foreground ? Number.POSITIVE_INFINITY : lingerOnDemand()));
  // Before anything is made that an end would have to remove.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void lingd?.stop());
  const lingd = start(directory, linger);
  if (!lingd) {
    // Started on demand this is the normal end of a race; by hand it is worth a word.
    if (foreground) fail(`another lingd serves ${directory}`);
    return;
  }
  if (foreground)
    console.log(`lingd: serving ${directory} (for Xen's tools: export XENSTORED_RUNDIR=${directory})`);
}

function start(directory: string, linger: number): Lingd | undefined {
  try {
    return Lingd.start({
      directory,
      linger,
      quota: options.quota,
      lock: options.lock,
      onTrouble: warn,
    });
  } catch (error) {
    return fail((error as Error).message);
  }
}

function lingerOnDemand(): number {
  try {
    return seconds(process.env.LINGD_LINGER ?? LINGER);
  } catch (error) {
    return fail(`LINGD_LINGER: ${(error as Error).message}`, 2);
  }
}

/** Who started this may listen no more. */
function warn(message: string): void {
  try {
    fs.writeSync(process.stderr.fd, `lingd: ${message}\n`);
  } catch {
    // Then nobody can be told.
  }
}

function fail(message: string, status = 1): never {
  console.error(`lingd: ${message}`);
  process.exit(status);
}

function quota(setting: string, earlier: Partial<Quota>): Partial<Quota> {
  try {
    return { ...earlier, ...parseQuota(setting) };
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0)) throw new InvalidArgumentError('expected a number of seconds');
  return value;
}
