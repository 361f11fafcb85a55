import type { DriverInstance } from './driver.js';

/** Instances that want to know when the OS process ends without their ports having been closed. */
const instances = new Set<DriverInstance>();

export function inEmergency(instance: DriverInstance): void {
  if (instance.emergency_close !== undefined) instances.add(instance);
}

export function noEmergency(instance: DriverInstance): void {
  instances.delete(instance);
}

process.once('exit', () => {
  for (const instance of instances) {
    try {
      instance.emergency_close?.();
    } catch {
      // The others have to be closed as well, and nobody would hear of it.
    }
  }
});
