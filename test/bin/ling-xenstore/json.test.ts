/** What --json prints: one line, whatever the values are. */
import type { XenstoreClient } from '#xen/xenstore/client';
import { Box } from '../../support/box';
import { type Env, lingXenstore } from '../../support/ling-xenstore';

let box: Box;
let store: XenstoreClient;
let env: Env;

beforeAll(async () => {
  box = new Box();
  await box.boot({ name: 'guest' });
  store = box.client('socket');
  env = { XENSTORED_RUNDIR: box.rundir };
  for (const [path, value] of Object.entries(VALUES)) await store.write(path, value);
  await store.setPerms('/t/text', ['n0', 'r1']);
});
afterAll(() => box.close());

const BINARY = Buffer.from([0, 0xff, 0x80]);
const VALUES: Readonly<Record<string, string | Buffer>> = {
  '/t/text': 'ünïcode "\\\n',
  '/t/text/below': '',
  '/t/binary': BINARY,
};
const JSON_VALUES = [
  { path: '/t/text', value: VALUES['/t/text'] },
  { path: '/t/text/below', value: '' },
  { path: '/t/binary', base64: BINARY.toString('base64') },
];

async function json(...args: string[]): Promise<unknown> {
  const { status, stdout, stderr } = await lingXenstore(env, ...args, '--json');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toMatch(/^.*\n$/);
  return JSON.parse(Buffer.from(stdout, 'latin1').toString());
}

test.each(['', '-f', '-p', '-fp'])('ls %s: every node, with its permissions', async (flags) => {
  const permissions = [['n0', 'r1'], ['n0'], ['n0']];
  const nodes = JSON_VALUES.map((node, i) => ({ ...node, permissions: permissions[i] }));
  expect(await json('ls', '/t', ...(flags ? [flags] : []))).toEqual(nodes);
  expect(await json('ls', '/t/text/below')).toEqual([]);
  expect(await json('ls', '/t/text', '/t/binary', '/t/text')).toEqual([nodes[1], nodes[1]]);
});

test('ls of a guest says which nodes it may not read, and goes on', async () => {
  // The guest that asks is one more, made by asking.
  const guest = { XENSTORED_PATH: `${box.rundir}/domain` };
  const { stdout, status } = await lingXenstore(guest, 'ls', '--json', '/local/domain');
  const nodes = JSON.parse(stdout) as { path: string; error?: string; value?: string }[];
  expect(status).toBe(0);
  expect(nodes[0]).toEqual({ path: '/local/domain/1', error: 'EACCES' });
  const own = /^\/local\/domain\/\d+/.exec(nodes[1]?.path ?? '')?.[0];
  expect(nodes.map(({ path }) => path)).toEqual(
    expect.arrayContaining([`${own}/domid`, `${own}/name`, `${own}/data`]),
  );
});

test.each(['', '-p', '-R'])('read %s: every value', async (flags) => {
  const paths = JSON_VALUES.map(({ path }) => path);
  expect(await json('read', ...paths, ...(flags ? [flags] : []))).toEqual(JSON_VALUES);
  expect(await json('read', '/t/binary')).toEqual([JSON_VALUES[2]]);
});

test.each(['', '-p'])('list %s: names by path', async (flags) => {
  expect(await json('list', '/t', '/t/binary', ...(flags ? [flags] : []))).toEqual([
    { path: '/t', names: ['text', 'binary'] },
    { path: '/t/binary', names: [] },
  ]);
});

test('exists: each path, and the same exit status as without', async () => {
  expect(await json('exists', '/t', '/t/text')).toEqual([
    { path: '/t', exists: true },
    { path: '/t/text', exists: true },
  ]);
  const some = await lingXenstore(env, 'exists', '--json', '/t', '/missing', 'bad path');
  expect(some.status).toBe(1);
  expect(JSON.parse(some.stdout)).toEqual([
    { path: '/t', exists: true },
    { path: '/missing', exists: false },
    { path: 'bad path', exists: false },
  ]);
});

test('watch: a line for each change', async () => {
  const { status, stdout } = await lingXenstore(env, 'watch', '--json', '-n', '2', '/t', '/missing');
  expect([status, stdout]).toEqual([0, '{"path":"/t"}\n{"path":"/missing"}\n']);
});

test.each(['ls', 'read', 'list'])('%s prints nothing when it fails', async (command) => {
  const { status, stdout, stderr } = await lingXenstore(env, command, '--json', '/t/text', '/missing');
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^ling-xenstore: cannot .* \/missing: ENOENT/);
});

test.each(['write', 'rm', 'chmod'])('%s has nothing to print', async (command) => {
  const { status, stderr } = await lingXenstore(env, command, '--json', '/t', 'n0');
  expect(status).toBe(2);
  expect(stderr).toBe("ling-xenstore: unknown option '--json'\n");
});
