/** What a program of the benchmark and the benchmark itself have to say to each other. */
import { isMainThread, workerData } from 'node:worker_threads';

/** What it was started with. */
export function argument<T>(): T {
  return isMainThread ? (JSON.parse(process.argv[2] as string) as T) : (workerData as T);
}

export function say(message: unknown): void {
  process.send?.(message);
}

/** The next thing that the benchmark tells. */
export function told<T>(): Promise<T> {
  return new Promise((resolve) => {
    process.once('message', (message) => resolve(message as T));
  });
}

/** Resolves when the benchmark has no more use for this program, or has ended itself. */
export function dismissed(): Promise<void> {
  return new Promise((resolve) => {
    process.once('disconnect', () => resolve());
  });
}
