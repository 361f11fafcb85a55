/** The supervisor of the keepers of all tubes: when it ends, each closes its tube and removes what is in Xenstore. */
import type { Pid } from '../actors/identifiers.js';
import type { Self } from '../ports/self.js';
import { ok } from './result.js';
import * as supervisor from './supervisor.js';

/** The name it is registered under. */
export const TUBE_KEEPERS = 'tube_keepers';

export const tubeKeepers: supervisor.Behaviour<undefined> = {
  init: () => [
    'ok',
    [
      { strategy: 'simple_one_for_one' },
      [
        {
          id: 'tube_keeper',
          restart: 'temporary',
          start: (self, body: (keeper: Self) => Promise<void>) => ['ok', self.spawn_link(body)],
        },
      ],
    ],
  ],
};

/** Starts a process under it. */
export async function startKeeper(self: Self, body: (keeper: Self) => Promise<void>): Promise<Pid> {
  return ok(await supervisor.start_child(self, TUBE_KEEPERS, [body])) as Pid;
}
