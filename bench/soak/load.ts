/** `npm run soak -- load`: many domains and tubes, and what is to shake lingd while they go on. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeFd, connectUnix } from '../../native/index.js';
import { footprintOf } from '../proc.js';
import type { Answers, LoadProgram, LoadTold, TubeToOpen } from '../programs/load.js';
import { type Program, World } from '../world.js';

export interface LoadOptions {
  readonly domains: number;
  readonly tubes: number;
  /** To how many domains one opens tubes at once. */
  readonly peers: number;
  /** How many connections a storm has. */
  readonly storm: number;
  /** How many domains are in one OS process. */
  readonly together: number;
}

/** An OS process, and the domids of the domains in it. */
interface House {
  readonly program: Program;
  readonly domids: readonly number[];
}

/** For what has to happen, of a machine that is busy with others, in milliseconds. */
const PATIENCE = 60_000;
/** lingd may have so many descriptors more than it has, when it is to have too few. */
const LEFT = 30;
/** So long a newcomer is given to come, in milliseconds: less than a domain waits for lingd. */
const TIME_TO_COME = 2000;

/** What is told of each step: what has been done, and what has come of it. */
export type Tell = (what: string, answers: Answers) => void;

/** @throws Error when a tube does not go on, a domain cannot join when it should, or lingd does not let go of something */
export async function load(options: LoadOptions, tell: Tell): Promise<void> {
  const world = await new World().ready();
  try {
    await new Load(world, options, tell).run();
  } finally {
    await world.end();
  }
}

class Load {
  readonly #world: World;
  readonly #options: LoadOptions;
  readonly #tell: Tell;
  readonly #houses: House[] = [];

  constructor(world: World, options: LoadOptions, tell: Tell) {
    this.#world = world;
    this.#options = options;
    this.#tell = tell;
  }

