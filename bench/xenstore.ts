/** `npm run bench:xenstore`: lingd's Xenstore beside Xen's xenstored and Debian's tools; see docs/performance.md. */
import { benchmark } from './benchmark.js';
import { commands } from './xenstore/commands.js';
import { listing } from './xenstore/listing.js';
import { nodes } from './xenstore/nodes.js';
import { requests } from './xenstore/requests.js';
import { NOTES } from './xenstore/servers.js';
import { transactions } from './xenstore/transactions.js';
import { watches } from './xenstore/watches.js';

void benchmark({
  name: 'bench:xenstore',
  description:
    "Measures the Xenstore of lingd beside Xen's own, each server and each client in an OS process of its own.",
  questions: [requests, watches, transactions, nodes, listing, commands],
  notes: NOTES,
  rounds: 5,
});
