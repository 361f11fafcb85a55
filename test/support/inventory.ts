import fs from 'node:fs';
import path from 'node:path';
import type { Domain } from 'ling-tubes';
import type { XenstoreClient } from '#xen/xenstore/client';
import { XS_CONTROL } from '#xen/xenstore/wire';
import { type Box, connectClient } from './box';
import { changesSince, descriptorsOf, holdings, processesWith, tubeMappings } from './residue';

/**
 * What those who live in a box have: this OS process with some of the domains, lingd, and everybody in the Xenstore. Who is
 * killed must not leave a difference.
 */
export class Inventory {
  readonly #box: Box;
  readonly #domains: readonly Domain[];
  readonly #held = holdings();

  constructor(box: Box, domains: readonly Domain[]) {
    this.#box = box;
    this.#domains = domains;
  }

  async count(): Promise<object> {
    const { rundir } = this.#box;
    const lingds = processesWith(rundir);
    const here = {
      // Whoever has started lingd has it as a child.
      changes: changesSince(this.#held).filter((change) => !lingds.some((pid) => change === `child ${pid}`)),
      domains: this.#domains.map(({ runtime }) => ({
        processes: runtime.processes().length,
        ports: runtime.openPorts.size,
      })),
      files: fs.readdirSync(rundir).sort(),
    };
    const { client, close } = connectClient(path.join(rundir, 'socket'));
    try {
      const { connections } = await ask<{ connections: number }>(client, 'status');
      return {
        ...here,
        connections,
        lingds: lingds.map((pid) => ({
          descriptors: descriptorsOf(pid).filter((target) => IS_OF_TUBES.test(target)),
          // Those that are no connections: doorbells, and where it listens.
          sockets: countSockets(pid) - connections,
          mappings: tubeMappings(pid),
        })),
        nodes: withoutInviters(await nodes(client)),
        usage: await usage(client),
      };
    } finally {
      await close();
    }
  }
}

/** But for the first three descriptors, which are those of who has started it. */
function countSockets(pid: number): number {
  const isSocket = (fd: string): boolean => {
    try {
      return fs.readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:');
    } catch {
      return false;
    }
  };
  return fs.readdirSync(`/proc/${pid}/fd`).filter((fd) => Number(fd) > 2 && isSocket(fd)).length;
}

/** The others depend on how a lingd was started; its connections are counted as such. */
const IS_OF_TUBES = /memfd:|^anon_inode:/;

/** The paths of all nodes of domains; in a transaction, so that nothing goes while it is looked at. */
function nodes(client: XenstoreClient): Promise<string[]> {
  return client.transaction(async (tx) => {
    const found: string[] = [];
    const visit = async (at: string): Promise<void> => {
      found.push(at);
      for (const name of await client.directory(at, tx)) await visit(`${at}/${name}`);
    };
    await visit('/local/domain');
    return found;
  });
}

/** The directory of all tubes that a domain has opened to another is the opener's, and stays as long as that lives. */
function withoutInviters(paths: readonly string[]): string[] {
  const all = new Set(paths);
  return paths.filter((each) => {
    const [, opener] = /\/tip\/(\d+)$/.exec(each) ?? [];
    return opener === undefined || !all.has(`/local/domain/${opener}`);
  });
}

/** What each domain has of lingd's. */
async function usage(client: XenstoreClient): Promise<Record<number, object>> {
  const found: Record<number, object> = {};
  for (let last = 0; ; ) {
    const page = await ask<Usage[]>(client, 'status', 'domains', `${last}`);
    for (const { domid, watches, transactions, grants, channels } of page)
      found[domid] = { watches, transactions, grants, channels };
    if (page.length === 0) return found;
    last = (page.at(-1) as Usage).domid;
  }
}

type Usage = Readonly<Record<'domid' | 'watches' | 'transactions' | 'grants' | 'channels', number>>;

async function ask<T>(client: XenstoreClient, ...words: string[]): Promise<T> {
  const { payload } = await client.request(
    XS_CONTROL,
    Buffer.from(words.map((word) => `${word}\0`).join('')),
  );
  return JSON.parse(payload.toString('latin1').replace(/\0$/, ''));
}
