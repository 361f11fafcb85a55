import type { Pid, Port } from '../actors/identifiers.js';
import { Runtime, type RuntimeOptions } from '../actors/runtime.js';
import { AsyncPool } from './async-pool.js';
import type { Driver, DriverInstance, DriverPort } from './driver.js';
import { checkDriver } from './driver-arguments.js';
import { DriverTable } from './driver-table.js';
import { PortObject } from './port.js';
import type { PortOptions } from './port-options.js';
import { SharedWatcher } from './port-select.js';
import { Self } from './self.js';

/** An Erlang runtime whose processes can open ports. */
export class PortRuntime extends Runtime<Self> {
  /** What open_port finds. */
  readonly drivers = new DriverTable();
  /** Also those that are closed and still flush what their drivers have queued. */
  readonly openPorts = new Map<Port, PortObject>();
  readonly watcher = new SharedWatcher();
  readonly asyncPool = new AsyncPool();
  /** Of system_monitor: who is told of processes that a busy port suspends. */
  systemMonitor: Pid | undefined = undefined;

  constructor(options: Omit<RuntimeOptions<Self>, 'Process'> = {}) {
    super({ ...options, Process: Self });
  }

  /**
   * Registers a driver, and has it init; one of the same name that is there already is replaced for ports to come, and
   * finishes after its last port. Raises ERR_RUNTIME_STOPPED after {@link stop}, a TypeError for what is no driver, and a
   * RangeError for a name that is empty, or that of a driver which stays.
   */
  addDriver(driver: Driver): void {
    this.ensureRunning();
    checkDriver('driver', driver);
    this.drivers.ensureFree(driver.name);
    this.drivers.add(driver);
  }

  /**
   * No port can be opened on that driver any more; it finishes after its last port. With `killPorts` those that are
   * open end with reason `driver_unloaded`. False for a name that no driver has. Raises a RangeError for a driver that stays.
   */
  removeDriver(name: string, { killPorts = false } = {}): boolean {
    this.drivers.ensureFree(name);
    const driver = this.drivers.remove(name);
    if (killPorts) {
      for (const port of [...this.openPorts.values()]) {
        if (port.driver === driver) port.fail('driver_unloaded');
      }
    }
    return driver !== undefined;
  }

  openPort(
    driver: Driver,
    owner: Pid,
    name: string,
    options: PortOptions,
    start: (port: DriverPort) => DriverInstance,
  ): PortObject {
    return new PortObject(this, driver, owner, name, options, start);
  }

  /**
   * As {@link Runtime.stop}; then ports that no process was linked to are closed too, without flushing, and drivers
   * finish.
   */
  override stop(): void {
    super.stop();
    for (const port of [...this.openPorts.values()]) {
      port.close('kill');
      port.end.queue.clear();
      port.drained();
    }
    this.drivers.removeAll();
    void this.asyncPool.close();
  }

  // ---- For ports

  opened(port: PortObject): void {
    this.openPorts.set(port.id, port);
    this.drivers.opened(port.driver);
  }

  ended(port: PortObject): void {
    this.openPorts.delete(port.id);
    this.drivers.ended(port.driver);
  }

  tellSystemMonitor(event: readonly unknown[]): void {
    this.systemMonitor?.receiver?.message(['monitor', ...event]);
  }
}
