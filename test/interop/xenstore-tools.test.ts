/** Debian's xenstore-utils, unchanged, against lingd. They have to be installed: without them this fails. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { Domain } from 'ling-tubes';
import { Box } from '../support/box';

let box: Box;
let domain: Domain;

beforeAll(async () => {
  box = new Box();
  domain = await box.boot({ name: 'guest' });
});
afterAll(() => box.close());

/** What a tool has printed, and its exit status. */
function tool(name: string, ...args: string[]): [status: number | null, printed: string] {
  const { status, stdout, stderr, error } = spawnSync(`xenstore-${name}`, args, {
    encoding: 'utf8',
    env: { ...process.env, XENSTORED_RUNDIR: box.rundir },
    timeout: 10_000,
  });
  if (error) throw error;
  return [status, stdout + stderr];
}

test('write, read, list, exists, rm', () => {
  expect(tool('write', '/t/a', 'one', '/t/b/c', 'two words')).toEqual([0, '']);
  expect(tool('read', '/t/a')).toEqual([0, 'one\n']);
  expect(tool('read', '/t/a', '/t/b/c')).toEqual([0, 'one\ntwo words\n']);
  expect(tool('read', '-p', '/t/a')).toEqual([0, '/t/a: one\n']);
  expect(tool('list', '/t')).toEqual([0, 'a\nb\n']);
  expect(tool('exists', '/t/b/c')).toEqual([0, '']);
  expect(tool('exists', '/t/b/d')[0]).toBe(1);
  expect(tool('rm', '/t/a')).toEqual([0, '']);
  expect(tool('list', '/t')).toEqual([0, 'b\n']);
  // With -t parents that have become empty go as well.
  expect(tool('rm', '-t', '/t/b/c')).toEqual([0, '']);
  expect(tool('exists', '/t')[0]).toBe(1);
  expect(tool('read', '/t/a')).toEqual([1, "xenstore-read: couldn't read path /t/a\n"]);
  expect(tool('list', '/t')[0]).toBe(1);
});

test('ls prints the tree, with permissions and with full paths', () => {
  tool('write', '/ls/a', 'x', '/ls/a/deep', '');
  tool('write', '/ls/b', 'line\nline');
  const n = domain.domid;
  tool('chmod', '/ls/a', 'n0', `r${n}`);
  tool('chmod', '/ls/b', `w${n}`, 'b0');
  expect(tool('ls', '/ls')).toEqual([0, 'a = "x"\n deep = ""\nb = "line\\nline"\n']);
  expect(tool('ls', '-f', '/ls')).toEqual([0, '/ls/a = "x"\n/ls/a/deep = ""\n/ls/b = "line\\nline"\n']);
  const [, printed] = tool('ls', '-p', '/ls');
  expect(printed.split('\n').map((line) => line.replace(/ {2,}|\. +/g, ' '))).toEqual([
    expect.stringMatching(new RegExp(`^a = "x".*\\(n0,r${n}\\)$`)),
    expect.stringMatching(/^ deep = "".*\(n0\)$/),
    expect.stringMatching(new RegExp(`^b = "line\\\\nline".*\\(w${n},b0\\)$`)),
    '',
  ]);
  tool('rm', '/ls');
});

test('a domain is seen as on Xen', () => {
  const home = `/local/domain/${domain.domid}`;
  expect(tool('read', `${home}/name`)).toEqual([0, 'guest\n']);
  expect(tool('list', `${home}/data`)).toEqual([0, 'tip\nnock\n']);
  const [status, printed] = tool('ls', '-fp', '/local');
  expect(status).toBe(0);
  expect(printed).toMatch(new RegExp(`^${home}/data/tip = "" .*\\(b${domain.domid}\\)$`, 'm'));
  expect(printed).toMatch(new RegExp(`^${home}/domid = "${domain.domid}" .*\\(r0\\)$`, 'm'));
});

test.each(['n', 'r', 'w', 'b'])('chmod sets letter %s, with -r below too', (letter) => {
  tool('write', '/mode/x/y', '1');
  expect(tool('chmod', '-r', '/mode', 'n0', `${letter}${domain.domid}`)).toEqual([0, '']);
  const [, printed] = tool('ls', '-fp', '/mode');
  expect(printed.match(new RegExp(`\\(n0,${letter}${domain.domid}\\)`, 'g'))).toHaveLength(2);
  expect(tool('chmod', '/mode', 'z1')[0]).not.toBe(0);
  tool('rm', '/mode');
});

test('a directory of more than 4096 bytes is listed whole', () => {
  const names = Array.from(
    { length: 200 },
    (_, i) => `a-rather-long-name-of-a-child-${String(i).padStart(3, '0')}`,
  );
  for (let i = 0; i < names.length; i += 50) {
    tool('write', ...names.slice(i, i + 50).flatMap((name) => [`/big/${name}`, name]));
  }
  expect(tool('list', '/big')).toEqual([0, `${names.join('\n')}\n`]);
  expect(tool('ls', '/big')).toEqual([0, names.map((name) => `${name} = "${name}"\n`).join('')]);
  tool('rm', '/big');
});

test('watch prints every change, and ends after -n of them', async () => {
  const watching = spawn('xenstore-watch', ['-n', '4', '/w'], {
    env: { ...process.env, XENSTORED_RUNDIR: box.rundir },
  });
  let printed = '';
  watching.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const ended = once(watching, 'exit');
  await once(watching.stdout, 'data');
  tool('write', '/w/a', '1');
  tool('write', '/elsewhere', '1');
  tool('write', '/w', '2');
  tool('rm', '/w');
  expect(await ended).toEqual([0, null]);
  expect(printed).toBe('/w\n/w/a\n/w\n/w\n');
  tool('rm', '/elsewhere');
});
