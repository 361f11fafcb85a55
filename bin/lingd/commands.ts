/** What can be asked of a lingd that serves; none is started for it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { closeFd } from '../../native/index.js';
import type { LogLevel } from '../../xen/lingd/log.js';
import type { DomainStatus, LingdStatus } from '../../xen/lingd/status.js';
import { checkRunDirectory, tryToLock, xenstoreSocket } from '../../xen/run-directory.js';
import { isListenedOn } from '../../xen/socket-file.js';
import type { XenstoreClient } from '../../xen/xenstore/client.js';
import { XS_CONTROL } from '../../xen/xenstore/wire.js';
import { Failure, failing, trying } from '../cli/failure.js';
import { jsonLine } from '../cli/json.js';
import { print, watchOutput } from '../cli/output.js';
import { withStore } from '../cli/store.js';
import { statusText } from './status-text.js';

interface Place {
  readonly rundir: string;
}

/** Those of init scripts. */
const NOT_RUNNING = 3;
const UNKNOWN = 4;
/** How long lingd may take to answer, in milliseconds. */
const PATIENCE = 5000;
const RETRY = 20;

const fail = failing('lingd', UNKNOWN);

export function status(options: Place & { readonly json?: boolean }): Promise<void> {
  return withLingd(options, async (ask) => {
    const lingd: LingdStatus = JSON.parse(await ask('status'));
    const domains: DomainStatus[] = [];
    for (;;) {
      const after = String(domains.at(-1)?.domid ?? 0);
      const page: DomainStatus[] = JSON.parse(await ask('status', 'domains', after));
      if (page.length === 0) break;
      domains.push(...page);
    }
    print(options.json ? jsonLine({ ...lingd, domains }) : statusText(lingd, domains));
  });
}

export function logLevel(options: Place, level: LogLevel | undefined): Promise<void> {
  return withLingd(options, async (ask) => {
    const answer = await ask('log-level', ...(level ? [level] : []));
    if (!level) print(`${answer}\n`);
  });
}

/** Settings are such as `nodes=1000`. */
export function quota(options: Place, settings: readonly string[] = []): Promise<void> {
  return withLingd(options, async (ask) => {
    for (const setting of settings) await ask('quota', 'set', ...setting.split('='));
    if (settings.length === 0) print(await ask('quota'));
  });
}

/** Asks by CONTROL; the answer is text. */
type Ask = (...words: string[]) => Promise<string>;

async function withLingd({ rundir }: Place, use: (ask: Ask) => Promise<void>): Promise<void> {
  watchOutput(fail);
  setTimeout(() => fail(new Failure(`lingd in ${rundir} does not answer`)), PATIENCE).unref();
  try {
    while (isServed(rundir)) {
      if (isListenedOn(xenstoreSocket(rundir)))
        return await withStore({ rundir }, (store) => use((...words) => askOf(store, words)));
      // It is about to.
      await sleep(RETRY);
    }
    console.error(`lingd: none serves ${rundir}`);
    process.exitCode = NOT_RUNNING;
  } catch (error) {
    fail(error);
  }
}

/** To connect would have a service manager start one. */
function isServed(directory: string): boolean {
  checkRunDirectory(directory);
  const lock = tryToLock(directory);
  if (typeof lock === 'number') closeFd(lock);
  return lock === 'held';
}

async function askOf(store: XenstoreClient, words: readonly string[]): Promise<string> {
  const request = Buffer.from(words.map((word) => `${word}\0`).join(''));
  const { payload } = await trying('lingd refuses', store.request(XS_CONTROL, request));
  return payload.toString('latin1').replace(/\0$/, '');
}
