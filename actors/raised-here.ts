import { ErlangError, stackOf } from './errors.js';

/** Errors for who waits that somebody else has brought about, and in whose call they were made. */
const brought = new WeakSet<Error>();

/** An error that tells who waits of what somebody else does: where that does it is no place of its own. */
export function bringAbout<E extends Error>(error: E): E {
  brought.add(error);
  return error;
}

/**
 * A promise as that one, but that an {@link ErlangError} of it is raised where it is awaited: after the place of whoever
 * refused, and instead of that of who has brought it about. A program that does not wait has not failed.
 *
 * The engine finds the place: of an error made by what an async function does next, it knows who awaits that function, as
 * long as nobody else does. To take down the place of each call would cost much more.
 */
export function raisedHere<T>(promise: Promise<T>): Promise<T> {
  const settle = async (): Promise<T> => {
    try {
      return await promise;
    } catch (error) {
      const raised = error instanceof ErlangError ? placed(error) : error;
      answer.catch(() => {});
      throw raised;
    }
  };
  const answer = settle();
  return answer;
}

function placed(error: ErlangError): ErlangError {
  const here = new ErlangError(error.reason, error.message);
  if (!brought.has(error)) here.stack = `${stackOf(error)}\n${framesOf(here)}`;
  return here;
}

function framesOf(error: Error): string {
  return stackOf(error)
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n');
}
