/** What a transport has to be able to do to be compared: four small programs, the sides of streams and of round trips. */
import type { Peer } from './peer.js';
import type { Load, Sink, Source } from './stream.js';

export interface Rival {
  readonly name: string;
  /** What whoever picks it gets, in a few words. */
  readonly guarantees: string;
  /**
   * Of one that joins whoever starts something to what it has started, and nobody else: what that is. Without it, each
   * side is an OS process of its own, and they can have several links.
   */
  readonly beside?: 'thread' | 'child';
  /** Sends what the source fills: without a rate, as fast as can be without loss; with one, what finds no room is dropped. */
  send(place: Place, source: Source, load: Load): Promise<void>;
  /** Gives the sink every packet, until it has enough. */
  receive(place: Place, sink: Sink, load: Load): Promise<void>;
  /** Sends one packet after the other, each when the answer to the last has come and `pause` ms have passed. */
  ask(place: Place, trips: Trips): Promise<number[]>;
  /** Sends back every packet that comes, until the other side has gone. */
  answer(place: Place): Promise<void>;
}

/** Where one link of a program is. */
export interface Place {
  readonly rundir: string;
  /** Of a socket that may be made there. */
  readonly path: string;
  /** Different for every link between the same two sides. */
  readonly link: number;
  /** What the other side has said: only for those who begin, send and ask. */
  readonly address: unknown;
  /** Tells the other side where to go. */
  listening(address: unknown): void;
  /** The other side, of one that is beside it. */
  readonly peer: Peer | undefined;
}

export interface Trips extends Pace {
  readonly bytes: number;
}

export interface Pace {
  readonly count: number;
  readonly warmUp: number;
  /** In milliseconds; 0: none. */
  readonly pause: number;
}

/** Times `trip` in nanoseconds, again and again; also for the `ask` of rivals. */
export async function timeTrips(
  { count, warmUp, pause }: Pace,
  trip: () => Promise<void>,
): Promise<number[]> {
  const times: number[] = [];
  for (let i = -warmUp; i < count; i++) {
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
    const began = process.hrtime.bigint();
    await trip();
    if (i >= 0) times.push(Number(process.hrtime.bigint() - began));
  }
  return times;
}
