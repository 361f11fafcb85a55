import type { Driver } from './driver.js';
import { runLast } from './driver-answers.js';

/** Drivers by name, and how many ports each has: one that is removed finishes after its last port. */
export class DriverTable {
  readonly #drivers = new Map<string, Driver>();
  readonly #ports = new Map<Driver, number>();
  readonly #removed = new Set<Driver>();
  readonly #fixed = new Set<string>();

  /** One that stays: what of this package is built on it would fail without. */
  addFixed(driver: Driver): void {
    this.add(driver);
    this.#fixed.add(driver.name);
  }

  /** Raises a RangeError for the name of one that stays. */
  ensureFree(name: string): void {
    if (this.#fixed.has(name)) {
      throw new RangeError(`driver ${name} is part of ling-tubes: it can be neither replaced nor removed`);
    }
  }

  /** One of the same name is removed. Raises what init raises; nothing has changed then. */
  add(driver: Driver): void {
    if (this.#drivers.get(driver.name) === driver) return;
    if (!this.#removed.delete(driver)) driver.init?.();
    this.remove(driver.name);
    this.#drivers.set(driver.name, driver);
  }

  /** Its ports go on. Answers the driver, when there was one. */
  remove(name: string): Driver | undefined {
    const driver = this.#drivers.get(name);
    if (driver === undefined) return undefined;
    this.#drivers.delete(name);
    this.#removed.add(driver);
    this.#finishIfUnused(driver);
    return driver;
  }

  removeAll(): void {
    for (const name of [...this.#drivers.keys()]) this.remove(name);
  }

  get(name: string): Driver | undefined {
    return this.#drivers.get(name);
  }

  /** Whether there is such a driver, and it is what `{spawn, Command}` means by that name. */
  isSpawned(name: string): boolean {
    const driver = this.#drivers.get(name);
    return driver !== undefined && !driver.hidesNoProgram;
  }

  opened(driver: Driver): void {
    this.#ports.set(driver, (this.#ports.get(driver) ?? 0) + 1);
  }

  ended(driver: Driver): void {
    const left = (this.#ports.get(driver) ?? 0) - 1;
    if (left > 0) this.#ports.set(driver, left);
    else this.#ports.delete(driver);
    this.#finishIfUnused(driver);
  }

  #finishIfUnused(driver: Driver): void {
    if (this.#ports.has(driver) || !this.#removed.delete(driver)) return;
    runLast(driver, 'finish', () => driver.finish?.());
  }
}
