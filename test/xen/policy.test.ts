import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { PolicyError, readPolicy } from '#xen/lingd/policy';

const own = process.geteuid?.() as number;
const NO_LIMIT = Number.POSITIVE_INFINITY;
const GENEROUS = { domains: 256, grants: 262_144, channels: 16_384, descriptors: 16_384 };

let directory: string;
let file: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'lt-policy-'));
  file = path.join(directory, 'policy.json');
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

function write(policy: unknown): void {
  const text = typeof policy === 'string' ? policy : JSON.stringify(policy);
  fs.writeFileSync(file, text, { mode: 0o644 });
}

describe('a policy', () => {
  test('of nobody lets in nobody but its own user and root, who have no limits', () => {
    write({ users: {} });
    const policy = readPolicy(file);
    expect(policy.admitsOthers).toBe(false);
    for (const uid of [own, 0])
      expect(policy.limitsOf(uid)).toMatchObject({ domains: NO_LIMIT, burst: NO_LIMIT });
    expect(policy.limitsOf(4711)).toMatchObject({ domains: 0, grants: 0, channels: 0, descriptors: 0 });
  });

  test.each([
    ['a number', { 4711: {} }, { ...GENEROUS, messages: NO_LIMIT, burst: NO_LIMIT }],
    ['a name', { nobody: { domains: 3 } }, { ...GENEROUS, domains: 3, messages: NO_LIMIT, burst: NO_LIMIT }],
    ['all others', { '*': { grants: 0, channels: 1 } }, { ...GENEROUS, grants: 0, channels: 1 }],
    ['a rate', { 4711: { messages: 7 } }, { ...GENEROUS, messages: 7, burst: 7 }],
    ['a rate and a burst', { 4711: { messages: 7, burst: 100 } }, { ...GENEROUS, messages: 7, burst: 100 }],
    [
      'one, before all others',
      { '*': { domains: 9 }, 4711: { domains: 1 }, nobody: { domains: 1 } },
      { domains: 1 },
    ],
  ])('of %s', (_what, users, limits) => {
    write({ users });
    const policy = readPolicy(file);
    const uid = 'nobody' in users ? 65534 : 4711;
    expect(policy.limitsOf(uid)).toMatchObject(limits);
    expect(policy.admitsOthers).toBe(true);
    expect(policy.limitsOf(1234).domains).toBe(
      '*' in users ? ((users['*'] as { domains?: number }).domains ?? 256) : 0,
    );
    expect(policy.limitsOf(own).domains).toBe(NO_LIMIT);
  });

  test('binds its own user only where it names it', () => {
    write({ users: { [own]: { domains: 2 }, '*': { domains: 0 } } });
    const policy = readPolicy(file);
    expect(policy.limitsOf(own).domains).toBe(2);
    expect(policy.admitsOthers).toBe(false);
  });

  const whole = 'expected a whole number from';
  test.each([
    ['', /JSON/],
    ['{"users": {', /JSON/],
    ['[]', 'expected {"users": {...}}'],
    ['null', 'expected {"users": {...}}'],
    [{}, 'users: expected an object'],
    [{ users: [] }, 'users: expected an object'],
    [{ users: {}, user: {} }, 'user is no part of a policy'],
    [{ users: { '*': 7 } }, 'users.*: expected an object of limits'],
    [{ users: { '*': { domain: 7 } } }, 'users.*.domain: is no limit; expected domains, grants'],
    [{ users: { '*': { toString: 7 } } }, 'users.*.toString: is no limit'],
    [{ users: { 1: { domains: -1 } } }, `users.1.domains: ${whole} 0`],
    [{ users: { 1: { domains: 1.5 } } }, `users.1.domains: ${whole} 0`],
    [{ users: { 1: { grants: '7' } } }, `users.1.grants: ${whole} 0`],
    [{ users: { 1: { channels: null } } }, `users.1.channels: ${whole} 0`],
    [{ users: { 1: { descriptors: 2 ** 31 } } }, `users.1.descriptors: ${whole} 0`],
    [{ users: { 1: { messages: 0 } } }, `users.1.messages: ${whole} 1`],
    [{ users: { 1: { messages: 1, burst: 0 } } }, `users.1.burst: ${whole} 1`],
    [{ users: { 1: { burst: 7 } } }, 'users.1.burst: is of messages'],
    [{ users: { 'no such user': {} } }, 'users.no such user: there is no such user'],
    [{ users: { '-r': {} } }, 'users.-r: there is no such user'],
    [{ users: { '': {} } }, 'users.: there is no such user'],
    [{ users: { 4294967295: {} } }, 'users.4294967295: there is no such user'],
    [{ users: { nobody: {}, 65534: {} } }, 'users.nobody: that user is named twice'],
  ])('is not %j, which is said by file and key', (policy, why) => {
    write(policy);
    const message = typeof why === 'string' ? `${file}: ${why}` : why;
    expect(() => readPolicy(file)).toThrow(message);
    expect(() => readPolicy(file)).toThrow(PolicyError);
  });
});

describe('the file of a policy', () => {
  test('may be a link', () => {
    write({ users: {} });
    const link = path.join(directory, 'link');
    fs.symlinkSync(file, link);
    expect(readPolicy(link).admitsOthers).toBe(false);
  });

  test.each([0o664, 0o646, 0o666])('of mode %o is not trusted', (mode) => {
    write({ users: {} });
    fs.chmodSync(file, mode);
    expect(() => readPolicy(file)).toThrow(`${file} can be written by other users`);
  });

  test.each([
    ['nothing', () => {}, 'cannot be read: ENOENT'],
    ['a directory', () => fs.mkdirSync(file), 'is no file'],
    ['a device', () => fs.symlinkSync('/dev/zero', file), 'is no file'],
    ['a link to nothing', () => fs.symlinkSync('/nonexistent', file), 'cannot be read: ENOENT'],
    ['too long', () => write(' '.repeat(2 ** 20 + 1)), 'is too long for a policy'],
  ])('is not %s', (_what, make, why) => {
    make();
    expect(() => readPolicy(file)).toThrow(`${file} ${why}`);
  });
});
