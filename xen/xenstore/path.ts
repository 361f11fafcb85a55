/**
 * Paths of Xenstore nodes: `/` or `/name/name`, names of letters, digits, `-`, `_` and `@`. A path without a leading
 * slash is relative to the home of the domain that says it, `/local/domain/<domid>`.
 */
import { XenstoreError } from './errors.js';

/** The longest path, in bytes, not counting a `/local/domain/<domid>/` in front. */
export const PATH_MAX = 2048;

export const INTRODUCE_DOMAIN = '@introduceDomain';
export const RELEASE_DOMAIN = '@releaseDomain';

export function homePath(domid: number): string {
  return `/local/domain/${domid}`;
}

/** The absolute path that `text` names when domain `domid` says it; `EINVAL` when it is none. */
export function resolvePath(text: string, domid: number): string {
  if (isSpecial(text)) throw new XenstoreError('EINVAL');
  const path = absolutePath(text, domid);
  if (!isWellFormed(text) || tooLong(path)) throw new XenstoreError('EINVAL');
  return path;
}

/** As {@link resolvePath}, but the name of an event such as `@releaseDomain` is a path too, whatever it is made of. */
export function resolveWatchPath(text: string, domid: number): string {
  if (!isSpecial(text)) return resolvePath(text, domid);
  if (tooLong(text)) throw new XenstoreError('EINVAL');
  return text;
}

/** What `text` stands for when domain `domid` says it, be it a path or not. */
export function absolutePath(text: string, domid: number): string {
  return isRelative(text) ? `${homePath(domid)}/${text}` : text;
}

/** Whether `text` names an event instead of a node. */
export function isSpecial(text: string): boolean {
  return text.startsWith('@');
}

export function isRelative(text: string): boolean {
  return !text.startsWith('/') && !isSpecial(text);
}

/** The path of the node that holds `path` among its children; undefined for `/`. */
export function parentPath(path: string): string | undefined {
  if (path === '/') return undefined;
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

/** The name of the node in its parent's list of children. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function childPath(path: string, name: string): string {
  return path === '/' ? `/${name}` : `${path}/${name}`;
}

/** `path`, its parent, and so on up to `/`. */
export function* selfAndAncestors(path: string): Generator<string> {
  for (let at: string | undefined = path; at !== undefined; at = parentPath(at)) yield at;
}

function isWellFormed(text: string): boolean {
  if (text === '/') return true;
  return /^[A-Za-z0-9\-/_@]+$/.test(text) && !text.includes('//') && !text.endsWith('/');
}

/** Both kinds of path get the same room: whoever can say a relative one can say it in full. */
function tooLong(path: string): boolean {
  const home = /^\/local\/domain\/\d{1,5}\//.exec(path)?.[0].length ?? 0;
  return path.length - home > PATH_MAX;
}
