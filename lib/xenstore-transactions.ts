/** The transactions of processes: those of one that exits are rolled back, as a domain may have only so many. */
import { ExitObserver } from '../actors/exit-observer.js';
import type { Self } from '../ports/self.js';
import type { XenstoreClient } from '../xen/xenstore/client.js';

/** Who watches over each open transaction. */
const owners = new WeakMap<XenstoreClient, Map<number, ExitObserver>>();

export async function beginTransaction(self: Self, client: XenstoreClient): Promise<number> {
  const tx = await client.transactionStart();
  // It may have exited meanwhile: then this calls back at once.
  const owner = new ExitObserver(self.runtime, self.pid, () => {
    ownersOf(client).delete(tx);
    // Without the channel it is gone already.
    client.transactionEnd(tx, false).catch(() => undefined);
  });
  if (self.isAlive) ownersOf(client).set(tx, owner);
  return tx;
}

/** Anybody may. */
export async function endTransaction(client: XenstoreClient, tx: number, commit: boolean): Promise<void> {
  ownersOf(client).get(tx)?.cancel();
  ownersOf(client).delete(tx);
  await client.transactionEnd(tx, commit);
}

function ownersOf(client: XenstoreClient): Map<number, ExitObserver> {
  const known = owners.get(client) ?? new Map<number, ExitObserver>();
  owners.set(client, known);
  return known;
}
