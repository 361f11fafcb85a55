/** Domains go on when lingd is killed: with their domids, names, nodes, watches and tubes. Real OS processes. */
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Domain, ok, type Port, type Self, tube, xenstore } from 'ling-tubes';
import type { XenstoreClient } from '#xen/xenstore/client';
import { Box } from '../support/box';
import type { Program } from '../support/program';
import { descriptorsOf, eventually, kill, processesWith, tubeMappings } from '../support/residue';
import { End } from '../support/tube-ends';

let box: Box;

beforeEach(() => {
  box = new Box();
});
afterEach(() => box.close());

function lingd(): number {
  const [pid] = processesWith(box.rundir);
  if (pid === undefined) throw new Error('no lingd runs');
  return pid;
}

const killLingd = (signal: NodeJS.Signals = 'SIGKILL'): void => kill(lingd(), signal);

/** Resolves when the domain is back after the next loss of lingd. */
const back = (domain: Domain): Promise<number> =>
  new Promise((resolve) => domain.once('reconnected', resolve));

type Snapshot = [path: string, value: string, permissions: string[]][];

/** Everything there is; in a transaction, so that nothing goes while it is looked at. */
async function snapshot(client = box.client('socket')): Promise<Snapshot> {
  return client.transaction(async (tx) => {
    const found: Snapshot = [];
    await visit(client, '/local/domain', tx, found);
    return found;
  });
}

async function visit(client: XenstoreClient, at: string, tx: number, found: Snapshot): Promise<void> {
  found.push([at, await client.readString(at, tx), await client.getPerms(at, tx)]);
  for (const name of await client.directory(at, tx)) await visit(client, `${at}/${name}`, tx, found);
}

/**
 * A domain that sends back through each tube what comes, and says when it is back. Told `'count'` it says how many
 * packets have come.
 */
function echo(): Program {
  return box.run(async ({ ling, say, listen }) => {
    const domain = await ling.boot({ name: 'echo' });
    domain.on('reconnected', () => say('reconnected'));
    let packets = 0;
    domain.spawn(async (self) => {
      for (;;) {
        const t = ling.ok(await ling.tube.accept(self, [['full', 'busy']]));
        const keeper = self.spawn(async (me) => {
          for (;;) {
            const [, [, data]] = await me.receive(ling.isData(t));
            packets++;
            await me.port_command(t, data);
          }
        });
        await ling.tube.controlling_process(self, t, keeper);
      }
    });
    say(domain.domid);
    while ((await listen()) === 'count') say(packets);
    await domain.stop();
  });
}

/** Sends numbers through a tube as fast as it takes them, and takes them back, until told to stop. */
class Stream {
  sent = 0;
  received = 0;
  wrong = 0;
  ended: unknown;
  #isOver = false;
  #last = performance.now();
  /** The longest time without a packet, in milliseconds. */
  gap = 0;

  static async start(domain: Domain, peer: number, tid: number): Promise<Stream> {
    const stream = new Stream();
    await new Promise<void>((resolve, reject) => {
      domain.spawn(async (self) => {
        self.process_flag('trap_exit', true);
        const opened = await tube.open(self, peer, tid, [['full', 'busy']]);
        if (opened[0] === 'error') return reject(new Error(opened[1]));
        resolve();
        await stream.#run(self, opened[1]);
      });
    });
    return stream;
  }

  async #run(self: Self, t: Port): Promise<void> {
    const WINDOW = 20;
    while (!this.#isOver || this.received < this.sent) {
      while (!this.#isOver && this.sent < this.received + WINDOW) {
        const packet = Buffer.alloc(64);
        packet.writeUInt32LE(this.sent++);
        await self.port_command(t, packet);
      }
      const [from, message, reason] = (await self.receive()) as [unknown, [string, Buffer], unknown];
      if (from === 'EXIT') {
        this.ended = reason;
        return;
      }
      if (message[1].readUInt32LE() !== this.received++) this.wrong++;
      const now = performance.now();
      this.gap = Math.max(this.gap, now - this.#last);
      this.#last = now;
    }
    await tube.close(self, t);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await eventually(() => this.received, this.sent);
  }
}

