/** One side of the soak: a domain that sends and receives through tubes, and is busy with other things at times. */
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { boot, type Pid } from '../../lib/index.js';
import { compute } from '../compute.js';
import type { Book } from '../soak/books.js';
import { acceptTubes, LANES, runLane, type Settings, type Side, type TubeReport } from '../soak/lane.js';
import { mixAll, Random } from '../soak/random.js';
import { argument, say } from './parent.js';

export interface SoakProgram extends Settings {
  readonly side: Side;
}

export type SoakTold = [what: 'begin', peer: number] | [what: 'stop'] | [what: 'weigh'];
/**
 * First the domid; of the progress how many packets have been received, every second; when it is to weigh, how many bytes are
 * in use that are no garbage.
 */
export type SoakSaid =
  | TubeReport
  | [what: 'domid', number]
  | [what: 'progress', received: number]
  | [what: 'weight', bytes: number];

/** In milliseconds. */
const PROGRESS = 1000;
const SETTLE = 100;
const LONGEST_STALL = 50;
const LONGEST_BETWEEN_STALLS = 1000;
/** For a machine that is busy with others. */
const PATIENCE = 60_000;

process.once('disconnect', () => process.exit());
void main();

async function main(): Promise<void> {
  const { side, rundir, ...settings } = argument<SoakProgram & { rundir: string }>();
  const domain = await boot({ rundir, tubeTimeout: PATIENCE });
  domain.on('crash', fail);
  domain.on('disconnected', fail);
  domain.on('stopped', fail);
  let isStopping = false;
  let received = 0;
  const books: (Book | undefined)[] = LANES.map(() => undefined);
  const tell = (said: SoakSaid): void => say(said);

  process.on('message', (told: SoakTold) => {
    if (told[0] === 'stop') isStopping = true;
    else if (told[0] === 'weigh') void weigh().then((bytes) => tell(['weight', bytes]));
    else begin(told[1]);
  });
  tell(['domid', domain.domid]);

  function begin(peer: number): void {
    const site = {
      side,
      peer,
      settings,
      isStopping: () => isStopping,
      say: tell,
      begin(book: Book): void {
        received += books[book.name.lane]?.received ?? 0;
        books[book.name.lane] = book;
      },
    };
    const lanes: Pid[] = LANES.map((lane) => domain.spawn((self) => runLane(self, lane, site)));
    domain.spawn((self) => acceptTubes(self, lanes));
    stallNowAndThen(new Random(mixAll(settings.seed, LANES.length, side)));
    setInterval(() => {
      tell(['progress', books.reduce((sum, book) => sum + (book?.received ?? 0), received)]);
    }, PROGRESS);
  }
}

function stallNowAndThen(random: Random): void {
  setTimeout(
    () => {
      compute(random.between(1, LONGEST_STALL));
      stallNowAndThen(random);
    },
    random.between(1, LONGEST_BETWEEN_STALLS),
  );
}

/** What a collection has found to be garbage gives its memory back in later turns, and may be what keeps other memory. */
async function weigh(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let bytes = Number.POSITIVE_INFINITY;
  for (;;) {
    collect();
    await sleep(SETTLE);
    const { heapUsed, external } = process.memoryUsage();
    if (heapUsed + external >= bytes) return bytes;
    bytes = heapUsed + external;
  }
}

function fail(why: unknown): never {
  process.stderr.write(`${why}\n`);
  process.exit(1);
}
