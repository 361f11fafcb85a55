/** Connecting to lingd, which is started by whoever needs it first. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectUnix } from '../native/index.js';
import { checkRunDirectory, domainSocket } from './run-directory.js';

export class LingdStartError extends Error {
  readonly code = 'ERR_LINGD_START';
}

/** How long a lingd may take from its start to its first connection, in milliseconds. */
const PATIENCE = 10_000;
const RETRY = 10;

/**
 * A connected socket to the lingd of a run directory; starts one if there is none. Of many OS processes that do
 * so at once, one succeeds and all are connected to it. Throws RunDirectoryError for a directory that others have a hand
 * in, what the system says of it, or LingdStartError with what lingd printed.
 */
export async function connectToLingd(directory: string): Promise<number> {
  const deadline = Date.now() + PATIENCE;
  let starting: StartingLingd | undefined;
  try {
    for (;;) {
      checkRunDirectory(directory);
      const fd = tryConnect(directory);
      if (fd !== undefined) return fd;
      if (starting?.failure) throw new LingdStartError(starting.failure);
      if (Date.now() > deadline) {
        starting?.end();
        throw new LingdStartError(`no lingd answers in ${directory}`);
      }
      // One that finds another already there, or about to leave, ends at once.
      if (!starting || starting.ended) starting = startLingd(directory);
      await sleep(RETRY);
    }
  } finally {
    starting?.letGo();
  }
}

function tryConnect(directory: string): number | undefined {
  try {
    return connectUnix(domainSocket(directory));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Not there yet, left behind by a lingd that was killed, or busy with other newcomers.
    if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'EAGAIN') return undefined;
    throw error;
  }
}

interface StartingLingd {
  ended: boolean;
  failure: string | undefined;
  letGo(): void;
  end(): void;
}

function startLingd(directory: string): StartingLingd {
  const program = path.join(__dirname, '../bin/lingd.js');
  const child = spawn(process.execPath, [program, '--rundir', directory], {
    detached: true,
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let printed = '';
  const starting: StartingLingd = {
    ended: false,
    failure: undefined,
    letGo: () => {
      child.stderr.destroy();
      child.unref();
    },
    end: () => void child.kill('SIGKILL'),
  };
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  child.on('error', (error) => {
    starting.failure = error.message;
  });
  child.on('close', (status) => {
    starting.ended = true;
    // Status 0: another lingd was first.
    if (status !== 0) starting.failure = printed.trim() || `lingd ended with status ${status}`;
  });
  return starting;
}
