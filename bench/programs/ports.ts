/** Calls a port again and again; says how many nanoseconds the calls have taken together. */
import { type Driver, type DriverPort, isData, ok, type Self, tube } from '../../lib/index.js';
import { inDomain } from '../domain.js';
import { argument, say } from './parent.js';

/** Of the drivers that do nothing, echo and tube; by a message instead; from the driver to its owner. */
export type PortCall = 'nothing' | 'echo' | 'tube' | 'send' | 'output';

export type PortsProgram =
  | { readonly role: 'sink' }
  | {
      readonly role: 'caller';
      readonly call: PortCall;
      readonly count: number;
      /** Of the sink, which says it, for a tube. */
      readonly domid?: number | undefined;
    };

export type PortsTaken = number;

/** Does it `size` times, and answers the nanoseconds of what counts. */
type Batch = (size: number) => Promise<number>;

const DATA = Buffer.from('0123456789abcdef');
/** Enough that reading the clock does not count, and a mailbox that stays small. */
const BATCH = 1000;

process.once('disconnect', () => process.exit());
void main();

async function main(): Promise<void> {
  const program = argument<PortsProgram & { rundir: string }>();
  if (program.role === 'sink') await sink(program.rundir);
  else say((await called(program)) satisfies PortsTaken);
  if (process.connected) process.disconnect();
}

/** Takes what comes through one tube. */
async function sink(rundir: string): Promise<void> {
  await inDomain(rundir, async (self, domain) => {
    say(domain.domid);
    const isPacket = isData(ok(await tube.accept(self)));
    for (;;) await self.receive(isPacket);
  });
}

type Caller = Extract<PortsProgram, { role: 'caller' }> & { readonly rundir: string };

function called({ call, count, domid, rundir }: Caller): Promise<number> {
  return inDomain(rundir, async (self, domain) => {
    domain.addDriver(nothing);
    const batch = await prepare(self, call, domid);
    // What has not been compiled yet would be measured as many times slower than it is.
    await repeat(batch, count / 2);
    return repeat(batch, count);
  });
}

async function repeat(batch: Batch, count: number): Promise<number> {
  let taken = 0;
  for (let done = 0; done < count; done += BATCH) taken += await batch(Math.min(BATCH, count - done));
  return taken;
}

let end: DriverPort;
const nothing: Driver = {
  name: 'nothing',
  start(port) {
    end = port;
    return { output() {} };
  },
};

async function prepare(self: Self, call: PortCall, domid: number | undefined): Promise<Batch> {
  switch (call) {
    case 'nothing': {
      const port = self.open_port('nothing');
      return async (size) => timed(size, () => self.port_command(port, DATA));
    }
    case 'send': {
      const port = self.open_port('nothing');
      return async (size) => timed(size, () => self.send(port, [self.pid, ['command', DATA]]));
    }
    case 'echo': {
      const port = self.open_port('echo', ['binary']);
      return async (size) => {
        const taken = timed(size, () => self.port_command(port, DATA));
        for (let i = 0; i < size; i++) check(await self.receive());
        return taken;
      };
    }
    case 'output': {
      self.open_port('nothing', ['binary']);
      return async (size) => {
        const began = process.hrtime.bigint();
        for (let i = 0; i < size; i++) end.output(DATA);
        for (let i = 0; i < size; i++) check(await self.receive());
        return Number(process.hrtime.bigint() - began);
      };
    }
    case 'tube': {
      const t = ok(await tube.open(self, domid as number));
      return async (size) => {
        let taken = 0;
        for (let left = size; left > 0; ) {
          const room = Math.min(left, ok(await tube.can_send(self, t)));
          taken += timed(room, () => self.port_command(t, DATA));
          left -= room;
        }
        return taken;
      };
    }
  }
}

function timed(count: number, call: () => unknown): number {
  const began = process.hrtime.bigint();
  for (let i = 0; i < count; i++) call();
  return Number(process.hrtime.bigint() - began);
}

/** @throws Error for what is not the data */
function check(message: unknown): void {
  const [, [, data]] = message as [unknown, [unknown, Buffer]];
  if (data.length !== DATA.length) throw new Error(`got ${data.length} bytes`);
}
