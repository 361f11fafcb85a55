import {
  baseName,
  childPath,
  PATH_MAX,
  parentPath,
  resolvePath,
  resolveWatchPath,
  selfAndAncestors,
} from '#xen/xenstore/path';

const invalid = expect.objectContaining({ code: 'EINVAL' });

test.each([
  ['/', '/'],
  ['/a', '/a'],
  ['/a/b-c_D@9', '/a/b-c_D@9'],
  ['/@releaseDomain', '/@releaseDomain'],
  ['a/b', '/local/domain/5/a/b'],
  ['a@', '/local/domain/5/a@'],
])('domain 5 says %s and means %s', (text, path) => {
  expect(resolvePath(text, 5)).toBe(path);
  expect(resolveWatchPath(text, 5)).toBe(path);
});

test.each(['', '//', '/a/', 'a/', '/a//b', 'a//b', '/a.b', '/a b', '/ä', '/a\n', '/a\\b'])(
  '%j is no path',
  (text) => {
    expect(() => resolvePath(text, 5)).toThrow(invalid);
    expect(() => resolveWatchPath(text, 5)).toThrow(invalid);
  },
);

test.each(['@introduceDomain', '@releaseDomain', '@other', '@', '@a.b', '@a//b', '@a/'])(
  '%s can be watched but is no node',
  (text) => {
    expect(() => resolvePath(text, 0)).toThrow(invalid);
    expect(resolveWatchPath(text, 5)).toBe(text);
  },
);

describe('length', () => {
  for (const prefix of ['', '/', '/local/domain/7/', '/local/domain/65535/', '@']) {
    const counted = prefix.startsWith('/local') ? 0 : prefix.length;
    for (const length of [PATH_MAX - 1, PATH_MAX, PATH_MAX + 1]) {
      test(`${length} bytes from "${prefix}" on`, () => {
        const resolve = () => resolveWatchPath(prefix + 'x'.repeat(length - counted), 5);
        if (length <= PATH_MAX) expect(resolve()).toContain('xxx');
        else expect(resolve).toThrow(invalid);
      });
    }
  }
});

test.each([
  ['/', undefined, ''],
  ['/a', '/', 'a'],
  ['/a/b', '/a', 'b'],
  ['/a/b/c', '/a/b', 'c'],
])('%s has the parent %s, in which it is %s', (path, parent, name) => {
  expect(parentPath(path)).toBe(parent);
  expect(baseName(path)).toBe(name);
  if (parent !== undefined) expect(childPath(parent, name)).toBe(path);
});

test('from a node up to the root', () => {
  expect([...selfAndAncestors('/a/b/c')]).toEqual(['/a/b/c', '/a/b', '/a', '/']);
  expect([...selfAndAncestors('/')]).toEqual(['/']);
});
