/** Sends packets through cat and back, by a port or by child_process alone; says how long that took. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { boot } from '../../lib/index.js';
import { Meter, type Reading } from '../meter.js';
import { argument, say } from './parent.js';

export type Copier = 'port' | 'child_process';

export interface PortProgram {
  readonly copier: Copier;
  /** Of a packet, without its header. */
  readonly size: number;
  readonly packets: number;
}

export interface Copied extends Reading {
  /** Bytes of memory, when it had most of it. */
  readonly peak: number;
}

process.once('disconnect', () => process.exit());
void main();

async function main(): Promise<void> {
  const { copier, ...load } = argument<PortProgram & Load>();
  const copy = { port: byPort, child_process: byChildProcess }[copier];
  const meter = new Meter();
  await copy(load, meter);
  say({ ...meter.read(), peak: process.resourceUsage().maxRSS * 1024 } satisfies Copied);
  if (process.connected) process.disconnect();
}

type Load = Pick<PortProgram, 'size' | 'packets'> & { readonly rundir: string };

async function byPort({ size, packets, rundir }: Load, meter: Meter): Promise<void> {
  const domain = await boot({ rundir });
  meter.start();
  await domain.run(async (self) => {
    const port = self.open_port(['spawn', 'cat'], ['binary', ['packet', 4]]);
    const packet = Buffer.alloc(size, 'x');
    self.spawn_link(async (sender) => {
      for (let i = 0; i < packets; i++) await sender.port_command(port, packet);
    });
    for (let i = 0; i < packets; i++) {
      const [, [, data]] = (await self.receive()) as [unknown, ['data', Buffer]];
      if (data.length !== size) throw new Error(`packet ${i} has ${data.length} bytes`);
    }
    self.port_close(port);
  });
}

async function byChildProcess({ size, packets }: Load, meter: Meter): Promise<void> {
  meter.start();
  const { stdin, stdout } = spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] });
  const header = Buffer.alloc(4);
  header.writeUInt32BE(size);
  const packet = Buffer.alloc(size, 'x');
  let missing = packets * (header.length + size);
  const all = new Promise<void>((resolve) => {
    stdout.on('data', (data: Buffer) => {
      missing -= data.length;
      if (missing === 0) resolve();
    });
  });
  for (let i = 0; i < packets; i++) {
    stdin.write(header);
    if (!stdin.write(packet)) await once(stdin, 'drain');
  }
  await all;
  stdin.end();
}
