/** Coverage-guided fuzzing: inputs that reach something new are kept, and changed further. */
import type { Coverage } from './coverage';
import { type Aids, mutate } from './mutations';
import type { Random } from './random';

export interface Target {
  /** What the files that it is about begin with, without the folder of compiled files. */
  readonly watches: readonly string[];
  /** What inputs often have in them; text as Latin-1. */
  readonly dictionary: readonly (string | Uint8Array)[];
  /** Inputs to begin with, if there is no corpus. */
  readonly seeds: readonly (string | Uint8Array)[];
  /** Throws when something is wrong, and with any input whatever then only. */
  run(input: Buffer): unknown;
}

/** An input with which something is wrong. */
export class Finding extends Error {
  constructor(
    readonly input: Buffer,
    cause: unknown,
  ) {
    super('something is wrong', { cause });
  }
}

/** The longest input, in bytes. */
export const MOST_BYTES = 1024;

/** How many shorter inputs to try in the place of a new one. */
const MOST_TRIES = 200;
/** Half of all mutants are of the latest so many. */
const LATEST = 16;

export class Fuzzer {
  executions = 0;
  /** In milliseconds. */
  slowest = 0;
  readonly #target: Target;
  readonly #coverage: Coverage;
  readonly #random: Random;
  readonly #aids: Aids;
  readonly #before: (input: Buffer) => void;
  readonly #corpus: Buffer[] = [Buffer.alloc(0)];

  /** `before` is told of every input before it is executed, which may be the last that anybody hears. */
  constructor(target: Target, coverage: Coverage, random: Random, before: (input: Buffer) => void) {
    this.#target = target;
    this.#coverage = coverage;
    this.#random = random;
    this.#before = before;
    const dictionary = target.dictionary.map(toBuffer);
    this.#aids = { random, dictionary, mostBytes: MOST_BYTES };
  }

  get corpus(): readonly Buffer[] {
    return this.#corpus;
  }

  /** Executes all, and keeps them. */
  async replay(inputs: Iterable<string | Uint8Array>): Promise<void> {
    for (const input of inputs) {
      const bytes = toBuffer(input);
      await this.execute(bytes);
      this.#coverage.note(this.#coverage.take());
      this.#corpus.push(bytes);
    }
  }

  /** Makes new inputs and executes them for so many milliseconds. Throws a {@link Finding}. */
  async fuzz(milliseconds: number): Promise<void> {
    const end = performance.now() + milliseconds;
    while (performance.now() < end) await this.#consider(mutate(this.#pick(), this.#pick(), this.#aids));
  }

  /** Throws a {@link Finding}. */
  async execute(input: Buffer): Promise<void> {
    this.#before(input);
    this.executions++;
    const start = performance.now();
    try {
      const result = this.#target.run(Buffer.from(input));
      if (result instanceof Promise) await result;
    } catch (error) {
      throw new Finding(input, error);
    }
    this.slowest = Math.max(this.slowest, performance.now() - start);
  }

  /** So few and short inputs of the corpus that they reach together what all of it does. */
  async minimise(): Promise<Buffer[]> {
    const covered = new Set<number>();
    const needed: Buffer[] = [];
    for (const input of [...this.#corpus].sort((a, b) => a.length - b.length)) {
      await this.execute(input);
      const features = this.#coverage.take();
      if (features.every((feature) => covered.has(feature))) continue;
      for (const feature of features) covered.add(feature);
      needed.push(input);
    }
    return needed;
  }

  async #consider(input: Buffer): Promise<void> {
    await this.execute(input);
    const news = this.#coverage.take(true);
    if (news.length === 0) return;
    const short = await this.#shorten(input, news);
    this.#coverage.note(news);
    this.#corpus.push(Buffer.from(short));
  }

  /** Leaves out what is not needed to reach that. */
  async #shorten(input: Buffer, features: readonly number[]): Promise<Buffer> {
    let best = input;
    let tries = 0;
    for (let size = best.length >> 1; size >= 1; size >>= 1) {
      for (let start = 0; start < best.length && tries < MOST_TRIES; tries++) {
        const candidate = Buffer.concat([best.subarray(0, start), best.subarray(start + size)]);
        await this.execute(candidate);
        const reached = new Set(this.#coverage.take());
        if (features.every((feature) => reached.has(feature))) best = candidate;
        else start += size;
      }
    }
    return best;
  }

  #pick(): Buffer {
    const { length } = this.#corpus;
    const isLate = this.#random.below(2) === 0;
    return this.#corpus[length - 1 - this.#random.below(isLate ? Math.min(LATEST, length) : length)]!;
  }
}

function toBuffer(input: string | Uint8Array): Buffer {
  return typeof input === 'string' ? Buffer.from(input, 'latin1') : Buffer.from(input);
}
