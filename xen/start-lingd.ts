/** Connecting to lingd, which is started by whoever needs it first. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { closeFd, connectUnix } from '../native/index.js';
import { ownUid } from './own-user.js';
import { checkRunDirectory, domainSocket, isOwnDirectory, tryToLock } from './run-directory.js';

export interface LingdPlace {
  readonly directory: string;
  readonly signal?: AbortSignal;
  /** Where there is no directory just now, whether there was another user's. */
  readonly isForeign?: boolean;
}

export class LingdStartError extends Error {
  readonly code = 'ERR_LINGD_START';
}

export function noAnswer(directory: string): LingdStartError {
  return new LingdStartError(`no lingd answers in ${directory}`);
}

/** How long a lingd may take from its start to its first connection, and to its first word, in milliseconds. */
export const PATIENCE = 10_000;
const RETRY = 10;

export interface LingdConnection {
  /** The socket, the caller's to close. */
  readonly fd: number;
  /** Whether the lingd is another user's. */
  readonly isForeign: boolean;
  /** To be called in any case, best when lingd has answered: then it has said all that a start has to say. */
  letGo(): Promise<void>;
}

/**
 * A connected socket to the lingd of a run directory, and whether that is another user's; starts one if there is none, but
 * never for another user. Of many OS processes that do
 * so at once, one succeeds and all are connected to it. What a lingd has to tell that serves all the same becomes a
 * warning of this OS process. Throws RunDirectoryError for a directory that others have a hand in, what the system says
 * of it, LingdStartError with what lingd printed, or the signal's reason when that is aborted.
 */
export async function connectToLingd({
  directory,
  signal,
  isForeign = false,
}: LingdPlace): Promise<LingdConnection> {
  const deadline = Date.now() + PATIENCE;
  let starting: StartingLingd | undefined;
  try {
    for (;;) {
      signal?.throwIfAborted();
      const owner = checkRunDirectory(directory);
      const found = tryConnect(directory);
      const isOthers = owner === undefined ? isForeign : owner !== ownUid();
      if (typeof found === 'number') return { fd: found, isForeign: isOthers, letGo: () => letGo(starting) };
      if (starting?.failure) throw new LingdStartError(starting.failure);
      if (Date.now() > deadline) {
        starting?.end();
        throw noAnswer(directory);
      }
      if (isOthers && found !== 'busy') throw new LingdStartError(whyNot(found, directory, owner));
      if (found === 'absent' && (!starting || starting.ended)) starting = startLingd(directory);
      await sleep(RETRY);
    }
  } catch (error) {
    starting?.letGo();
    throw error;
  }
}

async function letGo(starting: StartingLingd | undefined): Promise<void> {
  if (!starting) return;
  // What it has said is there, and is read in a turn of the event loop.
  await nextTurn();
  starting.letGo();
  // So that the warning comes before what becomes of that.
  await nextTurn();
}

function tryConnect(directory: string): number | 'absent' | 'busy' | 'closed' {
  try {
    return connectUnix(domainSocket(directory));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Not there yet, or left behind by a lingd that was killed.
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return 'absent';
    // So many newcomers wait already, for a lingd or for a service manager that has to start it.
    if (code === 'EAGAIN') return 'busy';
    // To others, by their modes.
    if (code === 'EACCES' && !isOwnDirectory(directory)) return 'closed';
    throw error;
  }
}

function whyNot(found: 'absent' | 'closed', directory: string, owner: number | undefined): string {
  if (found === 'closed')
    return `${directory} belongs to ${owner}, whose lingd has no policy that lets others in`;
  if (owner === undefined)
    return `no lingd serves ${directory}, which was another user's: that has to start it`;
  return `no lingd serves ${directory}, which belongs to ${owner}: its user has to start it`;
}

interface StartingLingd {
  ended: boolean;
  failure: string | undefined;
  letGo(): void;
  end(): void;
}

/**
 * Undefined while another OS process does this, or a lingd is about to leave: after a crash all domains would start one.
 * Where there is no directory yet, several may; whoever has made that removes it, and one that is started may be killed.
 */
function startLingd(directory: string): StartingLingd | undefined {
  const lock = tryToLock(directory);
  if (lock === 'held') return undefined;
  if (lock === 'gone') return spawnLingd(directory, [], 'ignore');
  try {
    return spawnLingd(directory, ['--lock', '3'], lock);
  } finally {
    // From now on it is lingd's.
    closeFd(lock);
  }
}

function spawnLingd(directory: string, options: readonly string[], lock: number | 'ignore'): StartingLingd {
  const program = path.join(__dirname, '../bin/lingd.js');
  const args = ['--rundir', directory, ...options];
  const child = spawn(process.execPath, [program, ...args], {
    detached: true,
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe', lock],
  });
  let printed = '';
  const starting: StartingLingd = {
    ended: false,
    failure: undefined,
    letGo: () => {
      if (printed && starting.failure === undefined) process.emitWarning(printed.trim(), 'LingdWarning');
      child.stderr?.destroy();
      child.unref();
    },
    end: () => void child.kill('SIGKILL'),
  };
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  child.on('error', (error) => {
    starting.failure = error.message;
  });
  child.on('close', (status, signal) => {
    starting.ended = true;
    // Status 0: nobody came in time, or it was told to end. One that was killed is no worse than one that had served.
    if (status !== 0 && signal === null)
      starting.failure = printed.trim() || `lingd ended with status ${status}`;
  });
  return starting;
}
