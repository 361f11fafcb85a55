/** What could not be done, in words for who asked. */
export class Failure extends Error {}

/** For what has gone wrong with a program: a line on stderr, and the end with that status. */
export function failing(program: string, status: number): (error: unknown) => never {
  return (error) => {
    const { code, message } = error as NodeJS.ErrnoException;
    // What has no code either is a fault of the program.
    if (!(error instanceof Failure) && code === undefined) throw error;
    console.error(`${program}: ${message}`);
    process.exit(status);
  };
}

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
