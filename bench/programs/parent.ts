/** What a program of the benchmark and the benchmark itself have to say to each other. */

/** What it was started with. */
export function argument<T>(): T {
  return JSON.parse(process.argv[2] as string) as T;
}

export function say(message: unknown): void {
  process.send?.(message);
}

/** Resolves when the benchmark has no more use for this program, or has ended itself. */
export function dismissed(): Promise<void> {
  return new Promise((resolve) => {
    process.once('disconnect', () => resolve());
  });
}
