import { execFile } from 'node:child_process';

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly cwd?: string;
  /** Added to those of this OS process. */
  readonly env?: Readonly<Record<string, string>>;
  /** In milliseconds. */
  readonly patience?: number;
  /** As another user, which only root can be. */
  readonly uid?: number;
  /** Of what it prints, where that is no UTF-8. */
  readonly encoding?: BufferEncoding;
}

/**
 * Runs a program, without input, to its end. One that has not ended in time is killed, and an Error says what it has
 * printed; so is a program that cannot be started.
 */
export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { cwd, env, patience = 20_000, uid, encoding = 'utf8' } = options;
  return new Promise((resolve, reject) => {
    const limits = { timeout: patience, killSignal: 'SIGKILL', maxBuffer: 2 ** 26 } as const;
    const child = execFile(
      file,
      args,
      { cwd, uid, gid: uid, env: { ...process.env, ...coverageOf(uid), ...env }, encoding, ...limits },
      (error, ...printed) => {
        const [stdout, stderr] = printed;
        if (error?.killed) {
          reject(
            new Error(`${file} ${args.join(' ')} has been killed after ${patience} ms\n${stdout}\n${stderr}`),
          );
        } else if (typeof error?.code === 'string') reject(error);
        else resolve({ status: child.exitCode, stdout, stderr });
      },
    );
    child.stdin?.end();
  });
}

/** Another user cannot write down what has been covered, and would say so. */
function coverageOf(uid: number | undefined): { NODE_V8_COVERAGE?: string } {
  return uid === undefined ? {} : { NODE_V8_COVERAGE: '' };
}
