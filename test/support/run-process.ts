import type { Process } from '#actors/process';
import type { Runtime } from '#actors/runtime';

/** Runs `body` as a process: what it answers or throws; an error when the process dies otherwise. */
export function runProcess<S extends Process, T>(
  runtime: Runtime<S>,
  body: (self: S) => T,
): Promise<Awaited<T>> {
  return new Promise((resolve, reject) => {
    runtime.spawn(async (self) => {
      try {
        resolve(await body(self));
      } catch (error) {
        reject(error);
      }
    });
  });
}