test.each(['SIGKILL', 'SIGTERM'] as const)(
  'ten busy tubes flow through %s of lingd: in order, with nothing lost; all else is as it was',
  async (signal) => {
    const peer = echo();
    const domain = await box.boot({ name: 'sender' });
    const domid = await peer.hear<number>();
    const streams = await Promise.all(
      Array.from({ length: 10 }, (_, tid) => Stream.start(domain, domid, tid)),
    );
    const watched: unknown[] = [];
    domain.spawn(async (self) => {
      expect(await xenstore.watch(self, 'data/watched')).toBe('ok');
      for (;;) watched.push(await self.receive());
    });
    await eventually(() => watched.splice(0), [['watch', 'data/watched']]);
    const before = await snapshot();
    expect(before.filter(([at]) => at.endsWith('/state'))).toHaveLength(20);
    for (let i = 0; i < 3; i++) {
      const counts = streams.map(({ received }) => received);
      const both = Promise.all([back(domain), peer.hear()]);
      killLingd(signal);
      expect(await both).toEqual([expect.any(Number), 'reconnected']);
      // Each of them has moved on.
      await eventually(
        () => streams.every(({ received }, t) => received > (counts[t] as number) + 100),
        true,
      );
      expect(await snapshot()).toEqual(before);
      await eventually(() => watched.splice(0), [['watch', 'data/watched']]);
    }
    await domain.run((self) => xenstore.write(self, 'data/watched/x', '1'));
    await eventually(() => watched, [['watch', 'data/watched/x']]);
    await Promise.all(streams.map((stream) => stream.stop()));
    expect(streams.map(({ wrong, ended }) => [wrong, ended])).toEqual(streams.map(() => [0, undefined]));
    peer.tell('count');
    expect(await peer.hear()).toBe(streams.reduce((sum, { sent }) => sum + sent, 0));
    peer.tell('stop');
    expect(await peer.end()).toBe(0);
  },
);

describe('while there is no lingd', () => {
  test('a tube that is opened is there as soon as there is one, and so is one that is accepted', async () => {
    const [a, b] = [await box.boot(), await box.boot()];
    const lost = Promise.all([back(a), back(b)]);
    killLingd();
    const [one, other] = await End.pair(a, b);
    await lost;
    one.send('through');
    await eventually(() => other.got, ['through']);
  });

  test('a tube whose handshake lingd has not seen to its end is there all the same', async () => {
    const [a, b] = [await box.boot(), await box.boot()];
    for (let delay = 0; delay < 12; delay++) {
      const pair = End.pair(a, b, delay);
      // At another point of it each time.
      for (let turn = 0; turn < delay * 3; turn++) await new Promise((resolve) => setImmediate(resolve));
      killLingd();
      const [one, other] = await pair;
      one.send(`${delay}`);
      await eventually(() => other.got, [`${delay}`]);
    }
    // The tube has not needed the last one, which clears up once it is there.
    await a.run((self) => xenstore.list(self, '/local/domain'));
  });

  test.each(['SIGKILL', 'stop'])(
    'the end of the other side (%s) is noticed when there is one',
    async (how) => {
      const peer = echo();
      const domain = await box.boot();
      const stream = await Stream.start(domain, await peer.hear<number>(), 1);
      const pid = lingd();
      kill(pid, 'SIGSTOP');
      if (how === 'SIGKILL') await peer.kill();
      else {
        peer.tell('stop');
        expect(await peer.end()).toBe(0);
      }
      await sleep(100);
      expect(stream.ended).toBeUndefined();
      kill(pid, 'SIGKILL');
      await eventually(() => stream.ended, 'normal');
      const [, names] = await domain.run((self) => xenstore.list(self, '/local/domain'));
      expect([...(names as string[])]).toEqual([String(domain.domid)]);
    },
  );

  test('a domain can be stopped at once, and its OS process ended', async () => {
    const stopped = await box.boot();
    const program = box.run(async ({ ling, say, listen }) => {
      await ling.boot();
      say('up');
      await listen();
      process.exit(7);
    });
    await program.hear();
    const pid = lingd();
    kill(pid, 'SIGKILL');
    program.tell('exit');
    const waiting = stopped.run((self) => xenstore.read(self, 'name'));
    const ended = expect(waiting).rejects.toThrow('killed');
    await stopped.stop();
    await ended;
    expect(stopped.status).toBe('stopped');
    expect(await program.end()).toBe(7);
    // One that they have started may be about to look for them.
    await eventually(() => processesWith(box.rundir), []);
    fs.rmSync(box.rundir, { recursive: true, force: true });
  });

  test('transactions of processes end with eagain, and are none of the next lingd', async () => {
    const domain = await box.boot();
    await domain.run(async (self) => {
      const tid = ok(await xenstore.transaction(self));
      expect(await xenstore.write(self, 'data/x', 1, tid)).toBe('ok');
      const returned = back(domain);
      killLingd();
      await returned;
      const next = ok(await xenstore.transaction(self));
      expect(await xenstore.write(self, 'data/y', 1, next)).toBe('ok');
      expect(await xenstore.write(self, 'data/x', 2, tid)).toEqual(['error', 'eagain']);
      expect(await xenstore.commit(self, tid)).toEqual(['error', 'eagain']);
      expect(await xenstore.commit(self, next)).toBe('ok');
      expect([...ok(await xenstore.list(self, 'data'))]).toContain('y');
    });
  });
});

