import fs from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Domain, ok, tube } from 'ling-tubes';
import { Box } from '../support/box';
import type { Program, World } from '../support/program';
import { eventually } from '../support/residue';
import { End } from '../support/tube-ends';

const RING = 2 ** 17;
const MOST_IN_INBOX = 8 * 2 ** 20;
const SIZES = [64, 1000, 4096];

let box: Box;
let a: Domain;

beforeEach(async () => {
  box = new Box();
  a = await box.boot({ name: 'a' });
});
afterEach(() => box.close());

type Request = [count: number, size: number, isPaced: boolean];

/**
 * Opens a tube and then, whenever it is told to, sends so many packets of so many bytes, each with its number, as fast as it
 * can or as there is room; says how many were dropped by now, to who cannot hear by making the file `done`. A packet that was
 * dropped has had its number all the same.
 */
async function sender({ ling, say, listen }: World, domid: number, done: string): Promise<void> {
  const { tube, ok } = ling;
  const domain = await ling.boot();
  await domain.run(async (self) => {
    const port = ok(await tube.open(self, domid));
    say('open');
    let n = 0;
    for (;;) {
      const [count, size, isPaced] = (await listen()) as Request;
      let room = 0;
      for (let i = 0; i < count; i++, n++, room--) {
        if (isPaced && room === 0) room = ok(await tube.can_send(self, port));
        const packet = Buffer.alloc(size, n & 255);
        packet.writeUInt32LE(n);
        self.port_command(port, packet);
        if (i % 1000 === 999) await new Promise((resolve) => setImmediate(resolve));
      }
      say((self.port_info(port, 'drops') as unknown as [string, number])[1]);
      (process.getBuiltinModule('node:fs') as typeof fs).writeFileSync(done, '');
    }
  });
}

/** Holds up the event loop of this OS process, timers and all. */
function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Where a sender makes its file: nobody else looks there. */
const doneFile = (): string => path.join(path.dirname(box.rundir), 'done');

async function start(): Promise<[end: Counting, peer: Program]> {
  const peer = box.run(sender, a.domid, doneFile());
  const end = await Counting.accept(a);
  expect(await peer.hear()).toBe('open');
  return [end, peer];
}

/** Holds up everything until the sender has sent all of it, or has not managed to; how many were dropped by then. */
async function whileBlocked(peer: Program, request: Request): Promise<number> {
  peer.tell(request);
  const deadline = Date.now() + 20_000;
  while (!fs.existsSync(doneFile()) && Date.now() < deadline) block(5);
  expect(fs.existsSync(doneFile())).toBe(true);
  fs.rmSync(doneFile());
  return peer.hear<number>();
}

/** What has come, without keeping it. */
class Counting {
  count = 0;
  /** Their numbers go up, and all the other bytes are as they were sent. */
  wrong = 0;
  ended: unknown;

  static async accept(domain: Domain): Promise<Counting> {
    const counting = new Counting();
    let accepted = (): void => {};
    const isThere = new Promise<void>((resolve) => {
      accepted = resolve;
    });
    domain.spawn(async (self) => {
      self.process_flag('trap_exit', true);
      ok(await tube.accept(self));
      accepted();
      for (let last = -1; ; ) {
        const [, what] = (await self.receive()) as [unknown, ['data', Buffer] | string];
        if (typeof what === 'string') {
          counting.ended = what;
          return;
        }
        const n = what[1].readUInt32LE();
        if (n <= last || what[1].at(-1) !== (n & 255)) counting.wrong++;
        last = n;
        counting.count++;
      }
    });
    await isThere;
    return counting;
  }
}

// Only the relief can make room for it.
test.each(SIZES)(
  'a receiver that is held up loses none of 3 MiB in packets of %i bytes, thrice',
  async (size) => {
    const [end, peer] = await start();
    const count = Math.ceil((3 * 2 ** 20) / size);
    for (let round = 0; round < 3; round++) {
      const sending = whileBlocked(peer, [count, size, true]);
      expect(end.count).toBe(round * count);
      expect(await sending).toBe(0);
      await eventually(() => end.count, (round + 1) * count);
    }
    expect(end.wrong).toBe(0);
  },
);

