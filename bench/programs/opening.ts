/** Opens and closes tubes or connections again and again, or accepts them; says how long each has taken to open. */
import { once } from 'node:events';
import net from 'node:net';
import { isData, ok, type Self, tube } from '../../lib/index.js';
import { inDomain } from '../domain.js';
import { cpuTimeOf } from '../proc.js';
import { argument, say } from './parent.js';

export type Transport = 'tube' | 'unix socket';

export type OpeningProgram = { readonly transport: Transport } & (
  | { readonly role: 'accept'; readonly path: string }
  | {
      readonly role: 'open';
      /** What the one that accepts has said. */
      readonly address: number | string;
      /** So many loops open so many each. */
      readonly atOnce: number;
      readonly each: number;
      /** OS processes that have their part in it. */
      readonly others: readonly number[];
    }
);

/** All are nanoseconds; of CPU time that of this OS process and the others. */
export interface Opened {
  readonly elapsed: number;
  readonly cpu: number;
  readonly times: readonly number[];
}

type Argument = OpeningProgram & { readonly rundir: string };
type Opener = Extract<Argument, { role: 'open' }>;

/** Opens one, and resolves with how to close it once the other side's byte has come. */
type Open = () => Promise<() => Promise<unknown>>;
/** A byte of the one that has accepted. */
const WELCOME = 'x';

process.once('disconnect', () => process.exit());
void main();

async function main(): Promise<void> {
  const program = argument<Argument>();
  const isTube = program.transport === 'tube';
  if (program.role === 'accept') await (isTube ? acceptTubes(program.rundir) : acceptSockets(program.path));
  else say((await (isTube ? openTubes(program) : openSockets(program))) satisfies Opened);
}

async function acceptTubes(rundir: string): Promise<void> {
  await inDomain(rundir, async (self, domain) => {
    say(domain.domid);
    for (;;) self.port_command(ok(await tube.accept(self)), WELCOME);
  });
}

async function acceptSockets(path: string): Promise<void> {
  const server = net.createServer((socket) => socket.resume().write(WELCOME));
  await once(server.listen(path), 'listening');
  say(path);
}

function openTubes(opener: Opener): Promise<Opened> {
  return inDomain(opener.rundir, (_, domain) =>
    repeat(opener, (tid, body) =>
      domain.run((self) => body(() => openTube(self, opener.address as number, tid))),
    ),
  );
}

async function openTube(self: Self, peer: number, tid: number): Promise<() => Promise<unknown>> {
  const t = ok(await tube.open(self, peer, tid));
  await self.receive(isData(t));
  return () => tube.close(self, t);
}

function openSockets(opener: Opener): Promise<Opened> {
  return repeat(opener, (_, body) => body(() => openSocket(opener.address as string)));
}

async function openSocket(path: string): Promise<() => Promise<unknown>> {
  const socket = net.connect(path);
  await once(socket, 'data');
  return () => once(socket.destroy(), 'close');
}

/** `loop` runs the body of one of the loops, with what opens. */
async function repeat(
  { each, atOnce, others }: Opener,
  loop: (i: number, body: (open: Open) => Promise<void>) => Promise<void>,
): Promise<Opened> {
  const times: number[] = [];
  const all = (count: number): Promise<unknown> =>
    Promise.all(
      Array.from({ length: atOnce }, (_, i) =>
        loop(i, async (open) => {
          for (let i = 0; i < count; i++) {
            const began = process.hrtime.bigint();
            const close = await open();
            times.push(Number(process.hrtime.bigint() - began));
            await close();
          }
        }),
      ),
    );
  const cpuTime = (): number => cpuTimeOf(process.pid, ...others);
  await all(Math.ceil(each / 4));
  times.length = 0;
  const used = cpuTime();
  const began = process.hrtime.bigint();
  await all(each);
  return { elapsed: Number(process.hrtime.bigint() - began), cpu: cpuTime() - used, times };
}
