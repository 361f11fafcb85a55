/**
 * A worker: a domain in an OS process of its own that holds one share of the genome and finds reads in it.
 * `node worker.js <name> <domid of the master>`; it ends when its tube to the master closes.
 */
import { boot, ok } from '../../lib/index.js';
import * as navel from '../navel/navel.js';
import { PartSearch } from './search.js';
import { decodeReads, encodeHits, PieceCollector } from './wire.js';

/** After so many milliseconds of searching, ports and signals get a turn. */
const TURN = 20;

function makeExports(): navel.Exports {
  const pieces = new PieceCollector();
  let search: PartSearch | undefined;
  return {
    worker: {
      add_pieces: (_self, some) => pieces.add(some),
      build_index: (_self, maxMismatches, maxHits) => {
        search = new PartSearch(pieces.take(), {
          maxMismatches: Number(maxMismatches),
          maxHits: Number(maxHits),
        });
        return search.bytes;
      },
      search: async (_self, reads) => {
        if (search === undefined) throw new Error('there is no index yet');
        const hits = [];
        let turnEnds = performance.now() + TURN;
        for (const letters of decodeReads(reads)) {
          hits.push(search.search(letters));
          if (performance.now() < turnEnds) continue;
          await new Promise(setImmediate);
          turnEnds = performance.now() + TURN;
        }
        return encodeHits(hits);
      },
    },
  };
}

async function main(name: string, master: number): Promise<void> {
  // Ctrl-C in a terminal reaches all processes; the master says when to end.
  process.on('SIGINT', () => undefined);
  const domain = await boot({ name });
  await domain.run(async (self) => {
    ok(await navel.start(self, name, makeExports()));
    await navel.subscribe(self);
    const [tag, reason] = await navel.connect(self, master);
    if (tag === 'error') throw new Error(`no master: ${String(reason)}`);
    const isEnd = (message: unknown): message is unknown => (message as navel.NodeMessage)[0] === 'nodedown';
    await self.receive(isEnd);
  });
  await domain.stop();
}

const [name = '', master] = process.argv.slice(2);
main(name, Number(master)).catch((error: unknown) => {
  process.stderr.write(`${name}: ${(error as Error).message}\n`);
  // The domain may not have stopped; whatever is left of it must not keep this process.
  process.exit(1);
});