  async run(): Promise<void> {
    const { domains, tubes, peers, storm } = this.#options;
    this.#houses.push(...(await this.#settle(domains)));
    this.#tell(`${domains} domains`, { joined: domains });
    this.#tell(`${tubes} tubes`, await this.#openTubes(tubes));
    await this.#goesOn('all of them');
    const descriptors = this.#descriptors;
    this.#tell(`${peers} tubes to as many domains, opened by one at once`, await this.#fan(peers));
    await this.#goesOn('during that');
    for (const socket of ['domain', 'socket']) {
      this.#tell(`connections to ${socket}, closed at once`, await this.#flood(socket, storm, 'close'));
      this.#tell(`connections to ${socket}, silent`, await this.#flood(socket, storm, 'stay'));
      await this.#goesOn('during that');
      await this.#until(`lingd has ${descriptors} descriptors`, () => this.#descriptors <= descriptors);
      await this.#besiege(socket, storm);
      await this.#goesOn('after that');
      await this.#until(`lingd has ${descriptors} descriptors`, () => this.#descriptors <= descriptors);
      this.#tell('a tube to a new domain', await this.#fan(1));
    }
    await Promise.all(this.#houses.map((house) => ask(house, ['end'])));
  }

  /** So many new domains. */
  async #settle(count: number): Promise<readonly House[]> {
    const programs: Program[] = [];
    for (let left = count; left > 0; left -= this.#options.together) {
      const domains = Math.min(left, this.#options.together);
      programs.push(this.#world.start('load', { domains } satisfies LoadProgram));
    }
    return Promise.all(
      programs.map(async (program) => ({ program, domids: await program.hear<number[]>() })),
    );
  }

  /** From each domain to the next ones in turn, all at once. */
  async #openTubes(count: number): Promise<Answers> {
    const all = this.#houses.flatMap(({ domids }) => domids);
    const wanted = new Map<House, TubeToOpen[]>(this.#houses.map((house) => [house, []]));
    for (let tid = 0; tid < count; tid++) {
      const opener = tid % all.length;
      const next = 1 + (Math.floor(tid / all.length) % Math.max(1, all.length - 1));
      const to = all[(opener + next) % all.length] as number;
      const house = this.#houses.find(({ domids }) => domids.includes(all[opener] as number)) as House;
      wanted.get(house)?.push({ from: house.domids.indexOf(all[opener] as number), to, tid });
    }
    const answers = await Promise.all(
      this.#houses.map((house) => ask<Answers>(house, ['open', wanted.get(house) ?? [], 'for ever'])),
    );
    const ok = answers.reduce((sum, each) => sum + (each.ok ?? 0), 0);
    if (ok !== count) throw new Error(`tubes were refused: ${JSON.stringify(answers)}`);
    return { ok };
  }

  /** New domains come, one that is there opens a tube to each of them at once, and they go. */
  async #fan(count: number): Promise<Answers> {
    const houses = await this.#settle(count);
    const tubes = houses.flatMap(({ domids }) => domids).map((to) => ({ from: 0, to, tid: 0 }));
    const answers = await ask<Answers>(this.#houses[0] as House, ['open', tubes, 'once']);
    if (answers.ok !== count) throw new Error(`tubes were refused: ${JSON.stringify(answers)}`);
    await Promise.all(houses.map(({ program }) => program.end()));
    return answers;
  }

  async #flood(socket: string, count: number, then: 'close' | 'stay'): Promise<Answers> {
    const connections: number[] = [];
    for (let i = 0; i < count; i++) {
      const connection = await this.#connect(socket);
      if (then === 'stay') connections.push(connection);
      else closeFd(connection);
    }
    if (then === 'stay') await this.#goesOn('during that');
    for (const connection of connections) closeFd(connection);
    return { connected: count };
  }

  /** More connections than lingd has descriptors for: what asks for some is refused, all else goes on, newcomers wait. */
  async #besiege(socket: string, count: number): Promise<void> {
    const connections: number[] = [];
    const leave = (): void => {
      for (const connection of connections.splice(0)) closeFd(connection);
    };
    const limit = this.#limit;
    const tight = this.#descriptors + LEFT;
    this.#limit = tight;
    try {
      while (connections.length < Math.max(count, 2 * LEFT)) {
        const connection = this.#tryToConnect(socket);
        if (connection !== undefined) connections.push(connection);
        // As many wait by now as can.
        else if (connections.length >= 2 * LEFT) break;
        else await sleep(10);
      }
      await this.#until('lingd is out of descriptors', () => this.#descriptors >= tight);
      const answers = await this.#openOne();
      if (answers.ok !== undefined) throw new Error('a tube was opened without descriptors');
      this.#tell(`connections to ${socket}, more than lingd has descriptors: a tube`, answers);
      await this.#goesOn('during that');
      const [[newcomer]] = await Promise.all([this.#settle(1), sleep(TIME_TO_COME).then(leave)]);
      this.#tell('a domain that came meanwhile, when they have gone', { joined: 1 });
      await newcomer?.program.end();
    } finally {
      leave();
      this.#limit = limit;
    }
    const answers = await this.#openOne();
    if (answers.ok !== 1) throw new Error(`a tube was refused: ${JSON.stringify(answers)}`);
  }

  /** From the first domain to the last. */
  #openOne(): Promise<Answers> {
    const first = this.#houses[0] as House;
    const to = this.#houses.at(-1)?.domids.at(-1) as number;
    return ask(first, ['open', [{ from: 0, to, tid: 2 ** 32 - 1 }], 'once']);
  }

  /** @throws Error when one of the tubes does not carry packets any more */
  async #goesOn(when: string): Promise<void> {
    const count = (): Promise<number[][]> =>
      Promise.all(this.#houses.map((house) => ask<number[]>(house, ['count'])));
    const before = (await count()).flat();
    let left = before.length;
    await this.#until('all tubes have carried something', async () => {
      const now = (await count()).flat();
      left = now.filter((each, i) => each <= (before[i] as number)).length;
      return left === 0;
    });
    this.#tell(`tubes, ${when}`, { 'go on': before.length });
  }

  async #until(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
    for (const deadline = performance.now() + PATIENCE; !(await look()); await sleep(50))
      if (performance.now() > deadline) throw new Error(`not so in ${PATIENCE / 1000} s: ${what}`);
  }

  /** As soon as there is room in lingd's queue. */
  async #connect(socket: string): Promise<number> {
    for (;;) {
      const connection = this.#tryToConnect(socket);
      if (connection !== undefined) return connection;
      await sleep(10);
    }
  }

  /** Undefined while too many wait there to be let in. */
  #tryToConnect(socket: string): number | undefined {
    try {
      return connectUnix(path.join(this.#world.directory, socket));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      return undefined;
    }
  }

  get #descriptors(): number {
    return footprintOf(this.#world.lingd.pid as number).descriptors;
  }

  /** How many lingd may have. */
  get #limit(): number {
    const limits = readFileSync(`/proc/${this.#world.lingd.pid}/limits`, 'utf8');
    return Number(/^Max open files +(\d+)/m.exec(limits)?.[1]);
  }

  set #limit(descriptors: number) {
    execFileSync('prlimit', ['--pid', String(this.#world.lingd.pid), `--nofile=${descriptors}:`]);
  }
}

function ask<T>({ program }: House, told: LoadTold): Promise<T> {
  program.tell(told);
  return program.hear<T>();
}
