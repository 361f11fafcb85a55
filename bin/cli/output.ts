/** What goes to stdout. */
import { Failure } from './failure.js';

/** What a shell answers for a program that SIGPIPE has ended. */
const ENDED_BY_SIGPIPE = 128 + 13;

/** Ends quietly when nobody reads any more what this prints (`| head`); `fail` gets what else is wrong with stdout. */
export function watchOutput(fail: (error: unknown) => void): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(ENDED_BY_SIGPIPE);
    fail(new Failure(`stdout: ${error.message}`));
  });
}

export function print(text: string | Uint8Array): void {
  process.stdout.write(text);
}
