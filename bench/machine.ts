import { execFileSync } from 'node:child_process';
import os from 'node:os';

/** Where figures come from; without it they mean nothing. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  /** 1-minute load average when the benchmark began. */
  readonly load: number;
  readonly kernel: string;
  readonly node: string;
  /** `unknown` outside a checkout; with a `+` when files differ from it. */
  readonly commit: string;
  readonly date: string;
}

export function machine(): Machine {
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    load: Math.round((os.loadavg()[0] as number) * 10) / 10,
    kernel: `${os.type()} ${os.release()}`,
    node: process.version,
    commit: commit(),
    date: new Date().toISOString(),
  };
}

function commit(): string {
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '-uno') === '' ? '' : '+');
  } catch {
    return 'unknown';
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: __dirname, encoding: 'utf8', stdio: 'pipe' }).trim();
}
