/** The helpers of the cases in test/fixtures/erlang for ports that have a program behind them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pid, Port } from '#actors/identifiers';
import type { Process } from '#actors/process';
import { fdDriver } from '#ports/drivers/fd';
import { spawnDriver } from '#ports/drivers/spawn';
import { PortRuntime } from '#ports/port-runtime';
import type { Self } from '#ports/self';
import { observe } from '../support/erlang-world';
import { PortWorld } from './port-world';

type OpenOptions = Parameters<Self['open_port']>[1];

/** Milliseconds: a program has to be started, and to be woken. */
const SILENCE = 150;

export function programRuntime(): PortRuntime {
  const runtime = new PortRuntime({ onCrash: () => {} });
  runtime.addDriver(spawnDriver);
  runtime.addDriver(fdDriver);
  return runtime;
}

export class ProgramWorld extends PortWorld {
  static override observe(play: (world: ProgramWorld, self: Self) => unknown): Promise<unknown> {
    return observe(programRuntime(), ProgramWorld, play);
  }

  override cat(self = this.self, options: OpenOptions = ['binary', ['packet', 2]]): Port {
    return this.program('cat', options, self);
  }

  program(command: string, options: OpenOptions = [], self = this.self): Port {
    return this.name(self.open_port(['spawn', command], options), 'Port');
  }

  /** One that has answered: from then on short silences mean something. */
  async warm(port: Port): Promise<Port> {
    this.self.port_command(port, 'w');
    await this.rcv();
    return port;
  }

  override mbox(self: Process = this.self, silence = SILENCE): Promise<unknown> {
    return super.mbox(self, silence);
  }

  override async fate(pid: Pid): Promise<unknown> {
    await sleep(SILENCE);
    return super.fate(pid);
  }

  override settle(): Promise<void> {
    return sleep(SILENCE);
  }

  async whenClosed(port: Port): Promise<unknown> {
    for (let i = 0; i < 100 && this.isOpen(port); i++) await sleep(10);
    return this.isOpen(port) ? 'still_open' : 'closed';
  }
}
