import type { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ring } from '#ports/drivers/tube-options';
import type { XenstoreClient } from '#xen/xenstore/client';
import { XS_CONTROL } from '#xen/xenstore/wire';
import { Box } from '../support/box';
import type { Program } from '../support/program';
import { descriptorsOf, eventually } from '../support/residue';
import { type Command, inhabitant, type Report } from './inhabitant';

/** One who lives there. */
class Neighbour {
  readonly #program: Program;
  domid = 0;

  constructor(box: Box, name: string) {
    this.#program = box.run(inhabitant, name);
  }

  get pid(): number {
    return this.#program.pid;
  }

  async moveIn(): Promise<void> {
    this.domid = await this.#program.hear<number>();
  }

  async open(peer: number, tid: number, ring: Ring): Promise<string> {
    this.#tell(['open', peer, tid, ring]);
    return this.#program.hear<string>();
  }

  async report(): Promise<Report> {
    this.#tell(['report']);
    return this.#program.hear<Report>();
  }

  beQuiet(): void {
    this.#tell(['be quiet']);
  }

  #tell(command: Command): void {
    this.#program.tell(command);
  }
}

/** Tubes between those who behave: that of two others, and one of the victim's. */
const OF_OTHERS = 1_000_001;
const OF_VICTIM = 1_000_002;

/**
 * Three domains under one lingd, each an OS process, that send each other numbers all the time, through two tubes; one of them
 * is the victim of somebody else.
 */
export class Street {
  readonly tool: XenstoreClient;
  readonly victim: Neighbour;
  readonly #one: Neighbour;
  readonly #other: Neighbour;
  #before: Report[] = [];
  #held: string[][] = [];
  #nodes: string[][] = [];

  private constructor(
    readonly box: Box,
    readonly lingd: ChildProcess,
  ) {
    this.tool = box.client('socket');
    [this.victim, this.#one, this.#other] = ['victim', 'one', 'other'].map(
      (name) => new Neighbour(this.box, name),
    ) as [Neighbour, Neighbour, Neighbour];
  }

  static async build(...lingdOptions: string[]): Promise<Street> {
    const box = new Box();
    // Before there is a domain, which would start one of its own.
    const street = new Street(box, await box.lingd('--log-level', 'error', ...lingdOptions));
    await Promise.all(street.#all.map((each) => each.moveIn()));
    const { victim } = street;
    expect(await street.#one.open(street.#other.domid, OF_OTHERS, 2 ** 17)).toBe('ok');
    expect(await victim.open(street.#other.domid, OF_VICTIM, 2 ** 17)).toBe('ok');
    return street;
  }

  get #all(): Neighbour[] {
    return [this.victim, this.#one, this.#other];
  }

  /** Before somebody hostile comes. */
  async look(): Promise<void> {
    const isFirst = this.#held.length === 0;
    if (!isFirst) await this.assertCleanedUp();
    this.#before = await this.#reports();
    // Later lingd may just have let somebody in who has gone before.
    if (!isFirst) return;
    // Nor may those be left with which these have looked whether lingd is there: the tool and three domains.
    await eventually(() => this.#connections(), 4);
    this.#held = this.#pids.map(descriptorsOf);
    this.#nodes = await this.#nodesOfTubes();
  }

  /** Nobody has lost anything, and everybody goes on; lingd has answered in the meantime. */
  async assertUndisturbed(): Promise<void> {
    const later = await this.#reports();
    for (const [i, { asked, talks }] of later.entries()) {
      const before = this.#before[i] as Report;
      for (const tid of tidsOf(talks)) {
        expect(talks[tid]).toMatchObject({ wrong: 0 });
        expect(talks[tid]).not.toHaveProperty('reason');
        expect(talks[tid]!.got).toBeGreaterThan(before.talks[tid]!.got);
      }
      expect(asked.count).toBeGreaterThan(before.asked.count);
      // Nothing is measured here: only who waits for ever is found out.
      expect(asked.longest).toBeLessThan(5000);
    }
  }

  /** After the hostile one has gone, everybody has what they had when they first came, and nothing else. */
  async assertCleanedUp(): Promise<void> {
    const domids = this.#all.map(({ domid }) => String(domid)).sort();
    await eventually(async () => (await this.tool.directory('/local/domain')).sort(), domids);
    await eventually(() => this.#nodesOfTubes(), this.#nodes);
    await eventually(() => this.#pids.map(descriptorsOf), this.#held);
  }

  /** Whether all that was sent in all that time has come, and then there is nobody any more. */
  async pullDown(): Promise<void> {
    try {
      for (const each of this.#all) each.beQuiet();
      await eventually(async () => {
        const [victim, one, other] = (await this.#reports()) as [Report, Report, Report];
        const ends = [
          [one.talks[OF_OTHERS], other.talks[OF_OTHERS]],
          [victim.talks[OF_VICTIM], other.talks[OF_VICTIM]],
        ] as const;
        return ends.flatMap(([a, b]) => [a!.sent - b!.got, b!.sent - a!.got]);
      }, [0, 0, 0, 0]);
    } finally {
      await this.box.close();
    }
  }

  #reports(): Promise<Report[]> {
    return Promise.all(this.#all.map((each) => each.report()));
  }

  async #connections(): Promise<number> {
    const { payload } = await this.tool.request(XS_CONTROL, Buffer.from('status\0'));
    return JSON.parse(String(payload).replace('\0', '')).connections;
  }

  get #pids(): number[] {
    return [this.lingd.pid as number, ...this.#all.map(({ pid }) => pid)];
  }

  /** By domain and side. The directory of who has opened tubes may stay when the last of them has gone. */
  #nodesOfTubes(): Promise<string[][]> {
    const sides = this.#all.flatMap(({ domid }) =>
      ['tip', 'nock'].map((side) => `/local/domain/${domid}/data/${side}`),
    );
    return Promise.all(
      sides.map(async (side) => {
        const peers = (await this.tool.directory(side)).map(async (peer) =>
          (await this.#directory(`${side}/${peer}`)).map((tid) => `${side}/${peer}/${tid}`),
        );
        return (await Promise.all(peers)).flat();
      }),
    );
  }

  /** Nothing in one that has gone meanwhile. */
  async #directory(path: string): Promise<readonly string[]> {
    try {
      return await this.tool.directory(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return [];
    }
  }
}

/** Of tubes between those who behave. */
function tidsOf(talks: Report['talks']): number[] {
  return Object.keys(talks)
    .map(Number)
    .filter((tid) => tid === OF_OTHERS || tid === OF_VICTIM);
}

/** What an OS process has used of all cores, in milliseconds. */
function cpuTime(pid: number): number {
  const [, rest] = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ');
  const fields = (rest as string).split(' ');
  // In ticks, of which Linux tells 100 a second on every machine.
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

/** Runs `act`: whether each of these OS processes has used less than one core meanwhile. */
export async function usesLessThanACore(
  pids: readonly number[],
  act: () => Promise<unknown>,
): Promise<boolean[]> {
  const before = pids.map(cpuTime);
  const started = performance.now();
  await act();
  const took = performance.now() - started;
  // Two ticks are as much as one may be told too late.
  return pids.map((pid, i) => cpuTime(pid) - before[i]! < took + 20);
}

/** Whether an OS process uses less than half a core, as whoever has nothing to do but what neighbours ask now and then. */
export async function isAtRest(pid: number): Promise<boolean> {
  const before = cpuTime(pid);
  await sleep(200);
  return cpuTime(pid) - before < 100;
}
