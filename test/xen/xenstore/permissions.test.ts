import { type Caller, Domains } from '#xen/xenstore/domains';
import {
  type Access,
  formatPermissions,
  inheritPermissions,
  OWNER,
  parsePermissions,
  READ,
  rightsOf,
  WRITE,
} from '#xen/xenstore/permissions';

const ACCESSES: Access[] = ['n', 'r', 'w', 'b'];
const GRANTED: Record<Access, number> = { n: 0, r: READ, w: WRITE, b: READ | WRITE };
const ALL = READ | WRITE | OWNER;

let domains: Domains;
const caller = (domid: number): Caller => ({ domain: domains.ensure(domid), privileged: domid === 0 });
const rights = (domid: number, ...entries: string[]) =>
  rightsOf(caller(domid), parsePermissions(entries, domains));

beforeEach(() => {
  domains = new Domains(() => false);
  for (const domid of [5, 6, 7]) domains.ensure(domid);
});

describe.each(ACCESSES)('%s', (access) => {
  test('as the first entry is for everybody else', () => {
    expect(rights(5, `${access}6`)).toBe(GRANTED[access]);
    expect(rights(6, `${access}6`)).toBe(ALL);
    expect(rights(0, `${access}6`)).toBe(ALL);
  });

  for (const other of ACCESSES) {
    test(`for one domain goes before ${other} for everybody, and before a later entry`, () => {
      expect(rights(5, `${other}6`, `${access}5`)).toBe(GRANTED[access]);
      expect(rights(5, `${other}6`, 'b7', `${access}5`, `${other}5`)).toBe(GRANTED[access]);
      expect(rights(7, `${other}6`, `${access}5`)).toBe(GRANTED[other]);
      expect(rights(6, `${other}6`, `${access}6`)).toBe(ALL);
    });
  }
});

test('a domain has the rights of its target too', () => {
  domains.ensure(5).target = domains.ensure(6);
  expect(rights(5, 'n6')).toBe(ALL);
  expect(rights(5, 'n7', 'r6')).toBe(READ);
  expect(rights(6, 'n5')).toBe(0);
});

test('an entry is for the domain that had the domid when it was made', () => {
  const before = parsePermissions(['n0', 'r5', 'b8'], domains);
  const first = caller(5);
  domains.forget(first.domain);
  const second = caller(5);
  expect(rightsOf(first, before)).toBe(READ);
  expect(rightsOf(second, before)).toBe(0);
  expect(rightsOf(caller(8), before)).toBe(0);
  expect(formatPermissions(before)).toEqual(['n0', 'r5', 'b8']);
  expect(rights(5, 'n0', 'r5')).toBe(READ);
  expect(rights(8, 'n0', 'b8')).toBe(READ | WRITE);
});

test.each([
  [['n5'], ['n5']],
  [
    ['n0', 'r5', 'w5', 'r5'],
    ['n0', 'r5', 'w5', 'r5'],
  ],
  [['n 0'], ['n0']],
  [
    ['n+5', 'r-1'],
    ['n5', 'r4294967295'],
  ],
  [['n4294967296'], ['n0']],
])('%j is read as %j', (entries, read) => {
  expect(formatPermissions(parsePermissions(entries, domains))).toEqual(read);
});

test.each([
  [[]],
  [['']],
  [['n']],
  [['5']],
  [['x5']],
  [['N5']],
  [['nn5']],
  [['n5x']],
  [['n5 ']],
  [['n5', '']],
])('%j is malformed', (entries) => {
  expect(() => parsePermissions(entries, domains)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
});

test('the owner has to exist', () => {
  expect(() => parsePermissions(['n9', 'r0'], domains)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
});

test('a new node has the list of its parent, but an unprivileged maker owns it', () => {
  const parent = parsePermissions(['r6', 'b5'], domains);
  expect(formatPermissions(inheritPermissions(caller(0), parent))).toEqual(['r6', 'b5']);
  expect(formatPermissions(inheritPermissions(caller(5), parent))).toEqual(['r5', 'b5']);
});
