/** The other side of a transport that joins a program to a thread or a child of it, and to nobody else. */
import { fork } from 'node:child_process';
import { parentPort, Worker } from 'node:worker_threads';

export interface Peer {
  post(message: unknown): void;
  onMessage(callback: (message: unknown) => void): void;
  /** Tells it what this side has seen; nothing is posted after that. */
  report(seen: unknown): void;
  /** What it has reported, in the end. */
  readonly reported: Promise<unknown>;
}

/** Starts it with that argument, which `argument()` answers there. */
export function startPeer(kind: 'thread' | 'child', file: string, argument: object): Peer {
  if (kind === 'thread') {
    const worker = new Worker(file, { workerData: argument });
    return peerOf((message) => worker.postMessage(message), worker);
  }
  const child = fork(file, [JSON.stringify(argument)], { serialization: 'advanced' });
  return peerOf((message) => child.send(message as object), child);
}

/** Whoever has started this one. */
export function starter(): Peer {
  if (parentPort !== null) {
    const port = parentPort;
    return peerOf((message) => port.postMessage(message), port);
  }
  return peerOf((message) => process.send?.(message), process);
}

interface Emitter {
  on(event: 'message', listener: (message: unknown) => void): unknown;
}

interface Report {
  readonly report: unknown;
}

function peerOf(post: (message: unknown) => void, emitter: Emitter): Peer {
  let callback = (_: unknown): void => {};
  const reported = new Promise<unknown>((resolve) => {
    emitter.on('message', (message) => {
      if (isReport(message)) resolve(message.report);
      else callback(message);
    });
  });
  return {
    post,
    onMessage(given) {
      callback = given;
    },
    report: (seen) => post({ report: seen } satisfies Report),
    reported,
  };
}

function isReport(message: unknown): message is Report {
  return typeof message === 'object' && message !== null && 'report' in message;
}