test('two domains of one OS process come back, each to its own', async () => {
  const [a, b] = [await box.boot({ name: 'a' }), await box.boot({ name: 'b' })];
  const [one, other] = await End.pair(a, b);
  for (let i = 0; i < 3; i++) {
    const both = Promise.all([back(a), back(b)]);
    killLingd();
    await both;
    for (const [domain, name] of [
      [a, 'a'],
      [b, 'b'],
    ] as const) {
      expect(ok(await domain.run((self) => xenstore.read(self, 'name')))).toBe(name);
      expect(ok(await domain.run((self) => xenstore.domid(self)))).toBe(domain.domid);
    }
  }
  one.send('there');
  other.send('back');
  await eventually(() => [one.got, other.got], [['back'], ['there']]);
});

test('a domain that was back is idle: it takes no CPU time, nor does lingd', async () => {
  const program = box.run(async ({ ling, say, listen }) => {
    const domain = await ling.boot();
    domain.on('reconnected', () => say('back'));
    say('up');
    await listen();
    // What it was about when it came back is done by now.
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const { user, system } = process.cpuUsage(before);
    say(user + system);
    await listen();
    await domain.stop();
  });
  await program.hear();
  killLingd();
  await program.hear();
  await sleep(1000);
  const ticks = () => {
    const [, rest] = fs.readFileSync(`/proc/${lingd()}/stat`, 'latin1').split(') ');
    const fields = (rest as string).split(' ');
    return Number(fields[11]) + Number(fields[12]);
  };
  const before = ticks();
  program.tell('measure');
  // A tenth of the time would be a timer or a descriptor that calls without end.
  expect(await program.hear()).toBeLessThan(100_000);
  expect(ticks() - before).toBeLessThan(10);
  program.tell('stop');
  expect(await program.end()).toBe(0);
});

test('lingd can be killed twenty times in a row, in the middle of whatever; then all works, and nothing is left', async () => {
  const a = await box.boot({ name: 'a', tubeTimeout: 30_000 });
  const b = await box.boot({ name: 'b', tubeTimeout: 30_000 });
  const [one, other] = await End.pair(a, b, 99);
  const clean = await snapshot();
  const own = () => ({
    mappings: tubeMappings(),
    memories: descriptorsOf('self').filter((target) => target.includes('memfd')).length,
    sockets: descriptorsOf('self').filter((target) => target.includes('socket')).length,
    ports: [a, b].map(({ runtime }) => runtime.openPorts.size),
  });
  const before = own();
  let isOver = false;
  const until = async (work: (round: number) => Promise<void>): Promise<number> => {
    let round = 0;
    while (!isOver) await work(round++);
    return round;
  };

  b.spawn(async (self) => {
    self.process_flag('trap_exit', true);
    for (;;) ok(await tube.accept(self));
  });
  const tubes = [1, 2, 3].map((tid) =>
    until(async () => {
      await a.run(async (self) => {
        const t = ok(await tube.open(self, b.domid, tid));
        self.port_command(t, 'x');
        expect(await tube.close(self, t)).toBe('ok');
      });
    }),
  );
  /** Where both may write. */
  const key = `/local/domain/${b.domid}/data/tip/${a.domid}/count`;
  /** Each adds one to the same number, over and over. */
  const counters = [a, b].map((domain) =>
    until(async () => {
      await domain.run(async (self) => {
        for (;;) {
          const tid = ok(await xenstore.transaction(self));
          const [tag, count] = await xenstore.read_integer(self, key, tid);
          const wrote = await xenstore.write(self, key, tag === 'ok' ? (count as number) + 1 : 1, tid);
          if (wrote !== 'ok') await xenstore.rollback(self, tid);
          else if ((await xenstore.commit(self, tid)) === 'ok') return;
        }
      });
    }),
  );
  const joins = until(async (round) => {
    const domain = await box.boot({ name: `guest-${round}` });
    expect(ok(await domain.run((self) => xenstore.read(self, 'name')))).toBe(`guest-${round}`);
    await domain.stop();
  });

  for (let kills = 0; kills < 20; kills++) {
    await sleep(Math.random() * 300);
    for (const pid of processesWith(box.rundir)) kill(pid, 'SIGKILL');
  }
  await sleep(300);
  isOver = true;
  const rounds = await Promise.all([...tubes, ...counters, joins]);
  expect(Math.min(...rounds)).toBeGreaterThan(0);
  const counted = await a.run(async (self) => {
    const count = ok(await xenstore.read_integer(self, key));
    expect(await xenstore.delete(self, key)).toBe('ok');
    return count;
  });
  // What was answered was done, and once.
  expect(counted).toBe((rounds[3] as number) + (rounds[4] as number));
  one.send('still');
  other.send('here');
  await eventually(() => [one.got, other.got], [['here'], ['still']]);
  const tool = box.client('socket');
  await eventually(() => snapshot(tool), clean);
  // Of the tools, that of the first snapshot has ended with its lingd.
  await eventually(own, before);
});
