/**
 * An error of the Xenstore: `code` is the name that travels in an ERROR packet (`ENOENT`, `EACCES`, `EAGAIN` ...).
 *
 * Names this side does not know are kept as they came, so a newer daemon's error still says what it is.
 * Beyond those of the wire, a client uses `ECONNRESET` (the channel ended under the request) and `ENOTCONN`
 * (it had ended before).
 */
export class XenstoreError extends Error {
  override readonly name: string = 'XenstoreError';

  constructor(
    readonly code: string,
    message: string = describe(code),
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The error names clients of the C library know (xs_wire.h), with what each means here. */
export const ERROR_MEANINGS: Readonly<Record<string, string>> = {
  EINVAL: 'malformed request, path or permission',
  EACCES: 'permission denied',
  EEXIST: 'this watch is registered already',
  EISDIR: 'is a directory',
  ENOENT: 'no such node, watch, transaction or domain',
  EDQUOT: 'the user has as many as it may',
  ENOMEM: 'out of memory',
  ENOSPC: 'quota exceeded',
  EIO: 'input or output error',
  ENOTEMPTY: 'directory not empty',
  ENOSYS: 'no such request',
  EROFS: 'read-only store',
  EBUSY: 'a transaction within a transaction',
  EAGAIN: 'the transaction met a conflicting change; start it again',
  EISCONN: 'connected already',
  E2BIG: 'too big for one packet, or too many',
  EPERM: 'only domain 0 may do this',
};

function describe(code: string): string {
  const meaning = ERROR_MEANINGS[code];
  return meaning === undefined ? code : `${code}: ${meaning}`;
}
