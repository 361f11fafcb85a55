/** Sends packets through cat and back, by a port or by child_process alone; says how long that took. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { spawnDriver } from '../../ports/drivers/spawn.js';
import { packetHeader } from '../../ports/framing/packets.js';
import { PortRuntime } from '../../ports/port-runtime.js';
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
  const { copier, ...load } = argument<PortProgram>();
  const copy = { port: byPort, child_process: byChildProcess }[copier];
  const meter = new Meter();
  meter.start();
  await copy(load);
  say({ ...meter.read(), peak: process.resourceUsage().maxRSS * 1024 } satisfies Copied);
  if (process.connected) process.disconnect();
}

type Load = Pick<PortProgram, 'size' | 'packets'>;

function byPort({ size, packets }: Load): Promise<void> {
  const runtime = new PortRuntime();
  runtime.addDriver(spawnDriver);
  return new Promise((resolve) => {
    runtime.spawn(async (self) => {
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
      resolve();
    });
  });
}

async function byChildProcess({ size, packets }: Load): Promise<void> {
  const { stdin, stdout } = spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] });
  const header = packetHeader(4, size) as Buffer;
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
