/** Paths, permissions and numbers as requests say them: an error with a code, or what a second, naive reader reads. */
import assert from 'node:assert/strict';
import { parseInvitation } from '#xen/tube-handshake';
import { Domains } from '#xen/xenstore/domains';
import { XenstoreError } from '#xen/xenstore/errors';
import { leadingDomid, leadingNumber, wholeDomid } from '#xen/xenstore/number';
import {
  baseName,
  childPath,
  PATH_MAX,
  parentPath,
  resolvePath,
  resolveWatchPath,
  selfAndAncestors,
} from '#xen/xenstore/path';
import { formatPermissions, parsePermissions } from '#xen/xenstore/permissions';
import { wholeNumber } from '#xen/xenstore/quota';
import { recordPermissions, restorePermissions } from '#xen/xenstore/record';

export const watches = [
  'xen/xenstore/path',
  'xen/xenstore/permissions',
  'xen/xenstore/number',
  'xen/xenstore/record',
];

const LONG = 'x'.repeat(200);

export const seeds = [
  ...['/', '/a/b-c_D@9', 'data/tip/5/1/nock', '@releaseDomain', '/local/domain/5/data', 'n5,r0,b7', '-n5'],
  ...['0x1f', ' +12', '-1', '0777', '4294967296', `/${`${LONG}/`.repeat(4)}x`],
];

export const dictionary = [
  ...['/', '//', '@', '-', '_', '.', '\0', '\n', ' ', '\t', '+', '-', '0', '0x', '08', ','],
  ...['/local/domain/', '/local/domain/65535/', 'data/tip/', '/nock', '@introduceDomain', '@releaseDomain'],
  ...['n0', 'r5', 'w1', 'b65535', '-n1', '4294967295', '9223372036854775808', '-9223372036854775809', LONG],
];

const DOMIDS = [0, 5, 0x7fef, 0xffff_ffff];
const domains = new Domains((domid) => domid < 10);

export function run(input: Buffer): void {
  // Long ones are of one letter mostly: a byte above Latin-1's letters repeats the one before it.
  const text = input.toString('latin1').replace(/(.)\xff/gs, (_, letter: string) => letter.repeat(40));
  for (const domid of DOMIDS) checkPath(text, domid);
  checkNumbers(text);
  checkPermissions(text.split(','));
  const invitation = parseInvitation(text);
  if (invitation) assert.equal(text, `data/tip/${invitation.opener}/${invitation.tid}/nock`);
}

function checkPath(text: string, domid: number): void {
  const path = outcome(() => resolvePath(text, domid));
  assert.equal(path, naivePath(text, domid));
  const watched = outcome(() => resolveWatchPath(text, domid));
  assert.equal(watched, text.startsWith('@') && text.length <= PATH_MAX ? text : path);
  if (path === 'EINVAL') return;
  // Who says in full what it is gets the same, whoever it is.
  assert.equal(resolvePath(path, 0), path);
  const parent = parentPath(path);
  if (parent !== undefined) assert.equal(childPath(parent, baseName(path)), path);
  const ancestors = [...selfAndAncestors(path)];
  assert.equal(ancestors.at(-1), '/');
  assert.equal(ancestors.length, path === '/' ? 1 : path.split('/').length);
}

/** Name by name, letter by letter. */
function naivePath(text: string, domid: number): string {
  if (text.startsWith('@')) return 'EINVAL';
  const path = text.startsWith('/') ? text : `/local/domain/${domid}/${text}`;
  const names = text === '/' ? [] : text.slice(text.startsWith('/') ? 1 : 0).split('/');
  const letters = '-_@0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  if (!names.every((name) => name !== '' && [...name].every((letter) => letters.includes(letter))))
    return 'EINVAL';
  const [, local, domain, number = '', ...rest] = path.split('/');
  const isHome = local === 'local' && domain === 'domain' && /^[0-9]{1,5}$/.test(number) && rest.length > 0;
  return (isHome ? rest.join('/') : path).length > PATH_MAX ? 'EINVAL' : path;
}

function checkNumbers(text: string): void {
  const number = leadingNumber(text);
  assert.equal(number, number | 0);
  assert.equal(leadingDomid(text), number >>> 0);
  const whole = wholeDomid(text);
  if (whole !== undefined) assert.equal(whole, whole >>> 0);
  if (/^[1-9]\d{0,8}$/.test(text)) {
    assert.equal(number, Number(text));
    assert.equal(whole, Number(text));
    assert.equal(wholeNumber(text), Number(text));
  }
}

function checkPermissions(entries: readonly string[]): void {
  const listed = outcome(() => formatPermissions(parsePermissions(entries, domains)).join());
  if (listed !== 'EINVAL' && listed !== 'ENOENT') {
    const parsed = parsePermissions(listed.split(','), domains);
    assert.equal(formatPermissions(parsed).join(), listed);
    assert.deepEqual(
      entries.map((entry) => entry[0]),
      parsed.map(({ access }) => access),
    );
    const isWritable = parsed.every(({ domid }) => domid <= 99_999);
    if (isWritable) assert.deepEqual(restorePermissions(recordPermissions(parsed), domains), parsed);
  }
  const restored = outcome(() => recordPermissions(restorePermissions(entries, domains)).join());
  if (restored !== 'EINVAL') assert.equal(restored.split(',').length, entries.length);
}

/** What it answers, or the code of its error. */
function outcome(action: () => string): string {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof XenstoreError)) throw error;
    assert(error.code === 'EINVAL' || error.code === 'ENOENT');
    return error.code;
  }
}