test.each(SIZES)('whatever is sent is received or counted as dropped, of %i bytes', async (size) => {
  const [end, peer] = await start();
  const count = Math.ceil((20 * 2 ** 20) / size);
  peer.tell([count, size, false]);
  let drops: number | undefined;
  void peer.hear<number>().then((heard) => {
    drops = heard;
  });
  while (drops === undefined) {
    block(1 + (end.count % 7));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await eventually(() => end.count, count - drops);
  expect(end.wrong).toBe(0);
});

test('no more is taken ahead than the inbox of a tube holds', async () => {
  const [end, peer] = await start();
  const count = (100 * 2 ** 20) / 4096;
  const drops = await whileBlocked(peer, [count, 4096, false]);
  await eventually(() => end.count, count - drops);
  expect(end.wrong).toBe(0);
  // The last slab may go beyond, and then the ring fills up.
  expect(end.count * 4096).toBeLessThanOrEqual(MOST_IN_INBOX + 2 * RING);
});

// In passive mode packets have to stay in the ring, and whoever has to be waited for must be.
test.each([
  ['a receiver in passive mode', [['active', false]], []],
  ['a sender that waits', [], [['full', 'busy']]],
] as const)('nothing is taken ahead for %s', async (_name, accepting, opening) => {
  const b = await box.boot();
  const [one, other] = await Promise.all([
    new End().start(b, (self) => tube.open(self, a.domid, 0, opening)),
    new End().start(a, (self) => tube.accept(self, accepting)),
  ]);
  const packet = Buffer.alloc(4096);
  // In one turn, which is one block.
  let sent = 0;
  const isFull = (): boolean => one.self.port_info(one.tube, 'drops')?.[1] !== 0;
  while (!isFull() && one.self.port_command(one.tube, packet, ['nosuspend'])) {
    if (++sent % 20 === 0) block(1);
  }
  expect(sent).toBeLessThan(33);
  expect(other.got.length).toBe(0);
});

describe('while packets are taken ahead', () => {
  test('domain.stop', async () => {
    const [, peer] = await start();
    await whileBlocked(peer, [5000, 1000, false]);
    await a.stop();
  });

  test.each(['process.exit', 'domain.stop', 'kill'] as const)('the receiver ends by %s', async (way) => {
    const receiver = box.run(async ({ ling, say, listen }, way) => {
      const { tube, ok } = ling;
      const domain = await ling.boot();
      say(domain.domid);
      domain.spawn(async (self) => {
        ok(await tube.accept(self));
        await self.receive((m): m is never => m === undefined);
      });
      await listen();
      const until = Date.now() + 300;
      while (Date.now() < until);
      if (way === 'process.exit') process.exit(7);
      if (way === 'kill') process.kill(process.pid, 'SIGKILL');
      await domain.stop();
      process.exitCode = 7;
    }, way);
    const peer = box.run(sender, await receiver.hear<number>(), doneFile());
    expect(await peer.hear()).toBe('open');
    receiver.tell('begin');
    peer.tell([100_000, 1000, false]);
    expect(await receiver.end()).toBe(way === 'kill' ? 'SIGKILL' : 7);
    await peer.kill();
    fs.rmSync(doneFile(), { force: true });
  });
});

const WORKER = `
const { parentPort, workerData } = require('node:worker_threads');
const { boot, tube, ok } = require(workerData.ling);
(async () => {
  const domain = await boot({ rundir: workerData.rundir });
  parentPort.postMessage(domain.domid);
  let count = 0;
  domain.spawn(async (self) => {
    self.process_flag('trap_exit', true);
    ok(await tube.accept(self));
    for (;;) {
      await self.receive();
      parentPort.postMessage(++count);
      if (workerData.blocks) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  });
})();
`;

describe('a worker thread as a domain', () => {
  test.each([false, true])(
    'gets its packets, and can be terminated at any time; held up: %s',
    async (blocks) => {
      const workerData = { ling: require.resolve('ling-tubes'), rundir: box.rundir, blocks };
      const worker = new Worker(WORKER, { eval: true, workerData });
      const heard: number[] = [];
      worker.on('message', (number) => heard.push(number));
      await eventually(() => heard.length, 1);
      const [domid] = heard as [number];
      const peer = box.run(sender, domid, doneFile());
      expect(await peer.hear()).toBe('open');
      peer.tell([10_000, 1000, !blocks]);
      const enough = blocks ? 5 : 10_000;
      await eventually(() => heard.length > enough, true);
      await worker.terminate();
    },
  );
});
