import { Command } from 'commander';
import { isAboutAsking } from '../../xen/tube-report.js';
import type { XenstoreClient } from '../../xen/xenstore/client.js';
import { trying } from '../cli/failure.js';
import { jsonLine } from '../cli/json.js';
import { print } from '../cli/output.js';
import { does, JSON_OPTION } from './command.js';
import { follow } from './follow.js';
import { DOMAINS, surveyTubes, type Tube, type TubeSide } from './tube-survey.js';
import { tubesTable } from './tubes-table.js';

interface Options {
  json?: boolean;
  follow?: boolean;
}

/** How often counters are asked for, in milliseconds. */
const SECOND = 1000;

export function tubesCommand(): Command {
  const command = new Command('tubes')
    .description('print all tubes between the domains of a lingd, one a line')
    .option(...JSON_OPTION)
    .option('--follow', 'print them again when something has changed, also each second');
  return does(command, tubes);
}

async function tubes(store: XenstoreClient, { json, follow: isFollowed }: Options): Promise<number> {
  const draw = async (): Promise<string> => {
    const found = await trying('cannot look at the domains', surveyTubes(store));
    return json ? jsonLine(found.map(toJson)) : tubesTable(found);
  };
  if (!isFollowed) print(await draw());
  else
    await follow(
      { store, paths: [DOMAINS], concerns: (path) => !isAboutAsking(path), every: SECOND, json },
      draw,
    );
  return 0;
}

function toJson({ tid, opener, acceptor }: Tube): unknown {
  return { tid, opener: sideToJson(opener), acceptor: sideToJson(acceptor) };
}

/** null for what is not known. */
function sideToJson({ domid, name, state, report }: TubeSide): unknown {
  return {
    ...{ domid, name: name ?? null },
    state: state === undefined ? null : Number(state),
    owner: report?.owner ?? null,
    sent: report?.sent ?? null,
    received: report?.received ?? null,
    drops: report?.drops ?? null,
    since: report ? new Date(report.since).toISOString() : null,
  };
}
