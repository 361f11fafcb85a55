#!/usr/bin/env node
/** Looks into a Xenstore and changes it: Xen's xenstore-ls and its relatives, where those are not installed, and more. */
import { Command } from 'commander';
import { failing } from './cli/failure.js';
import { watchOutput } from './cli/output.js';
import { endOnMisuse, nonEmpty } from './cli/usage.js';
import { chmodCommand } from './ling-xenstore/chmod.js';
import { existsCommand } from './ling-xenstore/exists.js';
import { listCommand } from './ling-xenstore/list.js';
import { lsCommand } from './ling-xenstore/ls.js';
import { readCommand } from './ling-xenstore/read.js';
import { rmCommand } from './ling-xenstore/rm.js';
import { tubesCommand } from './ling-xenstore/tubes.js';
import { watchCommand } from './ling-xenstore/watch.js';
import { writeCommand } from './ling-xenstore/write.js';

const program = new Command('ling-xenstore')
  .description(
    "Looks into a Xenstore and changes it, as Xen's xenstore-ls and its relatives do; shows tubes.",
  )
  .option(
    '--rundir <directory>',
    'where lingd listens; else $XENSTORED_PATH, $XENSTORED_RUNDIR/socket, or where it listens by default',
    nonEmpty,
  );

const commands = [
  ...[lsCommand, readCommand, writeCommand, listCommand],
  ...[existsCommand, rmCommand, chmodCommand, watchCommand, tubesCommand],
];
for (const make of commands) program.addCommand(make());
endOnMisuse(program);

const fail = failing('ling-xenstore', 1);
watchOutput(fail);
program.parseAsync().catch(fail);
