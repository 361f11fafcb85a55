/**
 * The supervision tree of a domain. Processes of its programs are not under it.
 *
 *     ling_sup  one_for_one
 *     |-- xenstore                the watches of all processes
 *     |-- tube_sup  one_for_all
 *     |   |-- tube_keepers  simple_one_for_one
 *     |   |   `-- a keeper for each tube
 *     |   `-- tube_server
 *     `-- tube_report             tells of the tubes, when it is asked
 *
 * The table of watches belongs to ling_sup, so that a new `xenstore` goes on with it and nobody notices. What
 * tube_server knows is told by its callers and keepers: when it crashes, the keepers first close all tubes and remove
 * what is theirs from Xenstore, and then a new one begins with none.
 */
import { isTuple } from '../actors/term.js';
import type { Self } from '../ports/self.js';
import * as gen_server from './gen-server.js';
import { ok } from './result.js';
import * as supervisor from './supervisor.js';
import { TUBE_KEEPERS, tubeKeepers } from './tube-keepers.js';
import { TUBE_REPORT, tubeReport } from './tube-report.js';
import { TUBE_SERVER, type TubeServerOptions, tubeServer } from './tube-server.js';
import { WATCHES } from './xenstore.js';
import { type WatchTable, xenstoreWatches } from './xenstore-watches.js';

/** The names of the supervisors: of all, and of what tubes need. */
export const LING_SUP = 'ling_sup';
export const TUBE_SUP = 'tube_sup';

/** So many crashes in so many seconds heal; one more is the end of the supervisor that counts them. */
const HEALS = { intensity: 3, period: 10 } as const;

/**
 * What OTP's application master does: starts the tree, calls back when all of it has started, and answers why it has
 * ended.
 */
export async function runTree(
  self: Self,
  options: TubeServerOptions,
  onStarted: () => void,
): Promise<unknown> {
  self.process_flag('trap_exit', true);
  const top = ok(await supervisor.start_link(self, lingSup, options, { name: LING_SUP }));
  onStarted();
  const isEnd = (message: unknown): message is ['EXIT', typeof top, unknown] =>
    isTuple(message) && message[0] === 'EXIT' && message[1] === top;
  const [, , reason] = await self.receive(isEnd);
  return reason;
}

const lingSup: supervisor.Behaviour<TubeServerOptions> = {
  init(options) {
    const watches: WatchTable = new Map();
    return [
      'ok',
      [
        { strategy: 'one_for_one', ...HEALS },
        [
          {
            id: WATCHES,
            start: (self) => gen_server.start_link(self, xenstoreWatches, watches, { name: WATCHES }),
          },
          {
            id: TUBE_SUP,
            type: 'supervisor',
            start: (self) => supervisor.start_link(self, tubeSup, options, { name: TUBE_SUP }),
          },
          {
            id: TUBE_REPORT,
            start: (self) => gen_server.start_link(self, tubeReport, undefined, { name: TUBE_REPORT }),
          },
        ],
      ],
    ];
  },
};

const tubeSup: supervisor.Behaviour<TubeServerOptions> = {
  init: (options) => [
    'ok',
    [
      { strategy: 'one_for_all', ...HEALS },
      [
        {
          id: TUBE_KEEPERS,
          type: 'supervisor',
          async start(self) {
            // When tube_sup is killed, its keepers close their tubes before they end.
            await endOf(self, TUBE_KEEPERS);
            return supervisor.start_link(self, tubeKeepers, undefined, { name: TUBE_KEEPERS });
          },
        },
        {
          id: TUBE_SERVER,
          start: (self) => gen_server.start_link(self, tubeServer, options, { name: TUBE_SERVER }),
        },
      ],
    ],
  ],
};

/** Waits until nobody has the name. */
async function endOf(self: Self, name: string): Promise<void> {
  const ref = self.monitor('process', name);
  await self.receive((message): message is unknown => isTuple(message) && message[1] === ref);
}
