/** What this OS process has used between two moments, all its threads together. */
export interface Reading {
  /** In nanoseconds, by the clock on the wall. */
  readonly elapsed: number;
  /** When it ended, in nanoseconds of the clock that all OS processes have. */
  readonly ended: number;
  /** In nanoseconds, user and system. */
  readonly cpu: number;
  /** Context switches, voluntary and not. */
  readonly switches: number;
}

export class Meter {
  #began = 0n;
  #used = process.cpuUsage();
  #switched = 0;

  start(): void {
    this.#used = process.cpuUsage();
    this.#switched = contextSwitches();
    this.#began = process.hrtime.bigint();
  }

  read(): Reading {
    const now = process.hrtime.bigint();
    const { user, system } = process.cpuUsage(this.#used);
    return {
      elapsed: Number(now - this.#began),
      ended: Number(now),
      cpu: (user + system) * 1000,
      switches: contextSwitches() - this.#switched,
    };
  }
}

function contextSwitches(): number {
  const { voluntaryContextSwitches, involuntaryContextSwitches } = process.resourceUsage();
  return voluntaryContextSwitches + involuntaryContextSwitches;
}
