/** Debian's xenstore-utils, unchanged, against lingd. They have to be installed: without them this fails. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Domain } from 'ling-tubes';
import { Box } from '../support/box';
import { run } from '../support/run';

let box: Box;
let domain: Domain;

beforeAll(async () => {
  box = new Box();
  domain = await box.boot({ name: 'guest' });
});
afterAll(() => box.close());

/** What a tool has printed, and its exit status. */
async function tool(name: string, ...args: string[]): Promise<[status: number | null, printed: string]> {
  const { status, stdout, stderr } = await run(`xenstore-${name}`, args, {
    env: { XENSTORED_RUNDIR: box.rundir },
  });
  return [status, stdout + stderr];
}

test('write, read, list, exists, rm', async () => {
  expect(await tool('write', '/t/a', 'one', '/t/b/c', 'two words')).toEqual([0, '']);
  expect(await tool('read', '/t/a')).toEqual([0, 'one\n']);
  expect(await tool('read', '/t/a', '/t/b/c')).toEqual([0, 'one\ntwo words\n']);
  expect(await tool('read', '-p', '/t/a')).toEqual([0, '/t/a: one\n']);
  expect(await tool('list', '/t')).toEqual([0, 'a\nb\n']);
  expect(await tool('exists', '/t/b/c')).toEqual([0, '']);
  expect((await tool('exists', '/t/b/d'))[0]).toBe(1);
  expect(await tool('rm', '/t/a')).toEqual([0, '']);
  expect(await tool('list', '/t')).toEqual([0, 'b\n']);
  // With -t parents that have become empty go as well.
  expect(await tool('rm', '-t', '/t/b/c')).toEqual([0, '']);
  expect((await tool('exists', '/t'))[0]).toBe(1);
  expect(await tool('read', '/t/a')).toEqual([1, "xenstore-read: couldn't read path /t/a\n"]);
  expect((await tool('list', '/t'))[0]).toBe(1);
});

test('ls prints the tree, with permissions and with full paths', async () => {
  await tool('write', '/ls/a', 'x', '/ls/a/deep', '');
  await tool('write', '/ls/b', 'line\nline');
  const n = domain.domid;
  await tool('chmod', '/ls/a', 'n0', `r${n}`);
  await tool('chmod', '/ls/b', `w${n}`, 'b0');
  expect(await tool('ls', '/ls')).toEqual([0, 'a = "x"\n deep = ""\nb = "line\\nline"\n']);
  expect(await tool('ls', '-f', '/ls')).toEqual([0, '/ls/a = "x"\n/ls/a/deep = ""\n/ls/b = "line\\nline"\n']);
  const [, printed] = await tool('ls', '-p', '/ls');
  expect(printed.split('\n').map((line) => line.replace(/ {2,}|\. +/g, ' '))).toEqual([
    expect.stringMatching(new RegExp(`^a = "x".*\\(n0,r${n}\\)$`)),
    expect.stringMatching(/^ deep = "".*\(n0\)$/),
    expect.stringMatching(new RegExp(`^b = "line\\\\nline".*\\(w${n},b0\\)$`)),
    '',
  ]);
  await tool('rm', '/ls');
});

test('a domain is seen as on Xen', async () => {
  const home = `/local/domain/${domain.domid}`;
  expect(await tool('read', `${home}/name`)).toEqual([0, 'guest\n']);
  expect(await tool('list', `${home}/data`)).toEqual([0, 'tip\nnock\n']);
  const [status, printed] = await tool('ls', '-fp', '/local');
  expect(status).toBe(0);
  expect(printed).toMatch(new RegExp(`^${home}/data/tip = "" .*\\(b${domain.domid}\\)$`, 'm'));
  expect(printed).toMatch(new RegExp(`^${home}/domid = "${domain.domid}" .*\\(r0\\)$`, 'm'));
});

test.each(['n', 'r', 'w', 'b'])('chmod sets letter %s, with -r below too', async (letter) => {
  await tool('write', '/mode/x/y', '1');
  expect(await tool('chmod', '-r', '/mode', 'n0', `${letter}${domain.domid}`)).toEqual([0, '']);
  const [, printed] = await tool('ls', '-fp', '/mode');
  expect(printed.match(new RegExp(`\\(n0,${letter}${domain.domid}\\)`, 'g'))).toHaveLength(2);
  expect((await tool('chmod', '/mode', 'z1'))[0]).not.toBe(0);
  await tool('rm', '/mode');
});

test('a directory of more than 4096 bytes is listed whole', async () => {
  const names = Array.from(
    { length: 200 },
    (_, i) => `a-rather-long-name-of-a-child-${String(i).padStart(3, '0')}`,
  );
  for (let i = 0; i < names.length; i += 50) {
    await tool('write', ...names.slice(i, i + 50).flatMap((name) => [`/big/${name}`, name]));
  }
  expect(await tool('list', '/big')).toEqual([0, `${names.join('\n')}\n`]);
  expect(await tool('ls', '/big')).toEqual([0, names.map((name) => `${name} = "${name}"\n`).join('')]);
  await tool('rm', '/big');
});

test('watch prints every change, and ends after -n of them', async () => {
  const watching = spawn('xenstore-watch', ['-n', '4', '/w'], {
    env: { ...process.env, XENSTORED_RUNDIR: box.rundir },
  });
  let printed = '';
  watching.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const ended = once(watching, 'close');
  await once(watching.stdout, 'data');
  await tool('write', '/w/a', '1');
  await tool('write', '/elsewhere', '1');
  await tool('write', '/w', '2');
  await tool('rm', '/w');
  expect(await ended).toEqual([0, null]);
  expect(printed).toBe('/w\n/w/a\n/w\n/w\n');
  await tool('rm', '/elsewhere');
});
