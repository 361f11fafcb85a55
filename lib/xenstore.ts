/**
 * LING's module `xenstore`. Every function answers `ok`, `{ok, _}` or `{error, Reason}`; reasons are the names of
 * Xenstore's errors in lower case (enoent, eacces, einval, eagain ...), `enotconn` when lingd is gone for good, and badarg.
 * Where another lingd takes the place of one that has ended, they answer later, and transactions `{error, eagain}`.
 *
 * Paths that do not begin with "/" are relative to /local/domain/<own domid>. Permissions are strings such as
 * "r24": r read, w write, b both, n none, then the domain; the first names the owner and everybody's default.
 * `tid` is what transaction() answered. What one process asks for is done in that order.
 */
import { type List, list } from '../actors/term.js';
import type { Self } from '../ports/self.js';
import type { XenstoreClient } from '../xen/xenstore/client.js';
import { hypervisorOf } from './domain-runtime.js';
import * as gen_server from './gen-server.js';
import type { Done, Result } from './result.js';
import { beginTransaction, endTransaction } from './xenstore-transactions.js';

/** The value as text. */
export function read(self: Self, key: string, tid?: number): Promise<Result<string>> {
  if (!isPath(key)) return BADARG;
  return fetch(self, (client) => client.readString(key, tid));
}

/** As read, for a value that is a decimal integer; otherwise `{error, not_integer}`. */
export async function read_integer(self: Self, key: string, tid?: number): Promise<Result<number>> {
  const result = await read(self, key, tid);
  if (result[0] === 'error') return result;
  return /^[+-]?\d+$/.test(result[1]) ? ['ok', Number(result[1])] : ['error', 'not_integer'];
}

/** Sets the value, a string or an integer; makes the node and its parents where missing. */
export function write(
  self: Self,
  key: string,
  value: string | Uint8Array | number,
  tid?: number,
): Promise<Done> {
  const isValue = typeof value === 'string' || value instanceof Uint8Array || Number.isInteger(value);
  if (!isPath(key) || !isValue) return BADARG;
  return change(self, (client) => client.write(key, typeof value === 'number' ? String(value) : value, tid));
}

/** The names of the nodes right below. LING calls it list; that is a term here. */
export function listNodes(self: Self, path: string, tid?: number): Promise<Result<List<string>>> {
  if (!isPath(path)) return BADARG;
  return fetch(self, async (client) => list(...(await client.directory(path, tid))));
}
export { listNodes as list };

export function mkdir(self: Self, path: string, tid?: number): Promise<Done> {
  if (!isPath(path)) return BADARG;
  return change(self, (client) => client.mkdir(path, tid));
}

/** Removes the node and all below it. */
function remove(self: Self, path: string, tid?: number): Promise<Done> {
  if (!isPath(path)) return BADARG;
  return change(self, (client) => client.rm(path, tid));
}

export { remove as delete };

export function get_perms(self: Self, path: string, tid?: number): Promise<Result<List<string>>> {
  if (!isPath(path)) return BADARG;
  return fetch(self, async (client) => list(...(await client.getPerms(path, tid))));
}

export function set_perms(self: Self, path: string, perms: readonly string[], tid?: number): Promise<Done> {
  const arePerms = Array.isArray(perms) && perms.every((perm) => typeof perm === 'string');
  if (!isPath(path) || !arePerms) return BADARG;
  return change(self, (client) => client.setPerms(path, perms, tid));
}

/**
 * Sends the caller `{watch, Path}` at once and for every change at or below the path, until unwatch or its death;
 * the path is relative where the one given is; once more for the path itself when there is another lingd. A path can be
 * watched once by each process: `{error, eexist}`.
 */
export function watch(self: Self, path: string): Promise<Done> {
  if (!isPath(path)) return BADARG;
  return gen_server.call(self, WATCHES, ['watch', path], 'infinity') as Promise<Done>;
}

/** Ends a watch of the caller. Events that were delivered before stay in its mailbox. */
export function unwatch(self: Self, path: string): Promise<Done> {
  if (!isPath(path)) return BADARG;
  return gen_server.call(self, WATCHES, ['unwatch', path], 'infinity') as Promise<Done>;
}

/**
 * Begins a transaction. Changes made with its id happen together at commit, or not at all; the latter when this
 * process exits before.
 */
export function transaction(self: Self): Promise<Result<number>> {
  return fetch(self, (client) => beginTransaction(self, client));
}

/** `{error, eagain}` when somebody else changed what the transaction had touched: begin again. */
export function commit(self: Self, tid: number): Promise<Done> {
  return change(self, (client) => endTransaction(client, tid, true));
}

export function rollback(self: Self, tid: number): Promise<Done> {
  return change(self, (client) => endTransaction(client, tid, false));
}

/** The own domain's number, as Xenstore says it. */
export function domid(self: Self): Promise<Result<number>> {
  return read_integer(self, 'domid');
}

/** The name of the process that holds the watches of all others. */
export const WATCHES = 'xenstore';

const BADARG = Promise.resolve<['error', string]>(['error', 'badarg']);

function isPath(path: unknown): path is string {
  return typeof path === 'string' && path !== '';
}

async function change(self: Self, body: (client: XenstoreClient) => Promise<void>): Promise<Done> {
  const result = await fetch(self, body);
  return result[0] === 'ok' ? 'ok' : result;
}

async function fetch<T>(self: Self, body: (client: XenstoreClient) => Promise<T>): Promise<Result<T>> {
  // The process waits in a promise of its own, so that it can be killed while lingd works.
  const suspension = self.suspend<Result<T>>();
  body(hypervisorOf(self).xenstore).then(
    (value) => suspension.resolve(['ok', value]),
    (error: unknown) => {
      const { code } = error as NodeJS.ErrnoException;
      if (code) suspension.resolve(['error', code.toLowerCase()]);
      else suspension.reject(error);
    },
  );
  return suspension.promise;
}
