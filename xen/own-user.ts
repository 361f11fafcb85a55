/** Whom this OS process runs as, by what the operating system goes by: effective ids. */

export function ownUid(): number {
  // Defined wherever there are users, so on Linux.
  return (process.geteuid as () => number)();
}

/** Whether that is this user or root: who can do everything anyway that this OS process can. */
export function isMaster(uid: number): boolean {
  return uid === 0 || uid === ownUid();
}
