/** What istanbul counts of one file: statements, functions and branches by their numbers. */
interface FileCounts {
  readonly path: string;
  s: ArrayLike<number>;
  f: ArrayLike<number>;
  readonly b: Record<string, ArrayLike<number>>;
}

declare global {
  var __coverage__: Record<string, FileCounts> | undefined;
}

/** Of so many things so many were reached. */
export type Share = readonly [reached: number, all: number];

/** Once, twice, from 4 times on, from 16 times on: how often something was reached matters as little as this. */
const FREQUENCIES = 4;

/**
 * What is reached of some files, whose counters are put into one piece of memory so that they are quickly looked through.
 * A feature is a number that says that something was reached, and how often.
 */
export class Coverage {
  readonly #counts: Int32Array;
  /** The frequencies that were seen of each, a bit each. */
  readonly #seen: Uint8Array;
  /** Where the statements are; all else are functions and branches. */
  readonly #isStatement: Uint8Array;

  /** Of files whose names begin so, seen from the folder of compiled files or from here. They have to be loaded. */
  constructor(watches: readonly string[]) {
    const names = watches.flatMap((name) => [`/dist/${name}`, `/test/fuzz/${name}`]);
    const files = Object.values(globalThis.__coverage__ ?? {}).filter(({ path }) =>
      names.some((name) => path.includes(name)),
    );
    const groups = files.flatMap((file) => [file.s, file.f, ...Object.values(file.b)]);
    const size = groups.reduce((sum, group) => sum + Object.keys(group).length, 0);
    if (size === 0) throw new Error(`there is nothing to reach in ${watches.join(', ')}`);
    this.#counts = new Int32Array(size);
    this.#seen = new Uint8Array(size);
    this.#isStatement = new Uint8Array(size);
    let end = 0;
    const move = (group: ArrayLike<number>, isStatement = 0): Int32Array => {
      const start = end;
      // What loading it has reached counts, or top-level code would look like dead code.
      for (const count of Object.values(group) as number[]) {
        this.#seen[end] = count > 0 ? 1 : 0;
        this.#isStatement[end++] = isStatement;
      }
      return this.#counts.subarray(start, end);
    };
    for (const file of files) {
      file.s = move(file.s, 1);
      file.f = move(file.f);
      for (const id of Object.keys(file.b)) file.b[id] = move(file.b[id]!);
    }
  }

  /** The features since the last call of this or the next; `isNew`: only those that {@link note} has not been told of. */
  take(isNew = false): number[] {
    const features: number[] = [];
    for (let i = 0; i < this.#counts.length; i++) {
      const count = this.#counts[i]!;
      if (count === 0) continue;
      this.#counts[i] = 0;
      const frequency = count < 4 ? count >> 1 : count < 16 ? 2 : 3;
      if (!isNew || (this.#seen[i]! & (1 << frequency)) === 0) features.push(i * FREQUENCIES + frequency);
    }
    return features;
  }

  /** These have been reached. */
  note(features: readonly number[]): void {
    for (const feature of features)
      this.#seen[Math.floor(feature / FREQUENCIES)]! |= 1 << (feature % FREQUENCIES);
  }

  get statements(): Share {
    return this.#share(1);
  }

  get branches(): Share {
    return this.#share(0);
  }

  #share(isStatement: number): Share {
    let reached = 0;
    let all = 0;
    for (const [i, seen] of this.#seen.entries()) {
      if (this.#isStatement[i] !== isStatement) continue;
      all++;
      if (seen !== 0) reached++;
    }
    return [reached, all];
  }
}
