/** Printing something again whenever it has changed. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { XenstoreClient } from '../../xen/xenstore/client.js';
import { trying } from '../cli/failure.js';
import { print } from '../cli/output.js';
import { Changes } from './changes.js';

export interface Followed {
  readonly store: XenstoreClient;
  /** A change at one of these or below is a reason to look again. */
  readonly paths: readonly string[];
  /** Not so a change for which this answers false. */
  readonly concerns?: (path: string) => boolean;
  /** Another reason is that so many milliseconds have gone by. */
  readonly every?: number;
  readonly json?: boolean | undefined;
}

/** Changes mostly come together: so many milliseconds pass between one look and the next. */
const PAUSE = 100;

/**
 * Prints what `draw` answers, and again whenever that is something else; does not end by itself. On a terminal it
 * stays in its place, as much of it as there are lines; elsewhere each follows the last, after an empty line unless it
 * is JSON.
 */
export async function follow(followed: Followed, draw: () => Promise<string>): Promise<never> {
  const changes = new Changes();
  await watchAll(followed, changes);
  const show = process.stdout.isTTY ? showInPlace : showBelow(followed.json ? '' : '\n');
  let shown: string | undefined;
  process.stdout.on('resize', () => {
    shown = undefined;
    changes.happen();
  });
  for (;;) {
    const drawn = await draw();
    if (drawn !== shown) show(drawn);
    shown = drawn;
    await sleep(PAUSE);
    await changes.next(followed.every);
  }
}

async function watchAll({ store, paths, concerns = () => true }: Followed, changes: Changes): Promise<void> {
  for (const path of paths) {
    const onChange = (changed: string): void => {
      if (concerns(changed)) changes.happen();
    };
    await trying(`cannot watch ${path}`, store.watch(path, onChange));
  }
}

/** Meanwhile lines that are too long are cut, not wrapped. */
function showInPlace(text: string): void {
  const lines = text.split('\n').slice(0, process.stdout.rows || undefined);
  print(`\x1b[?7l\x1b[H${lines.join('\x1b[K\n')}\x1b[J\x1b[?7h`);
}

function showBelow(separator: string): (text: string) => void {
  let isFirst = true;
  return (text) => {
    print(isFirst ? text : separator + text);
    isFirst = false;
  };
}
