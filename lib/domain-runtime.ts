import { echoDriver } from '../ports/drivers/echo.js';
import { fdDriver } from '../ports/drivers/fd.js';
import { spawnDriver } from '../ports/drivers/spawn.js';
import { tcpInetDriver } from '../ports/drivers/tcp-inet.js';
import { tubeDriver } from '../ports/drivers/tube.js';
import { udpInetDriver } from '../ports/drivers/udp-inet.js';
import { PortRuntime } from '../ports/port-runtime.js';
import type { Self } from '../ports/self.js';
import type { Hypervisor } from '../xen/hypervisor.js';

/** The Erlang runtime of a domain: its processes reach the hypervisor through it. */
export class DomainRuntime extends PortRuntime {
  constructor(
    readonly hypervisor: Hypervisor,
    options: ConstructorParameters<typeof PortRuntime>[0] = {},
  ) {
    super(options);
    const own = [echoDriver, spawnDriver, fdDriver, tubeDriver(hypervisor), tcpInetDriver, udpInetDriver];
    for (const driver of own) this.drivers.addFixed(driver);
  }
}

export function hypervisorOf(self: Self): Hypervisor {
  const { runtime } = self;
  if (runtime instanceof DomainRuntime) return runtime.hypervisor;
  throw new Error('this process runs in no domain');
}
