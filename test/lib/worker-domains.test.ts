/**
 * Several domains in one OS process, in its main thread and in workers, which end at any time and in any order: nobody else
 * does, and nothing is left. By hand, for example, `TERMINATIONS=1000 npx jest test/lib/worker-domains`.
 */
import { once } from 'node:events';
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type MessagePort, Worker } from 'node:worker_threads';
import * as lingTubes from 'ling-tubes';
import { type Domain, ok, type Self, tube } from 'ling-tubes';
import { Box } from '../support/box';
import { Inventory } from '../support/inventory';
import { eventually } from '../support/residue';

let box: Box;
beforeEach(() => {
  box = new Box();
});
afterEach(() => box.close());

const threads = (): number => fs.readdirSync('/proc/self/task').length;

/** A worker that runs a function of the test, which therefore sees nothing but its arguments. */
function work<A extends unknown[]>(
  body: (ling: typeof lingTubes, parent: MessagePort, ...args: A) => unknown,
  ...args: A
): Worker {
  const code = `const { parentPort, workerData } = require('node:worker_threads');
    (${body})(require('ling-tubes'), parentPort, ...workerData);`;
  // Evaluated in the folder where jest runs, that of the package.
  return new Worker(code, { eval: true, workerData: args });
}

describe('terminated at any time', () => {
  const TERMINATIONS = Number(process.env.TERMINATIONS ?? 10);
  /** What it is terminated after; it says its domid when it is there, and `open` for each tube. */
  const STAGES = [
    (message?: unknown) => message === undefined,
    (message?: unknown) => typeof message === 'number',
    (message?: unknown) => message === 'open',
  ];
  /** How long after that at most, in milliseconds. */
  const MOST_PATIENCE = 40;

  /** Opens a tube to each of the peers, accepts all, and sends as much as there is room for through each. */
  async function talk(
    ling: typeof lingTubes,
    parent: MessagePort,
    rundir: string,
    peers: readonly number[],
  ): Promise<void> {
    const { ok, tube } = ling;
    const domain = await ling.boot({ rundir });
    const pour = async (self: Self, asked: ReturnType<typeof tube.accept>): Promise<void> => {
      const t = ok(await asked);
      parent.postMessage('open');
      self.spawn(async (me) => {
        for (;;) {
          await me.port_command(t, Buffer.alloc(1 + Math.floor(4096 * Math.random())));
          await me.yield();
        }
      });
      for (;;) await self.receive();
    };
    domain.on('crash', () => {});
    for (const peer of peers)
      domain.spawn((self) => pour(self, tube.open(self, peer, domain.domid, [['full', 'busy']])));
    domain.spawn((self) => pour(self, tube.accept(self, [['full', 'busy']])));
    parent.postMessage(domain.domid);
  }

  /** Takes the tubes that come, and pours into them. */
  class Host {
    taken = 0;
    ended = 0;

    constructor(domain: Domain) {
      domain.spawn(async (self) => {
        self.process_flag('trap_exit', true);
        for (;;) {
          const t = ok(await tube.accept(self, [['full', 'busy']]));
          this.taken++;
          const pouring = self.spawn(async (me) => {
            try {
              for (;;) {
                await me.port_command(t, Buffer.alloc(1000));
                await me.yield();
              }
            } catch {
              // It has ended.
            }
          });
          await self.receive((m) => (m as unknown[])[0] === 'EXIT' && (m as unknown[])[1] === t);
          self.exit(pouring, 'kill');
          this.ended++;
        }
      });
    }
  }

  test(`${TERMINATIONS} times two of them, with tubes to each other and to this one`, async () => {
    const domain = await box.boot({ tubeTimeout: 60_000 });
    const hosts = [new Host(domain), new Host(domain)];
    const tool = box.client('socket');
    const inventory = new Inventory(box, [domain]);
    const before = await inventory.count();
    const threadsBefore = threads();
    for (let round = 0; round < TERMINATIONS; round++) {
      const first = work(talk, box.rundir, [domain.domid]);
      const heard: unknown[][] = [[], []];
      first.on('message', (message) => heard[0]?.push(message));
      // Every other time with the first already there.
      if (round % 2 === 0) await eventually(() => heard[0]?.length !== 0, true);
      const friends = heard[0]?.filter((message) => typeof message === 'number') ?? [];
      const second = work(talk, box.rundir, [domain.domid, ...(friends as number[])]);
      second.on('message', (message) => heard[1]?.push(message));
      const lives = [first, second].map(async (worker, i) => {
        const over = once(worker, 'exit');
        const stage = STAGES[(round + i) % STAGES.length] as (typeof STAGES)[number];
        await eventually(() => heard[i]?.some((message) => stage(message)) || stage(), true);
        await sleep((round * 7 + i * 13) % MOST_PATIENCE);
        await worker.terminate();
        await over;
      });
      await Promise.all(lives);
      await eventually(() => hosts.reduce((sum, { taken, ended }) => sum + taken - ended, 0), 0);
      await eventually(() => tool.directory('/local/domain'), [String(domain.domid)]);
      await eventually(() => inventory.count(), before);
      await eventually(threads, threadsBefore);
    }
    expect(hosts.reduce((sum, { taken }) => sum + taken, 0)).toBeGreaterThan(TERMINATIONS / 4);
  }, 600_000);
});

