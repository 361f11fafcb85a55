import { Runtime, type RuntimeOptions } from '../actors/runtime.js';
import type { Driver } from './driver.js';
import type { PortObject } from './port.js';
import { Self } from './self.js';

/** An Erlang runtime whose processes can open ports. */
export class PortRuntime extends Runtime<Self> {
  /** Drivers by name: what open_port finds. */
  readonly drivers = new Map<string, Driver>();
  readonly openPorts = new Set<PortObject>();

  constructor(options: Omit<RuntimeOptions<Self>, 'Process'> = {}) {
    super({ ...options, Process: Self });
  }

  /** Registers a driver; one of the same name that is there already is replaced for ports to come. */
  addDriver(driver: Driver): void {
    this.drivers.set(driver.name, driver);
  }

  /** As {@link Runtime.stop}; then ports that no process was linked to are closed too. */
  override stop(): void {
    super.stop();
    for (const port of [...this.openPorts]) port.close('killed');
  }
}
