/** SIGSTOP of one side of a tube, or of lingd, and ten seconds later SIGCONT: in lossless mode nobody has lost anything. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Domain, isData, ok, type Port, type Self, type TubeOption, tube, xenstore } from 'ling-tubes';
import { Box } from '../support/box';
import type { World } from '../support/program';
import { eventually, kill, processesWith } from '../support/residue';
import { End } from '../support/tube-ends';
import { ROLES, type Role } from '../support/tube-steps';

const STOPPED = 10_000;
/** So many packets, of so many bytes, of which the last are sent to one who is stopped: more than a tube holds. */
const COUNT = 2000;
const SIZE = 1000;
const FIRST = 100;

const BUSY: readonly TubeOption[] = [['full', 'busy']];

/** Sends back what comes through its tube, so many packets, and says how many it has dropped. */
async function echo({ ling, say, listen }: World, role: Role, peer: number, count: number) {
  const { isData, ok, tube } = ling;
  const domain = await ling.boot();
  say(domain.domid);
  await domain.run(async (self) => {
    const busy = [['full', 'busy']] as const;
    const t = ok(await (role === 'opener' ? tube.open(self, peer, 0, busy) : tube.accept(self, busy)));
    for (let n = 0; n < count; n++) {
      const [, [, data]] = await self.receive(isData(t));
      await self.port_command(t, data);
    }
    say(self.port_info(t, 'drops'));
    await listen();
  });
  await domain.stop();
}

/** Numbers that go through a tube and come back. */
class Stream {
  sent = 0;
  readonly got: number[] = [];
  readonly #domain: Domain;
  #tube!: Port;
  /** All have come back; how many were dropped. */
  over!: Promise<unknown>;

  /** The first have come back. */
  static start(domain: Domain, ask: (self: Self) => Promise<['ok', Port] | ['error', string]>) {
    const stream = new Stream(domain);
    return new Promise<Stream>((resolve) => {
      stream.over = domain.run(async (self) => {
        stream.#tube = ok(await ask(self));
        await stream.#send(self, FIRST);
        await stream.#receive(self, FIRST);
        resolve(stream);
        await stream.#receive(self, COUNT);
        return self.port_info(stream.#tube, 'drops');
      });
    });
  }

  private constructor(domain: Domain) {
    this.#domain = domain;
  }

  goOn(): Promise<void> {
    return this.#domain.run((self) => this.#send(self, COUNT));
  }

  async #send(self: Self, until: number): Promise<void> {
    for (; this.sent < until; this.sent++)
      await self.port_command(this.#tube, String(this.sent).padEnd(SIZE));
  }

  async #receive(self: Self, until: number): Promise<void> {
    while (this.got.length < until) {
      const [, [, data]] = await self.receive(isData(this.#tube));
      this.got.push(Number(String(data)));
    }
  }
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

test('an opener, an acceptor and a lingd, all for ten seconds', async () => {
  const [box, lingdless] = [new Box(), new Box()];
  const survivor = await box.boot();
  const victims = await Promise.all(
    ROLES.map(async (role) => {
      const program = box.run(echo, role, survivor.domid, COUNT);
      const domid = await program.hear<number>();
      const stream = await Stream.start(survivor, (self) =>
        role === 'opener' ? tube.accept(self, BUSY) : tube.open(self, domid, 0, BUSY),
      );
      return { program, stream };
    }),
  );
  const tubeTimeout = 60_000;
  const [a, b] = [await lingdless.boot({ tubeTimeout }), await lingdless.boot({ tubeTimeout })];
  const [one, other] = await End.pair(a, b, 0, BUSY);

  const pids = [...victims.map(({ program }) => program.pid), ...processesWith(lingdless.rundir)];
  expect(pids).toHaveLength(3);
  for (const pid of pids) kill(pid, 'SIGSTOP');
  const sending = victims.map(({ stream }) => stream.goOn());
  // Without lingd open tubes go on, and all else waits.
  let isAnswered = false;
  const asking = a.run(async (self) => {
    const answer = await xenstore.read_integer(self, 'domid');
    isAnswered = true;
    return answer;
  });
  const opening = End.pair(a, b, 1);
  await a.run(async (self) => {
    for (let n = 0; n < COUNT; n++) await self.port_command(one.tube, String(n).padEnd(SIZE));
  });
  await eventually(() => other.got.length, COUNT);
  expect(other.got.map(Number)).toEqual(numbers(COUNT));

  await sleep(STOPPED);
  for (const { stream } of victims) {
    expect(stream.got).toHaveLength(FIRST);
    expect(stream.sent).toBeGreaterThan(FIRST);
    expect(stream.sent).toBeLessThan(COUNT);
  }
  expect(isAnswered).toBe(false);
  for (const pid of pids) kill(pid, 'SIGCONT');

  await Promise.all(sending);
  for (const { program, stream } of victims) {
    expect(await stream.over).toEqual(['drops', 0]);
    expect(stream.got).toEqual(numbers(COUNT));
    expect(await program.hear()).toEqual(['drops', 0]);
    program.tell('over');
    expect(await program.end()).toBe(0);
  }
  expect(await asking).toEqual(['ok', a.domid]);
  const [next, last] = await opening;
  next.send('through');
  await eventually(() => last.got, ['through']);
  await Promise.all([survivor, a, b].map((domain) => domain.stop()));
  await lingdless.close();
  await box.close();
});
