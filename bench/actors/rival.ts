/** What has to be able to do what processes do, to be compared; each is measured in an OS process of its own. */

/** What is measured, and how often it is done in one go; docs/performance.md says what each is. */
export const BATCHES = {
  'ping-pong': 10_000,
  flood: 100_000,
  ring: 10_000,
  spawn: 10_000,
  'spawn-batch': 1000,
  'spawn-monitor': 10_000,
  select: 1000,
  'select-reference': 10_000,
  call: 10_000,
  'call-behind': 1000,
} as const;

export type Operation = keyof typeof BATCHES;

/** Does it so many times, and checks what comes back. */
export type Repeat = (count: number) => Promise<void>;

/** A rival in JavaScript. What has no meaning for it is missing. */
export interface Rival {
  readonly name: string;
  /** What whoever picks it gets, in a few words. */
  readonly guarantees: string;
  readonly operations: readonly Operation[];
  /** Prepares an operation, and has it measured. */
  operate<T>(operation: Operation, rundir: string, measure: (repeat: Repeat) => Promise<T>): Promise<T>;
  /** Has a population measured that nobody lives in yet. */
  populate<T>(rundir: string, measure: (population: Population) => Promise<T>): Promise<T>;
}

/** Many processes that only wait. */
export interface Population {
  /** Resolves when so many of them wait for a message. */
  start(count: number): Promise<void>;
  /** Resolves when each has been sent a message, and has answered it. */
  talk(): Promise<void>;
  /** Resolves when all have been told to end, and have. */
  end(): Promise<void>;
}

/** How often {@link Rival | a prepared operation} was done, and what it took in nanoseconds. */
export interface Operated {
  readonly elapsed: number;
  /** Of all threads. */
  readonly cpu: number;
  readonly count: number;
}

/** Of all together in nanoseconds, of one in bytes. */
export interface Populated {
  readonly start: number;
  readonly talk: number;
  readonly end: number;
  /** Of all threads, in the three of them. */
  readonly cpu: number;
  /** By how much the OS process has grown. */
  readonly rss: number;
  /** As the runtime itself says it. */
  readonly heap: number;
}
