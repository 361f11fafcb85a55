/** Asking a domain about its tubes. */
import { randomUUID } from 'node:crypto';
import type { Domid } from '../../xen/hypervisor.js';
import { askPath, fromPage, type TubeReport } from '../../xen/tube-report.js';
import type { XenstoreClient } from '../../xen/xenstore/client.js';
import { homePath, parentPath } from '../../xen/xenstore/path.js';
import { unlessMissing } from '../cli/failure.js';
import { Changes } from './changes.js';

/** How long a domain may take, in milliseconds. One that is stopped or not of this package never answers. */
const PATIENCE = 1000;
/** More than any domain may have nodes. */
const MOST_PAGES = 1000;

/** What a domain says of its tubes; undefined when it does not answer. Nothing of it stays in Xenstore. */
export async function askAboutTubes(
  store: XenstoreClient,
  domid: Domid,
): Promise<readonly TubeReport[] | undefined> {
  const question = askPath(domid, randomUUID());
  try {
    const pages = await ask(store, domid, question);
    if (pages === undefined || !(pages <= MOST_PAGES)) return undefined;
    const numbers = Array.from({ length: pages }, (_, i) => i);
    const texts = await Promise.all(numbers.map((number) => store.readString(`${question}/${number}`)));
    return texts.flatMap(fromPage);
  } catch (error) {
    return unlessMissing(error);
  } finally {
    await removeQuestion(store, question).catch(unlessMissing);
  }
}

/** Asks, and waits for the last word of the answer: the number of pages. */
async function ask(store: XenstoreClient, domid: Domid, question: string): Promise<number | undefined> {
  const changes = new Changes();
  const watch = await store.watch(question, () => changes.happen());
  const deadline = performance.now() + PATIENCE;
  try {
    await store.transaction(async (tx) => {
      // Nothing is made in the home of a domain that has ended.
      await store.read(`${homePath(domid)}/domid`, tx);
      await store.mkdir(question, tx);
    });
    for (;;) {
      const text = await store.readString(question);
      if (text !== '') return Number(text);
      const left = deadline - performance.now();
      if (left <= 0) return undefined;
      await changes.next(left);
    }
  } finally {
    await watch.unwatch();
  }
}

/** With the directory of questions, if that was the only one. */
async function removeQuestion(store: XenstoreClient, question: string): Promise<void> {
  const all = parentPath(question) as string;
  await store.transaction(async (tx) => {
    await store.rm(question, tx);
    if ((await store.directory(all, tx)).length === 0) await store.rm(all, tx);
  });
}
