/** Calls of tube_server. */
import type { Self } from '../ports/self.js';
import { checkSelf } from './check-self.js';
import { LING_SUP, TUBE_SUP } from './domain-tree.js';
import * as gen_server from './gen-server.js';
import * as supervisor from './supervisor.js';
import { TUBE_SERVER, type TubeCall } from './tube-server.js';

const server = gen_server.named<TubeCall>(TUBE_SERVER);

/** Asks it, and waits as long as that takes. When it has just crashed, the one that takes its place is asked. */
export async function callTubeServer<const Q extends gen_server.RequestOf<TubeCall>>(
  self: Self,
  request: Q,
): Promise<gen_server.ReplyTo<TubeCall, Q>> {
  checkSelf(self);
  for (const name of [LING_SUP, TUBE_SUP]) {
    const isMissing = self.whereis(TUBE_SERVER) === 'undefined' && self.whereis(name) !== 'undefined';
    // A supervisor answers when it has started again what has ended.
    if (isMissing) await supervisor.which_children(self, name);
  }
  return gen_server.call(self, server, request, 'infinity');
}
