import { execFileSync } from 'node:child_process';
import { constants, openSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Place } from '../rival.js';
import { byteStream, FRAMING, type Streams } from './byte-stream.js';

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/** A named pipe for each direction. */
export const pipe = byteStream('pipe', `two named pipes of 64 KiB; ${FRAMING}`, connect, accept);

async function connect({ address }: Place): Promise<Streams> {
  const there = address as string;
  const output = openSync(there, O_WRONLY | O_NONBLOCK);
  return streamsOf(openSync(back(there), O_RDONLY | O_NONBLOCK), output);
}

async function accept({ path, listening }: Place): Promise<Streams> {
  execFileSync('mkfifo', [path, back(path)]);
  const input = openSync(path, O_RDONLY | O_NONBLOCK);
  listening(path);
  return streamsOf(input, await openOnceRead(back(path)));
}

function back(path: string): string {
  return `${path}-back`;
}

/** A pipe that nobody reads cannot be opened to be written. */
async function openOnceRead(path: string): Promise<number> {
  for (;;) {
    try {
      return openSync(path, O_WRONLY | O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
      await sleep(1);
    }
  }
}

function streamsOf(input: number, output: number): Streams {
  return {
    input: new net.Socket({ fd: input, readable: true, writable: false }),
    output: new net.Socket({ fd: output, readable: false, writable: true }),
  };
}
