#!/usr/bin/env node
/**
 * The hypervisor daemon. Domains start it themselves; a service manager or a person starts it with --foreground. Its
 * commands ask the one that serves.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { isLogLevel, LOG_LEVELS, type LogLevel } from '../xen/lingd/log.js';
import { defaultRunDirectory } from '../xen/run-directory.js';
import { parseQuota, QUOTA_NAMES, type Quota } from '../xen/xenstore/quota.js';
import { endOnMisuse, nonEmpty } from './cli/usage.js';
import { LOG_FORMATS, type LogFormat } from './lingd/log.js';
import { type ServeOptions, serve } from './lingd/serve.js';

/** Seconds without a connection before a lingd that was started by a domain leaves, unless LINGD_LINGER says so. */
const LINGER = '5';
/** What Node's timers can wait for, in seconds. */
const LONGEST = 2_147_483;

interface Options {
  rundir: string;
  foreground?: boolean;
  linger?: number;
  quota?: Partial<Quota>;
  policy?: string;
  logLevel?: LogLevel;
  logFormat: LogFormat;
  lock?: number;
}

const program = new Command('lingd')
  .description('Domids, grants, event channels and Xenstore for the domains of a box.')
  .usage('[options] [command]')
  .option('--rundir <directory>', 'where to listen', nonEmpty, defaultRunDirectory())
  .option('--foreground', 'say what happens, and stay when no domain is left')
  .option('--linger <seconds>', 'leave when nobody has been connected for so long', seconds)
  .option('--quota <what>=<number>', 'what a domain may use up of the Xenstore (repeatable)', quota)
  .option(
    '--policy <file>',
    'which other users may become domains, and what each may have (docs/lingd.md)',
    nonEmpty,
  )
  .addOption(
    new Option('--log-level <level>', 'what to log (default: info with --foreground, else warn)').choices(
      LOG_LEVELS,
    ),
  )
  .addOption(new Option('--log-format <format>', 'how to log').choices(LOG_FORMATS).default('text'))
  .addOption(new Option('--lock <descriptor>', 'the lock on the directory').argParser(descriptor).hideHelp())
  .action(() => {
    const [stranger] = program.args;
    if (stranger !== undefined) program.error(`error: unknown command '${stranger}'`);
    return serve(serveOptions(program.opts<Options>()));
  });

program
  .command('status')
  .description('show the lingd that serves there, and its domains; exit status 3 when none does')
  .option('--json', 'print JSON, one document on one line')
  .action((_, command: Command) => commands().status(command.optsWithGlobals()));

program
  .command('log-level')
  .description('say what the lingd that serves there logs, or have it log another level')
  .argument('[level]', LOG_LEVELS.join(', '), logLevel)
  .action((level: LogLevel | undefined, _, command: Command) =>
    commands().logLevel(command.optsWithGlobals(), level),
  );

program
  .command('quota')
  .description('show what each domain may use up of the Xenstore of the lingd that serves there, or set it')
  .argument('[what=number...]', `of ${[...QUOTA_NAMES.keys()].join(', ')}`, settings)
  .action((set: readonly string[] | undefined, _, command: Command) =>
    commands().quota(command.optsWithGlobals(), set),
  );

endOnMisuse(program);
// Set last, since commands take over what is set before them.
program.allowExcessArguments().parseAsync();

/** Loaded only where lingd is not to be started, for which domains wait. */
function commands(): typeof import('./lingd/commands.js') {
  return require('./lingd/commands.js') as typeof import('./lingd/commands.js');
}

function serveOptions(options: Options): ServeOptions {
  const { rundir, foreground = false, logLevel = foreground ? 'info' : 'warn', logFormat } = options;
  return {
    ...{ foreground, quota: options.quota ?? {}, policy: options.policy, lock: options.lock },
    directory: rundir,
    isDirectoryNamed: program.getOptionValueSource('rundir') === 'cli',
    linger: 1000 * (options.linger ?? (foreground ? Number.POSITIVE_INFINITY : lingerOnDemand())),
    ...{ logLevel, logFormat },
  };
}

function lingerOnDemand(): number {
  try {
    return seconds(process.env.LINGD_LINGER ?? LINGER);
  } catch (error) {
    console.error(`lingd: LINGD_LINGER: ${(error as Error).message}`);
    process.exit(2);
  }
}

function quota(setting: string, earlier: Partial<Quota> = {}): Partial<Quota> {
  try {
    return { ...earlier, ...parseQuota(setting) };
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function settings(setting: string, earlier: readonly string[] = []): readonly string[] {
  quota(setting);
  return [...earlier, setting];
}

function logLevel(text: string): LogLevel {
  if (!isLogLevel(text)) throw new InvalidArgumentError(`expected one of ${LOG_LEVELS.join(', ')}`);
  return text;
}

function descriptor(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('expected the number of a descriptor');
  return Number(text);
}

function seconds(text: string): number {
  const value = Number(text);
  const isTooLong = value > LONGEST && value !== Number.POSITIVE_INFINITY;
  if (text.trim() === '' || !(value >= 0) || isTooLong)
    throw new InvalidArgumentError(`expected a number of seconds up to ${LONGEST}`);
  return value;
}