describe('stopped in any order', () => {
  /** A domain that is told what to do, in whatever thread. */
  interface Member {
    boot(): Promise<number>;
    /** Has a tube to that one then, or with whoever opens one to this one. */
    open(peer: number): Promise<void>;
    accept(): Promise<void>;
    /** Through all tubes that are open. */
    send(text: string): void;
    stop(): Promise<void>;
  }

  /** Says what comes through its tubes, and their ends. */
  function member(ling: typeof lingTubes, rundir: string, say: (text: string) => void): Member {
    const { tube } = ling;
    let domain: Domain;
    const owners = new Set<Self>();
    const own = (get: (self: Self) => ReturnType<typeof tube.accept>): Promise<void> =>
      new Promise((resolve, reject) => {
        domain.spawn(async (self) => {
          self.process_flag('trap_exit', true);
          const [tag, t] = await get(self);
          if (tag === 'error') return reject(new Error(t));
          self.put('tube', t);
          owners.add(self);
          resolve();
          const peer = (self.port_info(t, 'peer') as [string, number])[1];
          for (;;) {
            const [what, about] = (await self.receive()) as [unknown, ['data', Buffer]];
            if (what === 'EXIT') break;
            say(`${peer} says ${about[1]}`);
          }
          owners.delete(self);
          say(`${peer} has ended`);
        });
      });
    return {
      boot: async () => {
        domain = await ling.boot({ rundir, tubeTimeout: 60_000 });
        return domain.domid;
      },
      open: (peer) => own((self) => tube.open(self, peer)),
      accept: () => own((self) => tube.accept(self)),
      send: (text) => {
        for (const self of owners) self.port_command(self.get('tube') as import('ling-tubes').Port, text);
      },
      stop: async () => {
        owners.clear();
        await domain.stop();
      },
    };
  }

  /** Serves one on another thread. */
  function serve(_: typeof lingTubes, parent: MessagePort, source: string, rundir: string): void {
    // biome-ignore lint/security/noGlobalEval: the source is the test's own.
    const make = eval(`(${source})`) as typeof member;
    const served = make(_, rundir, (text) => parent.postMessage([0, text]));
    parent.on('message', async ([call, name, ...args]) => {
      const answer = await (served[name as keyof Member] as (...args: unknown[]) => unknown)(...args);
      parent.postMessage([call, answer]);
    });
  }

  class There implements Member {
    readonly #worker: Worker;
    readonly #waiting = new Map<number, (answer: unknown) => void>();
    #calls = 0;

    constructor(rundir: string, say: (text: string) => void) {
      this.#worker = work(serve, member.toString(), rundir);
      this.#worker.on('message', ([call, answer]) => {
        if (call === 0) say(answer);
        else this.#waiting.get(call)?.(answer);
      });
    }

    boot = () => this.#call('boot') as Promise<number>;
    open = (peer: number) => this.#call('open', peer) as Promise<void>;
    accept = () => this.#call('accept') as Promise<void>;
    send = (text: string) => void this.#call('send', text);
    stop = () => this.#call('stop') as Promise<void>;
    leave = () => this.#worker.terminate();

    #call(name: keyof Member, ...args: unknown[]): Promise<unknown> {
      const call = ++this.#calls;
      this.#worker.postMessage([call, name, ...args]);
      return new Promise((resolve) => this.#waiting.set(call, resolve));
    }
  }

  function ordersOf<T>(all: readonly T[]): T[][] {
    if (all.length === 0) return [[]];
    return all.flatMap((first) =>
      ordersOf(all.filter((each) => each !== first)).map((rest) => [first, ...rest]),
    );
  }

  test('two domains in the main thread and two in workers, a tube between any two', async () => {
    const said: string[][] = [[], [], [], []];
    const say = (i: number) => (text: string) => said[i]?.push(text);
    const workers = [2, 3].map((i) => new There(box.rundir, say(i)));
    const members = [...[0, 1].map((i) => member(lingTubes, box.rundir, say(i))), ...workers];
    /** Each has heard that, of each of the others, and nothing else. */
    const hear = async (alive: readonly number[], texts: (listener: number) => string[]): Promise<void> => {
      await eventually(
        () => alive.map((i) => [...(said[i] as string[])].sort()),
        alive.map((i) => texts(i).sort()),
      );
      for (const each of said) each.length = 0;
    };
    const keeper = await box.boot();
    const inventory = new Inventory(box, [keeper]);
    let before: object | undefined;
    for (const order of ordersOf([0, 1, 2, 3])) {
      const domids: number[] = [];
      for (const each of members) domids.push(await each.boot());
      for (let i = 0; i < 4; i++) {
        for (let j = i + 1; j < 4; j++)
          await Promise.all([members[i]?.open(domids[j] as number), members[j]?.accept()]);
      }
      let alive = [...order];
      const talk = async (): Promise<void> => {
        for (const i of alive) members[i]?.send(`from ${i}`);
        const others = (i: number) => alive.filter((each) => each !== i);
        await hear(alive, (i) => others(i).map((other) => `${domids[other]} says from ${other}`));
      };
      await talk();
      for (const leaving of order) {
        alive = alive.filter((each) => each !== leaving);
        await members[leaving]?.stop();
        await hear(alive, () => [`${domids[leaving]} has ended`]);
        await talk();
      }
      // The first time threads are started that stay.
      before ??= await inventory.count();
      await eventually(() => inventory.count(), before);
    }
    await Promise.all(workers.map((worker) => worker.leave()));
  });
});
