/** The helpers that the cases about ports in test/fixtures/erlang are written with, for our ports. */
import type { Pid, Port } from '#actors/identifiers';
import { isTuple, type List, toList } from '#actors/term';
import type { Driver } from '#ports/driver';
import { echoDriver } from '#ports/drivers/echo';
import type { IoData } from '#ports/iodata';
import { PortRuntime } from '#ports/port-runtime';
import type { PortOption, Self } from '#ports/self';
import { observe, settle, World } from '../support/erlang-world';
import { commandedDriver, type Log } from './commanded-driver';

/** What cat is to the cases: it echoes, and knows nothing else. */
const cat: Driver = {
  name: 'cat',
  start: (port, command, options) => {
    const { output } = echoDriver.start(port, command, options);
    return { output: (data) => output?.(data) };
  },
};

type Job = (self: Self) => unknown;

export class PortWorld extends World<Self> {
  /** What the commanded drivers have been asked. */
  log: Log = [];
  readonly logs: Record<'orc_v' | 'orc_soft', Log> = { orc_v: [], orc_soft: [] };

  static observe(play: (world: PortWorld, self: Self) => unknown): Promise<unknown> {
    return observe(new PortRuntime({ onCrash: () => {} }), PortWorld, (world, self) => {
      const { runtime } = self;
      runtime.addDriver(cat);
      runtime.addDriver(commandedDriver('orc_drv', world.log));
      runtime.addDriver(commandedDriver('orc_v', world.logs.orc_v, { callbacks: ['outputv', 'stop'] }));
      runtime.addDriver(commandedDriver('orc_soft', world.logs.orc_soft, { softBusy: true }));
      runtime.addDriver(commandedDriver('orc_bin', world.log, { binaryControl: true }));
      runtime.addDriver(commandedDriver('orc_min', world.log, { callbacks: ['output', 'stop'] }));
      runtime.addDriver(commandedDriver('orc_none', world.log, { callbacks: ['stop'] }));
      return play(world, self);
    });
  }

  cat(self = this.self): Port {
    return this.name(self.open_port(['spawn', 'cat'], ['binary']), 'Port');
  }

  drv(
    args: string,
    { driver = 'orc_drv', self = this.self, options = ['binary'] as PortOption[] } = {},
  ): Port {
    return this.name(self.open_port(['spawn_driver', `${driver} ${args}`], options), 'Port');
  }

  /** port_control: the answer as Erlang's text. */
  ctl(port: Port, operation: number, data: IoData = '', self = this.self): unknown {
    return self.port_control(port, operation, data);
  }

  /** A process that is suspended by what it does, or else what it is instead. */
  async suspended(pid: Pid): Promise<unknown> {
    for (let i = 0; i < 100; i++) {
      const info = this.self.process_info(pid, 'status');
      if (isTuple(info) && info[1] === 'suspended') return 'suspended';
      await this.sleep(1);
    }
    return this.self.process_info(pid, 'status');
  }

  sleep(ms: number): Promise<unknown> {
    return Promise.resolve(this.self.receive(() => false, { after: ms }));
  }

  closed(): Port {
    const port = this.cat();
    this.self.unlink(port);
    this.self.port_close(port);
    return port;
  }

  owner(port: Port): unknown {
    const info = this.self.port_info(port, 'connected');
    return isTuple(info) ? info[1] : info;
  }

  isOpen(port: Port): boolean {
    return this.self.port_info(port, 'id') !== 'undefined';
  }

  portLinks(port: Port): unknown {
    const [, links] = this.self.port_info(port, 'links') as [string, List];
    return toList((this.normalise(links) as List).sort());
  }

  ownLinks(): unknown {
    return toList((this.normalise(this.links(this.self)) as List).sort());
  }

  /** What has been logged since the last time. */
  takeLog(log = this.log): unknown {
    return toList(log.splice(0).map(chars));
  }

  /** A port's owner dies; somebody else is linked to the port and monitors it. */
  async ownerDies(die: Job): Promise<unknown> {
    const owner = await this.proc('Owner');
    const watcher = await this.proc('W', 'trap');
    const port = (await this.on(owner, (s) => this.cat(s))) as Port;
    await this.on(watcher, (s) => {
      s.link(port);
      this.name(s.monitor('port', port), 'Mon');
    });
    this.cast(owner, die);
    return [await this.fate(owner), await this.inbox(watcher), ['open', this.isOpen(port)]];
  }

  /** A process dies that is linked to a port of another's. */
  async linkedDies(die: Job): Promise<unknown> {
    const owner = await this.proc('Owner', 'trap');
    const linked = await this.proc('L');
    const port = (await this.on(owner, (s) => this.cat(s))) as Port;
    await this.on(linked, (s) => s.link(port));
    this.cast(linked, die);
    return [await this.fate(linked), await this.inbox(owner), ['open', this.isOpen(port)]];
  }

  async exitPort(from: 'owner' | 'other' | 'linked', reason: unknown): Promise<unknown> {
    const owner = await this.proc('Owner', 'trap');
    const other = await this.proc('X', 'trap');
    const port = (await this.on(owner, (s) => this.cat(s))) as Port;
    if (from === 'linked') await this.on(other, (s) => s.link(port));
    const result = await this.on(from === 'owner' ? owner : other, (s) => s.exit(port, reason));
    return [
      result,
      ['owner_got', await this.inbox(owner)],
      ['x_got', await this.inbox(other)],
      ['open', this.isOpen(port)],
    ];
  }

  /** A port that another process owns. */
  async ownedBy(owner: Pid, open: (self: Self) => Port = (s) => this.cat(s)): Promise<Port> {
    return (await this.on(owner, open)) as Port;
  }

  settle(): Promise<void> {
    return settle(this.self);
  }
}

/** An Erlang string. */
export function chars(text: string): List<number> {
  return toList([...Buffer.from(text, 'latin1')]);
}
