/** `npm run soak`: packets through tubes for as long as one likes, and the books must balance. */
import { setTimeout as sleep } from 'node:timers/promises';
import { footprintOf } from '../proc.js';
import type { SoakProgram, SoakSaid, SoakTold } from '../programs/soak.js';
import { type Program, World } from '../world.js';
import { Ledger } from './books.js';
import { LANES, type Settings, type Side } from './lane.js';
import type { Sample } from './sample.js';

export interface ExactOptions extends Settings {
  /** It ends as soon as one of them is reached. */
  readonly packets: number;
  readonly seconds: number;
  /** Seconds from one sample to the next. */
  readonly every: number;
}

export interface Exact {
  readonly ledger: Ledger;
  readonly samples: readonly Sample[];
}

/** Without a packet for so many milliseconds something is stuck. */
const PATIENCE = 60_000;
/** An OS process may have so many bytes more in use at the end than at the beginning: code that has become fast, and the like. */
const MORE = 16 * 1024 * 1024;
/** What is closed may take so many milliseconds to be gone. */
const GRACE = 10_000;

const SIDES: readonly Side[] = [0, 1];

/**
 * @throws Error when a packet is lost, doubled, out of order or torn, when the books of a tube do not balance, when nothing
 * comes any more, and when a descriptor is left behind, or memory
 */
export async function exact(options: ExactOptions, onSample: (sample: Sample) => void): Promise<Exact> {
  const world = await new World().ready();
  try {
    return await new Soak(world, options, onSample).run();
  } finally {
    await world.end();
  }
}

class Soak {
  readonly #options: ExactOptions;
  readonly #onSample: (sample: Sample) => void;
  readonly #programs: readonly Program[];
  readonly #pids: readonly number[];
  readonly #ledger: Ledger;
  readonly #samples: Sample[] = [];
  readonly #received = SIDES.map(() => 0);
  readonly #finished = new Set<number>();
  #began = 0;
  /** When a packet was last seen. */
  #seen = 0;
  #isStopping = false;

  constructor(world: World, options: ExactOptions, onSample: (sample: Sample) => void) {
    const { mode, seed, large, longest } = options;
    this.#options = options;
    this.#onSample = onSample;
    this.#ledger = new Ledger(mode);
    this.#programs = SIDES.map((side) =>
      world.start('soak', { side, mode, seed, large, longest } satisfies SoakProgram),
    );
    this.#pids = [...this.#programs.map(({ pid }) => pid), world.lingd.pid as number];
  }

  async run(): Promise<Exact> {
    const domids = await Promise.all(this.#programs.map((program) => program.hear<['domid', number]>()));
    this.#began = performance.now();
    this.#seen = this.#began;
    this.#sample();
    const before = this.#left();
    const light = await this.#weigh();
    SIDES.forEach((side) => {
      this.#tell(side, ['begin', (domids[1 - side] as ['domid', number])[1]]);
    });
    await Promise.all(SIDES.map((side) => this.#listen(side)));
    this.#sample();
    const deadline = performance.now() + GRACE;
    while (this.#left() !== before) {
      if (performance.now() > deadline)
        throw new Error(`descriptors: ${before} before, ${this.#left()} after`);
      await sleep(100);
    }
    const heavy = await this.#weigh();
    if (heavy.some((bytes, side) => bytes > (light[side] as number) + MORE))
      throw new Error(`bytes in use: ${light} before, ${heavy} after`);
    return { ledger: this.#ledger, samples: this.#samples };
  }

  async #listen(side: Side): Promise<void> {
    while (this.#finished.size < LANES.length || !this.#ledger.isClosed)
      this.#hear(side, await (this.#programs[side] as Program).hear<SoakSaid>());
  }

  #hear(side: Side, said: SoakSaid): void {
    switch (said[0]) {
      case 'sent':
        return this.#ledger.addSent(said[1], said[2]);
      case 'received':
        return this.#ledger.addReceived(said[1], said[2]);
      case 'finished':
        this.#finished.add(said[1]);
        return;
      case 'progress':
        return this.#progress(side, said[1]);
    }
  }

  #progress(side: Side, received: number): void {
    const now = performance.now();
    if (received !== this.#received[side]) this.#seen = now;
    else if (now - this.#seen > PATIENCE) throw new Error('nothing has come any more: it is stuck');
    this.#received[side] = received;
    const { packets, seconds, every } = this.#options;
    const elapsed = (now - this.#began) / 1000;
    if (!this.#isStopping && (elapsed >= seconds || this.#packets >= packets)) {
      this.#isStopping = true;
      for (const each of SIDES) this.#tell(each, ['stop']);
    }
    if (elapsed >= (this.#samples.at(-1) as Sample).seconds + every) this.#sample();
  }

  get #packets(): number {
    return this.#received.reduce((sum, received) => sum + received, 0);
  }

  #tell(side: Side, told: SoakTold): void {
    this.#programs[side]?.tell(told);
  }

  #sample(): void {
    const sample = {
      seconds: (performance.now() - this.#began) / 1000,
      packets: Math.max(this.#packets, this.#ledger.total.received),
      dropped: this.#ledger.total.dropped,
      tubes: this.#ledger.tubes,
      holders: this.#pids.map(footprintOf),
    };
    this.#samples.push(sample);
    this.#onSample(sample);
  }

  /** How many bytes each side has in use. */
  #weigh(): Promise<number[]> {
    return Promise.all(
      this.#programs.map(async (program, side) => {
        this.#tell(side as Side, ['weigh']);
        for (;;) {
          const said = await program.hear<SoakSaid>();
          if (said[0] === 'weight') return said[1];
        }
      }),
    );
  }

  /** Descriptors of all of them. */
  #left(): string {
    return this.#pids.map((pid) => footprintOf(pid).descriptors).join(', ');
  }
}
