/** What could not be done, in words for who asked. */
export class Failure extends Error {}

/** What `promise` gives; a failure with `what` in front instead of an error of the Xenstore. */
export async function trying<T>(what: string, promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw failureOf(what, error);
  }
}

export function failureOf(what: string, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === undefined ? error : new Failure(`${what}: ${message}`, { cause: error });
}

/** For whom a node that is not there is no failure. */
export function unlessMissing(error: unknown): undefined {
  const { code } = (error instanceof Failure ? error.cause : error) as NodeJS.ErrnoException;
  if (code !== 'ENOENT') throw error;
}
