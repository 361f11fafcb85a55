/**
 * LING's module `xenstore`. Every function answers `ok`, `{ok, _}` or `{error, Reason}`; reasons are the names of
 * Xenstore's errors in lower case (enoent, eacces, einval, eagain ...), `enotconn` when lingd is gone for good, and badarg.
 * Where another lingd takes the place of one that has ended, they answer later, and transactions `{error, eagain}`.
 *
 * Paths that do not begin with "/" are relative to /local/domain/<own domid>. Permissions are strings such as
 * "r24": r read, w write, b both, n none, then the domain; the first names the owner and everybody's default.
 * `tid` is what transaction() answered. What one process asks for is done in that order.
 */
import { types } from 'node:util';
import { type List, list } from '../actors/term.js';
import type { Self } from '../ports/self.js';
import type { XenstoreClient } from '../xen/xenstore/client.js';
import { checkSelf } from './check-self.js';
import { hypervisorOf } from './domain-runtime.js';
import * as gen_server from './gen-server.js';
import type { Done, Result } from './result.js';
import { beginTransaction, endTransaction } from './xenstore-transactions.js';

/** The value as text. */
export function read(self: Self, key: string, tid?: number): Promise<Result<string>> {
  if (!isPath(key) || !isTid(tid)) return badarg();
  return fetch(self, (client) => client.readString(key, tid));
}

/** As read, for a value that is a decimal integer; otherwise `{error, not_integer}`. */
export async function read_integer(self: Self, key: string, tid?: number): Promise<Result<number>> {
  const result = await read(self, key, tid);
  if (result[0] === 'error') return result;
  return /^[+-]?\d+$/.test(result[1]) ? ['ok', Number(result[1])] : ['error', 'not_integer'];
}

/** Sets the value, text, bytes or an integer; makes the node and its parents where missing. */
export function write(
  self: Self,
  key: string,
  value: string | Uint8Array | number | bigint,
  tid?: number,
): Promise<Done> {
  const content = contentOf(value);
  if (!isPath(key) || content === undefined || !isTid(tid)) return badarg();
  return change(self, (client) => client.write(key, content, tid));
}

/** The names of the nodes right below. LING calls it list; that is a term here. */
export function listNodes(self: Self, path: string, tid?: number): Promise<Result<List<string>>> {
  if (!isPath(path) || !isTid(tid)) return badarg();
  return fetch(self, async (client) => list(...(await client.directory(path, tid))));
}
export { listNodes as list };

export function mkdir(self: Self, path: string, tid?: number): Promise<Done> {
  if (!isPath(path) || !isTid(tid)) return badarg();
  return change(self, (client) => client.mkdir(path, tid));
}

/** Removes the node and all below it. */
function remove(self: Self, path: string, tid?: number): Promise<Done> {
  if (!isPath(path) || !isTid(tid)) return badarg();
  return change(self, (client) => client.rm(path, tid));
}

export { remove as delete };

export function get_perms(self: Self, path: string, tid?: number): Promise<Result<List<string>>> {
  if (!isPath(path) || !isTid(tid)) return badarg();
  return fetch(self, async (client) => list(...(await client.getPerms(path, tid))));
}

export function set_perms(self: Self, path: string, perms: readonly string[], tid?: number): Promise<Done> {
  const arePerms = Array.isArray(perms) && perms.every((perm) => typeof perm === 'string');
  if (!isPath(path) || !arePerms || !isTid(tid)) return badarg();
  return change(self, (client) => client.setPerms(path, perms, tid));
}

/**
 * Sends the caller `{watch, Path}` at once and for every change at or below the path, until unwatch or its death;
 * the path is relative where the one given is; once more for the path itself when there is another lingd. A path can be
 * watched once by each process: `{error, eexist}`.
 */
export function watch(self: Self, path: string): Promise<Done> {
  if (!isPath(path)) return badarg();
  return gen_server.call(self, WATCHES, ['watch', path], 'infinity') as Promise<Done>;
}

/** Ends a watch of the caller. Events that were delivered before stay in its mailbox. */
export function unwatch(self: Self, path: string): Promise<Done> {
  if (!isPath(path)) return badarg();
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
  if (tid === undefined || !isTid(tid)) return badarg();
  return change(self, (client) => endTransaction(client, tid, true));
}

export function rollback(self: Self, tid: number): Promise<Done> {
  if (tid === undefined || !isTid(tid)) return badarg();
  return change(self, (client) => endTransaction(client, tid, false));
}

/** The own domain's number, as Xenstore says it. */
export function domid(self: Self): Promise<Result<number>> {
  return read_integer(self, 'domid');
}

/** The name of the process that holds the watches of all others. */
export const WATCHES = 'xenstore';

async function badarg(): Promise<['error', string]> {
  return ['error', 'badarg'];
}

function isPath(path: unknown): path is string {
  return typeof path === 'string' && path !== '';
}

/** What a value is stored as; undefined for what is none. */
function contentOf(value: unknown): string | Uint8Array | undefined {
  // String alone would write a large number with an exponent.
  if (typeof value === 'bigint' || Number.isInteger(value)) return String(BigInt(value as number));
  return typeof value === 'string' || types.isUint8Array(value) ? value : undefined;
}

/** Of a transaction; without one there is none. */
function isTid(tid: unknown): boolean {
  return (
    tid === undefined || (Number.isInteger(tid) && (tid as number) >= 0 && (tid as number) <= 0xffff_ffff)
  );
}

async function change(self: Self, body: (client: XenstoreClient) => Promise<void>): Promise<Done> {
  const result = await fetch(self, body);
  return result[0] === 'ok' ? 'ok' : result;
}

async function fetch<T>(self: Self, body: (client: XenstoreClient) => Promise<T>): Promise<Result<T>> {
  checkSelf(self);
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
