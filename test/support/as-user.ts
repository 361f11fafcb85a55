/** Other users of this box, which only root can be. */
import fs from 'node:fs';
import path from 'node:path';

/** Ids that no account of the box need have. */
export const USERS = { owner: 12345, allowed: 12346, refused: 12347, full: 12348 } as const;

/**
 * Does that as a user: the operating system goes by the effective ids, which are kept with a connection that is made. For
 * the whole OS process, so nothing else can come in between.
 */
export function asUser<T>(uid: number, act: () => T): T {
  process.setegid?.(uid);
  process.seteuid?.(uid);
  try {
    return act();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}

/**
 * Throws where there can be no other users. A user namespace with only its maker in it would not do: in a box without root
 * these tests fail, and say why, and those of one user alone are elsewhere.
 */
export function assertOtherUsers(): void {
  if (process.geteuid?.() !== 0)
    throw new Error(
      'only root can be several users: run this as root, or below `unshare --map-root-user --map-auto`',
    );
  const built = path.join(__dirname, '../../dist/bin/lingd.js');
  try {
    asUser(USERS.owner, () => fs.closeSync(fs.openSync(built, 'r')));
  } catch (error) {
    throw new Error(`other users have to be able to read ${built}: put the checkout where they can`, {
      cause: error,
    });
  }
}
