/**
 * Each case of any port was run on Erlang/OTP 25; a tube whose other side sends back what comes has to give the same
 * answer, though that takes a while.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Domain,
  isData,
  type List,
  list,
  ok,
  type Port,
  type Self,
  type TubeOption,
  tube,
} from 'ling-tubes';
import { portCases } from '../ports/port-cases';
import { ProgramWorld } from '../ports/program-world';
import { Box } from '../support/box';
import { parseObserved } from '../support/erlang-world';

interface Line {
  id: string;
  description: string;
  scope: string;
  observed_term: unknown;
}

const lines = readFileSync(join(__dirname, '../fixtures/erlang/otp25-ports.jsonl'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line): Line => JSON.parse(line))
  .filter(({ scope }) => scope === 'any_port');

/** Cases that are other for a tube, and why. */
const DIFFERENT: Record<string, string> = {
  cmd_012: 'the driver of tubes is softBusy: force is supported',
  cmd_021: 'there is no logger to tell of bad data',
  cmd_022: 'there are no bit strings',
  cmd_004: 'a packet of no bytes is badarg',
  bang_017: 'an external program takes its time to answer, and a closing discards that',
  info_001: 'its name is tube, and its keeper is linked to it',
  info_002: 'only external programs have an os_pid',
  ctlx_001: 'the driver of tubes knows control',
};

test('every case is played on a tube or has a reason not to be', () => {
  const played = Object.keys(portCases).filter((id) => !(id in DIFFERENT));
  expect([...played, ...Object.keys(DIFFERENT)].sort()).toEqual(lines.map(({ id }) => id).sort());
});

/** As many tubes as any case opens. */
const MOST = 6;

/** Nothing is to be lost. */
const BUSY: readonly TubeOption[] = [['full', 'busy']];

/** Opened before, as that takes its time; then a port is had at once, as any other. */
class TubeWorld extends ProgramWorld {
  static tubes: { holder: Self; ports: Port[] };

  override cat(self = this.self): Port {
    const { holder, ports } = TubeWorld.tubes;
    const port = ports.shift() as Port;
    holder.port_connect(port, self.pid);
    holder.unlink(port);
    return this.name(port, 'Port');
  }

  /** But for its keeper, whom no case knows. */
  override portLinks(port: Port): unknown {
    return list(...(super.portLinks(port) as List).filter((end) => end !== '<pid>'));
  }
}

let box: Box;
let a: Domain;

beforeEach(async () => {
  box = new Box();
  a = await box.boot({ name: 'a' });
  const b = await box.boot({ name: 'b' });
  for (let i = 0; i < MOST; i++) {
    b.spawn(async (self) => {
      const port = ok(await tube.accept(self, BUSY));
      for (;;) await self.port_command(port, (await self.receive(isData(port)))[1][1]);
    });
  }
  await new Promise<void>((resolve, reject) => {
    a.spawn(async (holder) => {
      try {
        const ports: Port[] = [];
        for (let tid = 0; tid < MOST; tid++) ports.push(ok(await tube.open(holder, b.domid, tid, BUSY)));
        TubeWorld.tubes = { holder, ports };
        resolve();
      } catch (error) {
        reject(error);
      }
      await holder.receive((message): message is 'over' => message === 'over');
    });
  });
});
afterEach(() => box.close());

for (const { id, description, observed_term } of lines) {
  const play = portCases[id];
  if (play === undefined || id in DIFFERENT) continue;
  test(`${id}: ${description}`, async () => {
    const seen = await a.run(async (self) => {
      const world = new TubeWorld(self);
      world.name(self.pid, 'self');
      return world.normalise(await play(world, self));
    });
    expect(seen).toStrictEqual(parseObserved(observed_term));
  });
}
