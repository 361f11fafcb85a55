/** Time and CPU time of this OS process between two moments, in nanoseconds. */
export interface Reading {
  readonly elapsed: number;
  /** All threads, user and system. */
  readonly cpu: number;
}

export class Meter {
  #began = 0n;
  #used = process.cpuUsage();

  start(): void {
    this.#used = process.cpuUsage();
    this.#began = process.hrtime.bigint();
  }

  read(): Reading {
    const elapsed = Number(process.hrtime.bigint() - this.#began);
    const { user, system } = process.cpuUsage(this.#used);
    return { elapsed, cpu: (user + system) * 1000 };
  }
}
